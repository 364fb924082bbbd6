//! The fourth way: Debian's packages, installed with apt-get, but without the daemons that they would start.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use markt_test_support::programs::on_path;

use crate::Error;

const SCRIPT: &str = include_str!("install.sh");

/// Installs this package. False where that can't be done.
pub(crate) fn install(package: &str) -> Result<bool, Error> {
    if !Path::new("/etc/debian_version").exists() || on_path("apt-get").is_none() {
        return Ok(false);
    }
    let Some(mut shell) = root_shell()? else { return Ok(false) };
    eprintln!("{package}: installing Debian's package");
    // In a process group of its own, and waited for: a Ctrl-C in the middle would leave dpkg in pieces.
    let status = shell.args(["-c", SCRIPT, "install", package]).stdin(Stdio::null()).process_group(0).status()?;
    if !status.success() {
        return Err(format!("apt-get couldn't install {package} ({status})").into());
    }
    Ok(true)
}

/// A shell that runs as root, if we may have one.
fn root_shell() -> Result<Option<Command>, Error> {
    // A new file's owner is whoever we are.
    if tempfile::tempfile()?.metadata()?.uid() == 0 {
        return Ok(Some(Command::new("sh")));
    }
    let allowed = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "sh"]);
    Ok(Some(sudo))
}

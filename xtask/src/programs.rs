//! Programs of other packages that commands run, and how they come onto this machine.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cargo::{self, ALL, Failure};

/// Where the program of this name is that a shell would run.
pub(crate) fn path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Whether there is this program, and it runs.
pub(crate) fn runs(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// Installs this package of Debian's for the program, where that is missing and can be installed.
pub(crate) fn ensure(program: &str, package: &str) -> Result<(), Failure> {
    if runs(program) {
        return Ok(());
    }
    cargo::run(cargo::cargo().args(["build", "--bin", "with-stores"]).args(ALL))?;
    cargo::run(Command::new(cargo::built("with-stores")?).args(["--install", package]))
}

//! `cargo xtask e2e`: the clients in `clients/`, against the service and in a real browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{self, Failure};
use crate::programs;

/// Where the clients are.
const FOLDER: &str = "clients";

/// Names of the browser. Ubuntu has no package of it, but its machines in CI have Chrome.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Debian's package of the browser.
const PACKAGE: &str = "chromium";

/// npm's scripts, the quick ones first: the last two run the service, and the last one the browser too.
const SCRIPTS: [&[&str]; 5] = [&["build"], &["check"], &["generate", "--", "--check"], &["test"], &["e2e"]];

pub(crate) fn run() -> Result<(), Failure> {
    if !programs::runs("node") || !programs::runs("npm") {
        return Err(
            "the clients need Node.js 20.19 or later, with npm: install it, which can't be done from here".into()
        );
    }
    let browser = ensure_browser()?;
    // A test freezes one of its own.
    programs::ensure("redis-server", "redis-server")?;
    // It makes the certificate for https. It doesn't know `--version`.
    if programs::path("openssl").is_none() {
        programs::ensure("openssl", "openssl")?;
    }
    cargo::run(cargo::cargo().args(["build", "--package", "markt-auth"]))?;
    let service = cargo::built("markt-auth")?;

    cargo::run(npm().args(["ci", "--no-audit", "--no-fund"]))?;
    for script in SCRIPTS {
        let mut command = npm();
        command.args(["run", "--silent"]).args(script);
        cargo::run(command.env("MARKT_AUTH", &service).env("CHROMIUM", &browser))?;
    }
    eprintln!("pictures of what the browser showed: {}", cargo::root().join("target/e2e").display());
    Ok(())
}

/// Finds or installs the browser, and says where it is.
fn ensure_browser() -> Result<PathBuf, Failure> {
    if let Some(browser) = BROWSERS.into_iter().find_map(programs::path) {
        return Ok(browser);
    }
    programs::ensure(PACKAGE, PACKAGE)?;
    programs::path(PACKAGE).ok_or_else(|| "the browser was installed, but can't be found".into())
}

fn npm() -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(cargo::root().join(Path::new(FOLDER)));
    npm
}

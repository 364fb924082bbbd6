//! `cargo xtask dev`: the service with a demo's data, from nothing to serving in one command.

use std::ffi::OsString;
use std::process::Command;

use crate::cargo::{self, Failure};

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    cargo::run(cargo::cargo().args(["build", "--package", "markt-auth"]))?;
    let mut server = Command::new(cargo::built("markt-auth")?);
    server.args(["serve", "--demo"]).args(arguments).current_dir(cargo::root());
    replace_with(&mut server)
}

/// Becomes the server, so that nobody stands between it and the terminal: it gets a Ctrl-C once, and first.
#[cfg(unix)]
fn replace_with(server: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;

    let error = server.exec();
    Err(format!("can't run {}: {error}", server.get_program().to_string_lossy()).into())
}

#[cfg(not(unix))]
fn replace_with(server: &mut Command) -> Result<(), Failure> {
    cargo::run(server)
}

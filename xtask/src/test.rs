//! `cargo xtask test`: every test, against real stores.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::cargo::{self, ALL, Failure};

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    // Tests and `with-stores` in one build, and before the stores start: tests that don't compile need none.
    cargo::run(cargo::cargo().args(["test", "--no-run"]).args(ALL))?;
    let nextest = has_nextest();
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    cargo::run(with_stores()?.args(runner).args(ALL).args(arguments))?;
    // With arguments, certain tests are wanted, and nextest knows no doctests to pick from.
    if nextest && arguments.is_empty() {
        cargo::run(cargo::cargo().args(["test", "--doc"]).args(ALL))?;
    }
    Ok(())
}

/// Cargo, with the stores running around it.
fn with_stores() -> Result<Command, Failure> {
    let cargo = cargo::cargo();
    let mut command = Command::new(cargo::built("with-stores")?);
    // What tests put in front of servers.
    for program in ["haproxy", "nginx", "caddy"] {
        command.args(["--program", program]);
    }
    command.arg("--").arg(cargo.get_program()).current_dir(cargo::root());
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ok(command)
}

fn has_nextest() -> bool {
    let mut asked = cargo::cargo();
    asked.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

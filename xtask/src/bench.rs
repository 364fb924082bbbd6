//! `cargo xtask bench`: the service against plain servers, in one table.

use std::ffi::OsString;
use std::process::Command;

use crate::cargo::{self, ALL, Failure};

/// What else is measured, if it is named first.
const OTHERS: [&str; 2] = ["nodes", "cluster"];

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    cargo::run(cargo::cargo().args(["build", "--bin", "with-stores"]).args(ALL))?;
    // What is measured is what is released, and its measure is built the same way.
    cargo::run(cargo::cargo().args(["build", "--release", "--package", "markt-auth", "--package", "markt-bench"]))?;
    let mut bench = Command::new(cargo::built("with-stores")?);
    bench.args(["--program", "wrk", "--program", "nginx", "--"]).arg(cargo::released("markt-bench")?);
    let is_named = arguments.first().is_some_and(|first| OTHERS.iter().any(|other| first == other));
    if !is_named {
        bench.arg("run");
    }
    cargo::run(bench.args(arguments).current_dir(cargo::root()))
}

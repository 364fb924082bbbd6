//! How the commands run other programs, cargo above all.

use std::env;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `with-stores` too. Every cargo command that compiles the workspace names it, so that all of them resolve the
/// same features and share what they build.
pub(crate) const ALL: [&str; 3] = ["--workspace", "--features", "markt-test-support/provision"];

/// Why a command failed, and what to exit with.
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) code: u8,
}

impl<T: Display> From<T> for Failure {
    fn from(message: T) -> Self {
        Self { message: message.to_string(), code: 1 }
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs us, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    // `cargo run` describes the package it runs in these variables. Some build scripts (ring's) watch them: passed on,
    // they would have those crates built again at each change between `cargo xtask` and plain `cargo`.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| format!("can't run {}: {error}", shown(command)))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure { message: format!("{} failed ({status})", shown(command)), code })
}

fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    [name].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

/// A program of this workspace, as the last build left it: beside this one, wherever cargo's target folder is.
pub(crate) fn built(name: &str) -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// The same, as the last release build left it.
pub(crate) fn released(name: &str) -> Result<PathBuf, Failure> {
    let debug = built(name)?;
    let folders = debug.parent().and_then(Path::parent).ok_or("cargo's target folder can't be found")?;
    Ok(folders.join("release").join(debug.file_name().unwrap_or_default()))
}

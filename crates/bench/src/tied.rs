//! Programs that don't outlive the one that started them, however that ends.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

use crate::cli::Error;

/// Becomes this program, which the kernel kills when the parent ends. Returns if that fails.
///
/// The kernel means the parent's thread that started it: in this program, that is always the main one.
pub(crate) fn become_program(parent: i32, program: &OsStr, arguments: &[OsString]) -> Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The parent may have ended before it was watched.
    if getppid().map(|process| process.as_raw_nonzero().get()) != Some(parent) {
        return "its parent is gone".into();
    }
    let error = Command::new(program).args(arguments).exec();
    format!("can't run {}: {error}", program.display()).into()
}

/// A command for such a program.
///
/// # Errors
/// If this program can't find itself.
pub(crate) fn command(program: &OsStr) -> Result<Command, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("tied").arg(getpid().as_raw_nonzero().get().to_string()).arg(program);
    Ok(command)
}

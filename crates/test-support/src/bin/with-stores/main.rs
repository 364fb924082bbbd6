//! `with-stores [--program NAME]… -- COMMAND ARGS…` runs a command with a real Redis and a real PostgreSQL, and ends both
//! afterwards. Programs that the command runs besides are installed, if they are missing and can be. `with-stores --install
//! NAME` does that alone.
//!
//! The command finds the stores in `TEST_REDIS_URL` and `TEST_DATABASE_URL`. A store that can't be had fails the run:
//! tests that skip themselves for want of a server prove nothing. Whatever this program starts, it ends, however it ends
//! itself: what it starts runs under a [`watchdog`] that sees it go.

#[cfg(not(unix))]
compile_error!("with-stores needs a Unix: on Windows, run the tests in WSL");

mod command;
mod docker;
mod given;
mod install;
mod interrupts;
mod local;
mod postgres;
mod provide;
mod redis;
mod watchdog;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::interrupts::Interrupts;

/// What a shell exits with when the program it ran wasn't called as it should be.
const WRONG_USAGE: u8 = 2;

/// An error is a text for a person: nothing here handles one kind differently from another.
type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [option, program] if option == "--install" => provide::ensure_program(&program.to_string_lossy()).map(|()| 0),
        [option, name] if option == docker::REAP => docker::reap(&name.to_string_lossy()).await.map(|()| 0),
        arguments => match parse(arguments) {
            Some((programs, command)) => run(&programs, command).await,
            None => {
                eprintln!("usage: with-stores [--program NAME]… -- COMMAND ARGS…\n       with-stores --install NAME");
                return ExitCode::from(WRONG_USAGE);
            }
        },
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-stores: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The programs that the command needs besides, and the command.
fn parse(mut arguments: &[OsString]) -> Option<(Vec<String>, &[OsString])> {
    let mut programs = Vec::new();
    while let [option, program, rest @ ..] = arguments
        && option == "--program"
    {
        programs.push(program.to_string_lossy().into_owned());
        arguments = rest;
    }
    let [dashes, command @ ..] = arguments else { return None };
    (dashes == "--" && !command.is_empty()).then_some((programs, command))
}

async fn run(programs: &[String], command: &[OsString]) -> Result<u8, Error> {
    let mut interrupts = Interrupts::watch()?;
    programs.iter().try_for_each(|program| provide::ensure_program(program))?;
    let stores = tokio::select! {
        stores = provide::stores() => stores?,
        signal = interrupts.next() => return Ok(signal.exit_code()),
    };
    let code = command::run(command, &stores, &mut interrupts).await?;
    // Said here, not left to the end of scope: the command's exit code is for whoever waits, and that is after the end.
    drop(stores);
    Ok(code)
}

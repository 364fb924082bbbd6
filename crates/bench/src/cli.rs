//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::reference::{self, Reference};
use crate::{bench, tied};

/// An error is a text for a person: nothing here handles one kind differently from another.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "markt-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures, and prints the table
    Run {
        /// Shorter rounds, and a tenth of the sessions: for a look, not for the record
        #[arg(long)]
        quick: bool,
        /// Writes the figures into this file, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Serves what the service is compared with
    Serve {
        /// The recorded answer that it gives
        #[arg(long)]
        answer: PathBuf,
        #[command(subcommand)]
        reference: Reference,
    },
    /// Becomes a program that is killed when the process PARENT ends
    Tied {
        parent: i32,
        program: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run { quick, json } => run(quick, json),
        Command::Serve { answer, reference } => serve(&answer, reference),
        Command::Tied { parent, program, arguments } => Err(tied::become_program(parent, &program, &arguments)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("markt-bench: {error}");
        ExitCode::FAILURE
    })
}

fn run(quick: bool, json: Option<PathBuf>) -> Result<ExitCode, Error> {
    runtime()?.block_on(bench::run(quick, json.as_deref()))
}

fn serve(answer: &std::path::Path, reference: Reference) -> Result<ExitCode, Error> {
    runtime()?.block_on(reference::serve(answer, reference))?;
    Ok(ExitCode::SUCCESS)
}

/// As the service makes its own.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

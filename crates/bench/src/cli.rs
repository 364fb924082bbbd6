//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::compare::Scale;
use crate::reference::{self, Reference};
use crate::{bench, compare, scaling, tied};

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
    /// Compares the service with itself in other modes, and writes a report
    Compare {
        /// How much is measured
        #[arg(long, value_enum, default_value = "full")]
        scale: Scale,
        /// The program that users are: `markt-loadtests`
        #[arg(long, value_name = "PROGRAM")]
        loadtests: PathBuf,
        /// Where the report goes
        #[arg(long, value_name = "FOLDER", default_value = "target/loadtest")]
        report: PathBuf,
    },
    /// Measures one to four processes of the service side by side
    Nodes {
        /// Fewer rounds: for a look, not for the record
        #[arg(long)]
        quick: bool,
    },
    /// Measures the service on a Redis Cluster with many sessions
    Cluster {
        /// How many; a million takes some 600 MB
        #[arg(long, default_value_t = 5_000_000)]
        sessions: u32,
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

/// Does what the command line says.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run { quick, json } => run(quick, json),
        Command::Compare { scale, loadtests, report } => compare(scale, &loadtests, &report),
        Command::Nodes { quick } => run_scaling(scaling::nodes(quick)),
        Command::Cluster { sessions } => run_scaling(scaling::cluster(sessions)),
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

fn run_scaling(measuring: impl Future<Output = Result<ExitCode, Error>>) -> Result<ExitCode, Error> {
    runtime()?.block_on(measuring)
}

fn compare(scale: Scale, loadtests: &Path, report: &Path) -> Result<ExitCode, Error> {
    runtime()?.block_on(compare::run(scale, loadtests, report))
}

fn serve(answer: &Path, reference: Reference) -> Result<ExitCode, Error> {
    runtime()?.block_on(reference::serve(answer, reference))?;
    Ok(ExitCode::SUCCESS)
}

/// As the service makes its own.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

//! The command line.

mod adopt;
mod config;
mod doctor;
mod output;
mod serve;
mod sessions;
mod typed;
mod users;

pub(crate) use output::counted;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use self::output::say;
use crate::config::{Config, Sources};
use crate::system::{SystemClock, SystemEntropy};
use crate::wiring::Surroundings;
use crate::{http, telemetry, wiring};

/// Session authentication for the Markt marketplace and apps like it.
#[derive(Parser)]
#[command(name = "markt-auth", version, about)]
struct Cli {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where the configuration comes from.
#[derive(Args)]
struct SettingFlags {
    /// The configuration file; markt-auth.toml, if it is there, without this.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a key of the configuration; can be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves (the default).
    Serve {
        /// Makes demo accounts if there are no users, and prints a tour. Not in production.
        #[arg(long)]
        demo: bool,
    },
    /// Brings the database's schema up to date.
    Migrate,
    /// Looks whether a Markt application's database can be taken over.
    ///
    /// Ends with 0 if it can, with 1 if something stands in the way.
    Adopt(adopt::AdoptOptions),
    /// Lists, shows, counts and revokes sessions.
    Sessions {
        #[command(subcommand)]
        command: sessions::SessionsCommand,
    },
    /// Creates, shows, deactivates and activates users.
    Users {
        #[command(subcommand)]
        command: users::UsersCommand,
    },
    /// Finds what is wrong with the set-up, and says what to change.
    ///
    /// Asks the stores, the mail server and the running service, if there is one; changes nothing, and sends no mail.
    /// Ends with 0 if nothing worse than a warning was found, with 1 if there is an error (with --origin: if logins from
    /// there don't work), with 2 for wrong usage.
    Doctor(doctor::DoctorOptions),
    /// Prints the effective configuration, secrets hidden.
    Config {
        /// In JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prints the OpenAPI document.
    Openapi,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// What a command ends with: nothing more to say, or an error for standard error.
type Outcome = Result<(), Failure>;

type Failure = Box<dyn std::error::Error>;

/// Ends the process as for any other wrong usage. Unlike what clap says of a wrong value, this doesn't repeat it: it may
/// be a secret that was given in the wrong place.
fn wrong_usage(message: &str) -> ! {
    Cli::command().error(ErrorKind::ValueValidation, message).exit()
}

/// Runs the command line. Exit codes: 0, 1 for a finding or a refusal, 2 for wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Doctor(options)) = &cli.command {
        return doctor::run(options, &Sources::from_process(cli.settings.config, cli.settings.set));
    }
    if let Some(Command::Adopt(options)) = &cli.command {
        return adopt::run(options, &Sources::from_process(cli.settings.config, cli.settings.set));
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("markt-auth: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome {
    if let Some(Command::Openapi) = cli.command {
        return Ok(say(http::openapi_document())?);
    }
    let config = Config::load(&Sources::from_process(cli.settings.config, cli.settings.set))?;
    match cli.command.unwrap_or(Command::Serve { demo: false }) {
        Command::Serve { demo } => runtime()?.block_on(async {
            let traces = telemetry::init_with_traces(&config.telemetry)?;
            let outcome = serve::serve(&config, &surroundings(), demo).await;
            if let Some(traces) = traces {
                traces.close().await;
            }
            outcome
        }),
        Command::Migrate => {
            telemetry::init(&config.telemetry);
            runtime()?.block_on(wiring::migrate(&config))?;
            Ok(say(format_args!("The schema of {} is up to date.", config.database_url))?)
        }
        Command::Sessions { command } => {
            telemetry::init(&config.telemetry);
            runtime()?.block_on(sessions::run(command, &config, &surroundings()))
        }
        Command::Users { command } => {
            telemetry::init(&config.telemetry);
            runtime()?.block_on(users::run(command, &config, &surroundings()))
        }
        Command::Config { json } => config::print(&config, json),
        // Done already: they end with codes of their own, or do without a configuration that is right.
        Command::Adopt(_) | Command::Doctor(_) | Command::Openapi => Ok(()),
    }
}

fn surroundings() -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// An error with all that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

//! `markt-auth adopt`

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::{Failure, chain, runtime};
use crate::config::{Config, Sources};
use crate::doctor::adoption::Adoption;
use crate::wiring::examination;

/// What is to be done.
#[derive(Args)]
pub struct AdoptOptions {
    /// Says what was found, what would be added, and what stands in the way. Changes nothing; `migrate` does.
    #[arg(long, required = true)]
    check: bool,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

/// Looks at the database, and prints what there is to say. The code is 1 if something stands in the way.
pub fn run(options: &AdoptOptions, sources: &Sources) -> ExitCode {
    let adoption = match look(sources) {
        Ok(adoption) => adoption,
        Err(error) => {
            eprintln!("markt-auth: {}", chain(error.as_ref()));
            return ExitCode::FAILURE;
        }
    };
    let text = if options.json { format!("{:#}\n", adoption.json()) } else { adoption.text() };
    // Who reads no further, as `head` does, has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if adoption.is_refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn look(sources: &Sources) -> Result<Adoption, Failure> {
    let config = Config::load(sources)?;
    let url = &config.database_url;
    let facts = runtime()?.block_on(examination::adoption(url));
    let facts = facts.map_err(|error| format!("database_url = \"{url}\": {}", chain(&error)))?;
    Ok(Adoption::new(&config, facts))
}

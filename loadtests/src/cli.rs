//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::account::{self, Account};
use crate::attack::{self, Plan};
use crate::driver::Driver;
use crate::scenarios::ScenarioName;

/// Has users do things with a service that is running, and tells how that went
#[derive(Parser)]
#[command(name = "markt-loadtests", version)]
struct Cli {
    /// What they do
    #[arg(value_enum)]
    scenario: ScenarioName,
    /// Where the service is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    host: String,
    /// How many users there are [default: as many as the scenario is made for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: Option<u32>,
    /// How long is measured
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = positive)]
    seconds: f64,
    /// How often each user goes through the scenario: that ends it then, or the time, whichever comes first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cycles: Option<u32>,
    /// How long a user thinks between two steps, in milliseconds: from LEAST to MOST
    #[arg(long, value_name = "LEAST-MOST", value_parser = thinking, conflicts_with = "rate")]
    think: Option<(Duration, Duration)>,
    /// Requests per second of all users together, each due at a set time: its latency counts from then
    #[arg(long, value_name = "N", value_parser = positive)]
    rate: Option<f64>,
    /// Whom to log in as: a line for each account, `ADDRESS PASSWORD` [default: the demo's accounts]
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// The report as a line of JSON
    #[arg(long)]
    json: bool,
    /// Say when all users are there and when they have stopped, and wait for a line on standard input each time
    #[arg(long, requires = "json")]
    driven: bool,
}

pub(crate) fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|why| {
        eprintln!("markt-loadtests: {why}");
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> Result<ExitCode, String> {
    let is_json = cli.json;
    let plan = plan(cli)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let report = runtime.block_on(attack::run(plan)).map_err(|error| error.to_string())?;
    if is_json {
        println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        print!("{}", report.text());
    }
    Ok(if report.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn plan(cli: Cli) -> Result<Plan, String> {
    let accounts: Vec<Account> = cli.accounts.as_deref().map_or_else(account::demo, account::read)?;
    let users = cli.users.map_or(Ok(cli.scenario.users()), usize::try_from);
    Ok(Plan {
        scenario: cli.scenario,
        host: cli.host,
        users: users.map_err(|error| error.to_string())?,
        length: Duration::from_secs_f64(cli.seconds),
        cycles: cli.cycles.map(usize::try_from).transpose().map_err(|error| error.to_string())?,
        think: cli.think,
        rate: cli.rate,
        accounts,
        driver: if cli.driven { Driver::Parent } else { Driver::Nobody },
    })
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number: &f64| (0.001..=1_000_000.0).contains(&number));
    number.ok_or_else(|| "a number from 0.001 to 1000000 is expected".into())
}

fn thinking(text: &str) -> Result<(Duration, Duration), String> {
    let milliseconds = |text: &str| text.parse().ok().map(Duration::from_millis);
    let range = text.split_once('-').and_then(|(least, most)| Some((milliseconds(least)?, milliseconds(most)?)));
    range.filter(|(least, most)| least <= most).ok_or_else(|| "two numbers are expected, such as 100-500".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_think_goes_from_the_least_to_the_most() {
        assert_eq!(thinking("100-500"), Ok((Duration::from_millis(100), Duration::from_millis(500))));
        assert!(["500-100", "100", "-5", "a-b"].iter().all(|text| thinking(text).is_err()));
    }

    #[test]
    fn a_rate_is_a_number_that_can_be_kept() {
        assert_eq!(positive("0.5"), Ok(0.5));
        assert!(["0", "-1", "NaN", "inf", "many"].iter().all(|text| positive(text).is_err()));
    }
}

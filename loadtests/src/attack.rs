//! One run of goose.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use goose::config::GooseConfiguration;
use goose::prelude::*;

use crate::account::Account;
use crate::driver::Driver;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::scenarios::ScenarioName;
use crate::visitor::Attack;
use crate::window::Window;

/// How long a request may take: more than the service allows itself (`http.request_timeout`).
const REQUEST_LIMIT_SECONDS: &str = "15";

/// Users that are started per second: as many as goose can, which starts one each millisecond.
const START_RATE: &str = "1000";

/// What is run.
pub(crate) struct Plan {
    pub(crate) scenario: ScenarioName,
    /// Where the service is: scheme, host and port.
    pub(crate) host: String,
    pub(crate) users: usize,
    /// How long is measured, at most if there are `cycles`.
    pub(crate) length: Duration,
    /// How often each user goes through the scenario.
    pub(crate) cycles: Option<usize>,
    /// How long a user thinks between steps: any time between these two.
    pub(crate) think: Option<(Duration, Duration)>,
    pub(crate) rate: Option<f64>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) driver: Driver,
}

/// Runs it, and reports.
///
/// # Errors
/// If goose can't be set up or breaks off.
pub(crate) async fn run(plan: Plan) -> Result<Report, GooseError> {
    let attack = Arc::new(Attack {
        accounts: plan.accounts,
        users: plan.users,
        rate: plan.rate,
        cycles: plan.cycles,
        window: Window::new(plan.users, plan.length, plan.driver),
        outcome: Outcome::default(),
        made: AtomicUsize::new(0),
    });
    let mut scenario = plan.scenario.scenario(&attack)?;
    if let Some((least, most)) = plan.think {
        scenario = scenario.set_wait_time(least, most)?;
    }
    let goose = GooseAttack::initialize_with_config(configuration(&plan.host, plan.users)?)?;
    // It logs a line for each request without an answer. They are counted, and told once, in the report.
    log::set_max_level(log::LevelFilter::Error);
    let metrics = goose.register_scenario(scenario).execute().await?;
    Ok(Report::new(plan.scenario, &attack, &metrics))
}

fn configuration(host: &str, users: usize) -> Result<GooseConfiguration, GooseError> {
    let users = users.to_string();
    let options =
        [["--host", host], ["--users", &users], ["--increase-rate", START_RATE], ["--timeout", REQUEST_LIMIT_SECONDS]];
    let flags = ["--quiet", "--no-telnet", "--no-reset-metrics", "--no-print-metrics"];
    let arguments: Vec<&str> = options.iter().flatten().chain(&flags).copied().collect();
    GooseConfiguration::parse_args_default(&arguments).map_err(|error| GooseError::InvalidOption {
        option: "the command line".into(),
        value: arguments.join(" "),
        detail: error.to_string(),
    })
}

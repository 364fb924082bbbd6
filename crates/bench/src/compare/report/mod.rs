//! The report: a page, a text, and the figures for programs.

mod html;
mod markdown;
mod plots;

use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use super::figures::Figures;
use super::mode::Mode;
use super::revocation::{Bounds, End, Trial};
use super::scenario::Scenario;
use crate::cli::Error;
use crate::statistics::{count, median};

pub(super) use self::markdown::summary;

/// The files that a report is.
const NAMES: [&str; 3] = ["report.html", "report.md", "report.json"];

/// All that was found.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) scale: &'static str,
    pub(super) rounds: usize,
    pub(super) turn_seconds: f64,
    pub(super) took_seconds: f64,
    pub(super) machine: Machine,
    /// The first is what the others are held against.
    pub(super) modes: Vec<ModeNames>,
    pub(super) scenarios: &'static [Scenario],
    /// Each scenario's modes, in the order of both.
    pub(super) measured: Vec<Measured>,
    /// Of the profile, by wrk; none where that wasn't measured.
    pub(super) ceilings: Vec<Ceiling>,
    pub(super) let_in: Vec<LetIn>,
    /// What the service did that it shouldn't have.
    pub(super) failures: Vec<String>,
}

/// What it was measured on.
#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) processor: String,
}

#[derive(Serialize)]
pub(super) struct ModeNames {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
}

/// The figures of one mode in one scenario.
#[derive(Serialize)]
pub(super) struct Measured {
    pub(super) scenario: &'static str,
    pub(super) mode: &'static str,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// What wrk got out of a mode.
#[derive(Serialize)]
pub(super) struct Ceiling {
    pub(super) mode: &'static str,
    pub(super) requests_per_second: f64,
    /// The 50th, the 95th and the 99th percentile, in microseconds.
    pub(super) latencies: [f64; 3],
}

/// How long somebody was let in after the end.
#[derive(Serialize)]
pub(super) struct LetIn {
    pub(super) mode: &'static str,
    pub(super) end: &'static str,
    pub(super) trials: usize,
    pub(super) median_seconds: f64,
    pub(super) longest_seconds: f64,
    /// The requests that began after the end and were served: the median of the trials.
    pub(super) served_after: f64,
    /// What lets somebody in after the end, if anything does.
    pub(super) bound: Option<Bound>,
}

/// A key of the configuration that says how long somebody is let in after the end, and its values here and by default.
#[derive(Serialize)]
pub(super) struct Bound {
    pub(super) key: &'static str,
    pub(super) here_seconds: u64,
    pub(super) by_default: &'static str,
}

impl LetIn {
    /// Of these trials, those of this mode and end.
    pub(super) fn of(mode: Mode, end: End, trials: &[Trial], bounds: Bounds) -> Self {
        let of_both: Vec<&Trial> = trials.iter().filter(|trial| trial.mode == mode && trial.end == end).collect();
        let seconds: Vec<f64> = of_both.iter().map(|trial| trial.let_in.as_secs_f64()).collect();
        let bound = match end {
            End::LoggedOut => {
                Bound { key: "jwt.access_ttl", here_seconds: bounds.token_life.as_secs(), by_default: "15 min" }
            }
            End::Deactivated => Bound {
                key: "session.user_cache_ttl",
                here_seconds: bounds.user_copy_life.as_secs(),
                by_default: "60 s",
            },
        };
        Self {
            mode: mode.id(),
            end: end.title(),
            trials: of_both.len(),
            median_seconds: median(&seconds),
            longest_seconds: seconds.iter().copied().fold(0.0, f64::max),
            served_after: median(&of_both.iter().map(|trial| count(trial.served)).collect::<Vec<_>>()),
            bound: mode.outlives_revocation().then_some(bound),
        }
    }
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
        }
    }
}

impl Comparison {
    /// A scenario's figures: of each mode, in order.
    fn of(&self, scenario: &Scenario) -> impl Iterator<Item = (&ModeNames, &Figures)> {
        let measured = self.measured.iter().filter(|measured| measured.scenario == scenario.id);
        self.modes.iter().zip(measured.map(|measured| &measured.figures))
    }

    /// What a mode is called.
    fn title(&self, mode: &str) -> &'static str {
        self.modes.iter().find(|names| names.id == mode).map_or("", |names| names.title)
    }

    /// How it was measured, in sentences.
    fn method(&self) -> Vec<String> {
        let Self { rounds, turn_seconds, took_seconds, machine, scale, .. } = self;
        let manner = format!(
            "{rounds} rounds, in which the modes take turns of about {turn_seconds} s. Requests per second, latencies, memory, \
             and what a request costs are medians of the rounds; errors are sums. Users (goose's), servers, Redis and PostgreSQL share the {} cores of one machine ({}), so that requests per \
             second tell more of that machine than of the service; CPU per request is the server's alone. A `{scale}` run \
             of {took_seconds:.0} s.",
            machine.cores, machine.processor
        );
        [
            manner.as_str(),
            "Where users go as fast as they can, each waits for an answer before it asks again: a server that stalls is \
             asked less, and its worst moments weigh less (coordinated omission). Those rows are about throughput. In the \
             rows at a set rate each request has a time at which it is due; one that is late because its user still waited \
             for the answer before it counts from when it was due. Those rows are about latency.",
            "After the end: a user logs out, or is deactivated by an operator, by way of one process, and goes on to ask \
             another one, without a pause for 100 ms, then every 50 ms. What is told is the time until the last answer that \
             let the user in; 0 if none did.",
            "A login's latency is that of one attempt. Sessions live for seconds here and users are asked for again at \
             once, so that what becomes due in time (a touch each minute, a look at the user each minute) isn't in these \
             figures; docs/performance.md has it. CPU time comes in steps of 10 ms, and memory at the end of a turn.",
            "Redis commands are those that Redis counts, within scripts too; SQL statements are those that pass a relay in \
             front of PostgreSQL, BEGIN and COMMIT included; bytes are those of HTTP, counted by a relay in a pass of its \
             own.",
            "Latencies are the users' own, to the microsecond, until an answer has been read whole. goose itself needs more \
             CPU than some of these answers do; so wrk asks for the profile, too, as fast as it goes.",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// Removes the report of an earlier run, if there is one.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder)?;
    for name in NAMES {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Writes `report.html`, `report.md` and `report.json`.
pub(super) fn write(comparison: &Comparison, folder: &Path) -> Result<(), Error> {
    let [page, text, figures] = NAMES.map(|name| folder.join(name));
    std::fs::write(page, html::page(comparison)?)?;
    std::fs::write(text, markdown::text(comparison))?;
    Ok(std::fs::write(figures, serde_json::to_string_pretty(comparison)? + "\n")?)
}

//! What is told of a mode in a scenario: medians of the rounds, so that a slow moment of the machine doesn't decide.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::goose::{Attack, Seen, Stretch, Summary};
use super::node::Counters;
use crate::statistics::{count, median};

/// What one turn gave.
pub(super) struct Turn {
    seen: Seen,
    requests: f64,
    cpu_micros: f64,
    redis_commands: f64,
    sql_statements: f64,
    memory: f64,
}

impl Turn {
    pub(super) fn new(attack: Attack<Counters>) -> Self {
        let Attack { seen, before, after } = attack;
        Self {
            requests: seen.summaries.first().map_or(0.0, |all| count(all.requests)),
            cpu_micros: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6,
            redis_commands: count(after.redis_commands - before.redis_commands),
            sql_statements: count(after.sql_statements - before.sql_statements),
            memory: count(after.memory),
            seen,
        }
    }

    /// What went wrong in it.
    pub(super) fn failures(&self) -> &BTreeMap<String, u64> {
        &self.seen.failures
    }
}

/// The figures of a mode in a scenario. Latencies are in microseconds, memory is in bytes.
#[derive(Serialize)]
pub(super) struct Figures {
    /// Those that were served.
    pub(super) requests_per_second: f64,
    /// The least and the most of all rounds.
    pub(super) requests_per_second_range: [f64; 2],
    /// Of each kind of request, the one first that the scenario is about.
    pub(super) kinds: Vec<Kind>,
    pub(super) requests: f64,
    pub(super) failed: f64,
    /// Requests that were due, and that there was no time for.
    pub(super) never_sent: f64,
    /// With 503 `overloaded`, at once; they came again.
    pub(super) turned_away: f64,
    /// The server's, in user and kernel mode.
    pub(super) cpu_micros_per_request: f64,
    /// Those within scripts included.
    pub(super) redis_commands_per_request: f64,
    /// `BEGIN` and `COMMIT` included.
    pub(super) sql_statements_per_request: f64,
    pub(super) bytes_to_server_per_request: f64,
    pub(super) bytes_to_client_per_request: f64,
    /// The server's, at the end of the turns.
    pub(super) resident_memory: f64,
    /// Of all kinds over time, the rounds one after another: milliseconds since the first began, p50 and p99.
    pub(super) line: Vec<Stretch>,
}

/// The latencies of one kind of request.
#[derive(Serialize)]
pub(super) struct Kind {
    pub(super) kind: String,
    pub(super) requests: f64,
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    /// The longest of all rounds.
    pub(super) max: f64,
    /// Pairs of a percentile and its value.
    pub(super) percentiles: Vec<(f64, f64)>,
}

impl Figures {
    /// Of these rounds, and with what was counted on the wire.
    pub(super) fn of(turns: &[Turn], turn: Duration, main: &str, [bytes_to_server, bytes_to_client]: [f64; 2]) -> Self {
        let median_of = |value: &dyn Fn(&Turn) -> f64| median(&turns.iter().map(value).collect::<Vec<_>>());
        let sum_of = |value: &dyn Fn(&Summary) -> u64| -> f64 {
            turns.iter().filter_map(|turn| turn.seen.summaries.first()).map(|all| count(value(all))).sum()
        };
        let rates = turns.iter().map(|turn| turn.seen.requests_per_second);
        Self {
            requests_per_second: median_of(&|turn| turn.seen.requests_per_second),
            requests_per_second_range: [rates.clone().fold(f64::INFINITY, f64::min), rates.fold(0.0, f64::max)],
            kinds: kinds(turns, main),
            requests: sum_of(&|all| all.requests),
            failed: sum_of(&|all| all.failed),
            never_sent: turns.iter().map(|turn| count(turn.seen.never_sent)).sum(),
            turned_away: sum_of(&|all| all.turned_away),
            cpu_micros_per_request: median_of(&|turn| turn.cpu_micros / turn.requests),
            redis_commands_per_request: median_of(&|turn| turn.redis_commands / turn.requests),
            sql_statements_per_request: median_of(&|turn| turn.sql_statements / turn.requests),
            bytes_to_server_per_request: bytes_to_server,
            bytes_to_client_per_request: bytes_to_client,
            resident_memory: median_of(&|turn| turn.memory),
            line: line(turns, turn),
        }
    }

    /// The kind of request that the scenario is about.
    pub(super) fn main(&self) -> Option<&Kind> {
        self.kinds.first()
    }
}

fn kinds(turns: &[Turn], main: &str) -> Vec<Kind> {
    let mut names: Vec<&str> = vec![main];
    let seen = turns.iter().flat_map(|turn| turn.seen.summaries.iter().skip(1));
    for summary in seen.clone() {
        if !names.contains(&summary.kind.as_str()) {
            names.push(&summary.kind);
        }
    }
    let kind = |name: &str| {
        let of_kind: Vec<&Summary> = seen.clone().filter(|summary| summary.kind == name).collect();
        let median_of = |value: &dyn Fn(&Summary) -> f64| median(&of_kind.iter().map(|s| value(s)).collect::<Vec<_>>());
        let percentiles = of_kind.first().map_or(&[][..], |summary| &summary.latency.percentiles).iter().enumerate();
        Kind {
            kind: name.to_owned(),
            requests: of_kind.iter().map(|summary| count(summary.requests)).sum(),
            p50: median_of(&|summary| summary.latency.p50),
            p95: median_of(&|summary| summary.latency.p95),
            p99: median_of(&|summary| summary.latency.p99),
            max: of_kind.iter().map(|summary| summary.latency.max).fold(0.0, f64::max),
            percentiles: percentiles
                .map(|(index, &(percentile, _))| {
                    let value =
                        |summary: &Summary| summary.latency.percentiles.get(index).map_or(f64::NAN, |pair| pair.1);
                    (percentile, median_of(&value))
                })
                .collect(),
        }
    };
    names.into_iter().map(kind).collect()
}

/// The rounds, one after the other at the same places in each mode.
fn line(turns: &[Turn], turn: Duration) -> Vec<Stretch> {
    let mut line = Vec::new();
    for (place, seen) in turns.iter().map(|turn| &turn.seen).enumerate() {
        let offset = count(place) * turn.as_secs_f64() * 1000.0;
        line.extend(seen.line.iter().map(|stretch| Stretch { at: offset + stretch.at, ..stretch.clone() }));
    }
    line.sort_by(|one: &Stretch, other| one.at.total_cmp(&other.at));
    line
}

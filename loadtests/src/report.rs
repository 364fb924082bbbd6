//! What is said of an attack, in JSON and for a person.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use goose::prelude::GooseMetrics;
use serde::Serialize;

use crate::sample::{self, End, Stretch, Summary};
use crate::scenarios::ScenarioName;
use crate::visitor::Attack;

/// All that was seen of an attack. Latencies are in microseconds.
#[derive(Serialize)]
pub(crate) struct Report {
    users: usize,
    /// Requests per second that were asked for; null where each user asked again once there was an answer.
    rate: Option<f64>,
    /// What was measured: until the last answer, which is a little longer than was asked for.
    seconds: f64,
    /// Those that were served.
    requests_per_second: f64,
    /// Those that were due, and still weren't sent when it had taken twice as long as it should.
    never_sent: usize,
    /// Of all requests, and then of each kind.
    summaries: Vec<Summary>,
    line: Vec<Stretch>,
    /// What went wrong, and how often: also before and after what was measured.
    failures: BTreeMap<String, usize>,
    /// The requests that goose itself counted by kind, those before and after included.
    goose: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn new(scenario: ScenarioName, attack: &Attack, metrics: &GooseMetrics) -> Self {
        let (mut samples, mut failures, never_sent) = attack.outcome.take();
        samples.sort_by_key(|sample| sample.at);
        let last = samples.iter().map(|sample| sample.at + sample.latency).max().unwrap_or(Duration::ZERO);
        let asked_for = if attack.cycles.is_some() { Duration::ZERO } else { attack.window.length() };
        let seconds = last.max(asked_for).as_secs_f64();
        let summaries = sample::summaries(&samples);
        let turned_away = summaries.first().map_or(0, |all| all.turned_away);
        if turned_away > 0 && !scenario.may_overload() {
            failures.insert("turned away with 503 overloaded".into(), turned_away);
        }
        let served = samples.iter().filter(|sample| sample.end == End::Served).count();
        if samples.is_empty() {
            failures.insert("nothing was asked for".into(), 1);
        }
        let counted = metrics.requests.values().map(|request| (request.path.to_string(), request.raw_data.counter));
        Self {
            users: attack.users,
            rate: attack.rate,
            seconds,
            #[expect(clippy::cast_precision_loss, reason = "nobody counts up to 2^53 requests")]
            requests_per_second: served as f64 / seconds,
            never_sent,
            summaries,
            line: sample::line(&samples),
            failures,
            goose: counted.collect(),
        }
    }

    /// Whether the server did all that it should.
    pub(crate) fn is_fine(&self) -> bool {
        self.failures.is_empty()
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let manner = match self.rate {
            Some(rate) => {
                format!("requests are due at a rate of {rate} per second; latency counts from when they were due")
            }
            None => {
                "each user asks again once there is an answer; a stall is seen by no more requests than users".into()
            }
        };
        let Self { users, seconds, requests_per_second, .. } = self;
        // Writing into a String doesn't fail.
        let _ = writeln!(text, "{users} users, {seconds:.1} s, {requests_per_second:.0} requests/s ({manner})\n");
        let _ = writeln!(
            text,
            "{:10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "", "requests", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"
        );
        for Summary { kind, requests, failed, latency, .. } in &self.summaries {
            let [p50, p95, p99, max] = [latency.p50, latency.p95, latency.p99, latency.max].map(milliseconds);
            let _ = writeln!(text, "{kind:10}{requests:>10}{failed:>10}{p50:>10}{p95:>10}{p99:>10}{max:>10}");
        }
        if let Some(turned_away) = self.summaries.first().map(|all| all.turned_away).filter(|&count| count > 0) {
            let _ = writeln!(text, "\nturned away with 503 overloaded, and came again: {turned_away}");
        }
        if self.never_sent > 0 {
            let _ = writeln!(text, "\ndue, but never sent: {}", self.never_sent);
        }
        for (why, count) in &self.failures {
            let _ = writeln!(text, "\nfailed {count} times: {why}");
        }
        text
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{:.3}", Duration::from_micros(micros).as_secs_f64() * 1000.0)
}

//! Users, who are `markt-loadtests`': started, driven, and heard.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use crate::cli::Error;
use crate::tied;

/// How long an attack may take beside what it measures: users log in before, and log out after.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, and what each attack of it needs.
pub(super) struct Goose {
    program: PathBuf,
    accounts: PathBuf,
    folder: PathBuf,
    attacks: AtomicU32,
}

/// What users are to do.
pub(super) struct Order {
    /// The scenario's name in `loadtests/`.
    pub(super) scenario: &'static str,
    pub(super) users: u32,
    /// Requests per second of all of them, each due at a set time.
    pub(super) rate: Option<u32>,
    /// How often each of them, if that is what ends it.
    pub(super) cycles: Option<u32>,
    /// How long, at most if there are `cycles`.
    pub(super) length: Duration,
}

/// What the users saw. Latencies are in microseconds.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) requests_per_second: f64,
    /// Those that were due, and that there was no time for.
    pub(super) never_sent: u64,
    /// Of all requests, and then of each kind.
    pub(super) summaries: Vec<Summary>,
    pub(super) line: Vec<Stretch>,
    /// What went wrong, and how often.
    pub(super) failures: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
pub(super) struct Summary {
    pub(super) kind: String,
    pub(super) requests: u64,
    pub(super) turned_away: u64,
    pub(super) failed: u64,
    pub(super) latency: Latency,
}

#[derive(Deserialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    /// Pairs of a percentile and its value.
    pub(super) percentiles: Vec<(f64, f64)>,
}

/// A stretch of time: when it began, in milliseconds, and the latencies of what began in it.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Stretch {
    pub(super) at: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// What was seen, from both sides: the users', and before and after by whoever looked at the server.
pub(super) struct Attack<T> {
    pub(super) seen: Seen,
    pub(super) before: T,
    pub(super) after: T,
}

impl Goose {
    pub(super) fn new(program: &Path, accounts: PathBuf, folder: &Path) -> Self {
        Self { program: program.to_owned(), accounts, folder: folder.to_owned(), attacks: AtomicU32::new(0) }
    }

    /// Has it done, and looks at the server when all users are there and when they have stopped.
    ///
    /// # Errors
    /// If the program ends without a report, or the server can't be looked at. What users saw go wrong is in the report.
    pub(super) async fn attack<T>(
        &self,
        host: &str,
        order: Order,
        look: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<Attack<T>, Error> {
        let attack = timeout(order.length + PATIENCE, self.attack_unlimited(host, &order, look));
        attack.await.map_err(|_| format!("the users of `{}` didn't come to an end", order.scenario))?
    }

    async fn attack_unlimited<T>(
        &self,
        host: &str,
        order: &Order,
        look: impl AsyncFn() -> Result<T, Error>,
    ) -> Result<Attack<T>, Error> {
        let Order { scenario, users, rate, cycles, length } = order;
        // Several may run at once.
        let log = self.folder.join(format!("loadtests-{}.log", self.attacks.fetch_add(1, Ordering::Relaxed)));
        let mut command = Command::from(tied::command(self.program.as_os_str())?);
        command.arg(scenario).args(["--json", "--driven", "--host", host, "--accounts"]).arg(&self.accounts);
        command.args(["--users", &users.to_string(), "--seconds", &length.as_secs_f64().to_string()]);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if let Some(cycles) = cycles {
            command.args(["--cycles", &cycles.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log)?).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().ok_or("a process has no standard input")?;
        let output = child.stdout.take().ok_or("a process has no standard output")?;
        let mut lines = BufReader::new(output).lines();
        wait_for(&mut lines, "ready", &log).await?;
        let before = look().await?;
        input.write_all(b"\n").await?;
        wait_for(&mut lines, "done", &log).await?;
        let after = look().await?;
        input.write_all(b"\n").await?;
        let seen = next(&mut lines, &log).await?;
        child.wait().await?;
        Ok(Attack { seen: serde_json::from_value(seen)?, before, after })
    }
}

type Said = Lines<BufReader<ChildStdout>>;

async fn wait_for(lines: &mut Said, event: &str, log: &Path) -> Result<(), Error> {
    let said = next(lines, log).await?;
    if said["event"] == event { Ok(()) } else { Err(format!("markt-loadtests says {said}, not {event}").into()) }
}

/// The next line of JSON; goose has its own to say between them.
async fn next(lines: &mut Said, log: &Path) -> Result<Value, Error> {
    while let Some(line) = lines.next_line().await? {
        if line.starts_with('{') {
            return Ok(serde_json::from_str(&line)?);
        }
    }
    let log = std::fs::read_to_string(log).unwrap_or_default();
    Err(format!("markt-loadtests ended without a report: {log}").into())
}

//! The service with sessions against the service with tokens, under the same load.
//!
//! All modes run at the same time and take turns, so that a noisy machine hurts all alike. Users are those of
//! `loadtests/`; what they can't tell, wrk does.

mod figures;
mod goose;
mod mode;
mod node;
mod progress;
mod relay;
mod report;
mod revocation;
mod scenario;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::task::JoinSet;

use self::figures::{Figures, Turn};
use self::goose::{Goose, Order};
use self::mode::{MODES, Mode};
use self::node::{Stores, url, write_accounts};
use self::progress::Progress;
use self::relay::Relay;
use self::report::{Ceiling, Comparison, LetIn, Measured};
use self::revocation::{Bounds, End, Pair, Trial};
use self::scenario::{SCENARIOS, Scenario};
use crate::cli::Error;
use crate::population::Member;
use crate::service::{Server, log_in};
use crate::signals;
use crate::statistics::{count, median};
use crate::wrk::{Clients, Load, Wrk};

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scale {
    /// For the record: within 15 minutes
    Full,
    /// For a look: within 2 minutes
    Quick,
    /// To see that it works: what it measures means nothing
    Check,
}

struct Lengths {
    rounds: usize,
    turn: Duration,
    /// wrk's turns, in seconds; 0 for none.
    ceiling: u32,
    /// How often something is ended, for each way of ending it.
    trials: usize,
    bounds: Bounds,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
            Self::Check => "check",
        }
    }

    fn lengths(self) -> Lengths {
        let bounds = |token_life, user_copy_life| Bounds {
            token_life: Duration::from_secs(token_life),
            user_copy_life: Duration::from_secs(user_copy_life),
        };
        match self {
            Self::Full => Lengths {
                rounds: 5,
                turn: Duration::from_millis(2_700),
                ceiling: 2,
                trials: 50,
                bounds: bounds(75, 60),
            },
            Self::Quick => {
                Lengths { rounds: 2, turn: Duration::from_millis(500), ceiling: 1, trials: 10, bounds: bounds(20, 8) }
            }
            Self::Check => {
                Lengths { rounds: 1, turn: Duration::from_millis(300), ceiling: 0, trials: 1, bounds: bounds(6, 2) }
            }
        }
    }
}

/// How long a turn may take that is ended by cycles.
const LONGEST_TURN: Duration = Duration::from_secs(60);

/// How many users there are where only what is on the wire is counted.
const COUNTED_USERS: u32 = 2;

/// Whom wrk is: somebody whom no scenario has so many users as to reach, or logins would push the session out.
const WRK_USER: u32 = node::USERS - 1;

/// How many callers with tokens that nothing ends are watched, for each way of ending.
const LINGERING: usize = 3;

/// Compares, and writes the report into a folder. Exits with 1 if the service failed somewhere.
pub(crate) async fn run(scale: Scale, loadtests: &Path, folder: &Path) -> Result<ExitCode, Error> {
    let temporary = tempfile::Builder::new().prefix("markt-compare-").tempdir()?;
    // What is found there afterwards is of this run.
    report::remove(folder)?;
    let mut stores = Vec::new();
    // What comparing started ends with it, also when it is given up on.
    let compared = tokio::select! {
        compared = compare(scale, loadtests, temporary.path(), &mut stores) => compared,
        ended = signals::told_to_end() => Err(ended.err().unwrap_or_else(|| "interrupted".into())),
    };
    let mut dropped = Ok(());
    for stores in stores.into_iter().filter_map(Arc::into_inner) {
        dropped = stores.drop().await.and(dropped);
    }
    let comparison = compared?;
    report::write(&comparison, folder)?;
    print!("{}", report::summary(&comparison));
    println!("The report: {}", folder.join("report.html").display());
    for failure in &comparison.failures {
        eprintln!("FAILED: {failure}");
    }
    dropped?;
    Ok(if comparison.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A mode's process under load, and what was found of it.
struct Lane {
    stores: Arc<Stores>,
    server: Server,
    clients: Clients,
    /// For each scenario, the bytes of a request, both ways.
    bytes: Vec<[f64; 2]>,
    /// For each scenario, its turns.
    turns: Vec<Vec<Turn>>,
    ceilings: Vec<Load>,
}

/// All that is found, as far as it is.
struct Found {
    lanes: Vec<Lane>,
    trials: Vec<Trial>,
    failures: Vec<String>,
}

/// Makes the stores that it needs, and compares. Once every mode serves, there is a report, whatever fails.
async fn compare(
    scale: Scale,
    loadtests: &Path,
    folder: &Path,
    stores: &mut Vec<Arc<Stores>>,
) -> Result<Comparison, Error> {
    let lengths = scale.lengths();
    let ceilings = if lengths.ceiling > 0 { MODES.len() } else { 0 };
    let mut progress = Progress::new(lengths.rounds * (MODES.len() * SCENARIOS.len() + ceilings));
    let accounts = folder.join("accounts");
    write_accounts(&accounts)?;
    let goose = Goose::new(loadtests, accounts, folder);
    let wrk = Wrk::new(folder)?;

    progress.say("starting a process of each mode");
    let mut lanes = Vec::new();
    for mode in MODES {
        let for_load = Arc::new(Stores::create(folder, mode, "load").await?);
        stores.push(Arc::clone(&for_load));
        lanes.push(Lane::start(for_load).await?);
    }
    let mut found = Found { lanes, trials: Vec::new(), failures: Vec::new() };
    let measured = measure(&lengths, folder, stores, &goose, &wrk, &mut progress, &mut found).await;
    progress.end();
    found.failures.extend(measured.err().map(|error| error.to_string()));
    Ok(comparison(scale, &lengths, found, progress.elapsed()))
}

async fn measure(
    lengths: &Lengths,
    folder: &Path,
    stores: &mut Vec<Arc<Stores>>,
    goose: &Goose,
    wrk: &Wrk,
    progress: &mut Progress,
    found: &mut Found,
) -> Result<(), Error> {
    progress.say("ending logins, and knocking with what they gave");
    let (mut lingering, mut pairs) = (JoinSet::new(), Vec::new());
    // Those first whose tokens live on: they are watched from here on, while other things are measured.
    let (outliving, ending): (Vec<Mode>, Vec<Mode>) = MODES.iter().partition(|mode| mode.outlives_revocation());
    for mode in outliving.into_iter().chain(ending) {
        let for_ends = Arc::new(Stores::create(folder, mode, "ends").await?);
        stores.push(Arc::clone(&for_ends));
        let mut pair = Pair::start(for_ends, lengths.bounds).await?;
        for end in End::ALL {
            if mode.outlives_revocation() {
                for _ in 0..LINGERING.min(lengths.trials) {
                    pair.begin(end, &mut lingering).await?;
                }
                continue;
            }
            for _ in 0..lengths.trials {
                let mut one = JoinSet::new();
                pair.begin(end, &mut one).await?;
                found.trials.extend(all(one).await?);
            }
        }
        if mode.outlives_revocation() {
            // Its processes go on until their last caller has been refused.
            pairs.push(pair);
        }
    }

    progress.say("counting what is on the wire");
    // All at once: nothing is timed. What has been started was started by this thread, and so must these be.
    let counted = try_join_all(found.lanes.iter().map(|lane| bytes_per_request(goose, lane))).await?;
    for (lane, (bytes, failures)) in found.lanes.iter_mut().zip(counted) {
        lane.bytes = bytes;
        found.failures.extend(failures);
    }

    take_turns(lengths, goose, wrk, progress, found).await?;

    if !lingering.is_empty() {
        progress.say("waiting until the last token has expired");
    }
    found.trials.extend(all(lingering).await?);
    Ok(())
}

/// The rounds, each of which begins with another mode.
async fn take_turns(
    lengths: &Lengths,
    goose: &Goose,
    wrk: &Wrk,
    progress: &mut Progress,
    found: &mut Found,
) -> Result<(), Error> {
    let start = Instant::now();
    for round in 0..lengths.rounds {
        for (index, scenario) in SCENARIOS.iter().enumerate() {
            for offset in 0..MODES.len() {
                let lane = &mut found.lanes[(round + offset) % MODES.len()];
                progress.turn(start, &format!("{}, {}", scenario.title, lane.stores.mode.title()));
                let turn = lane.turn(goose, scenario, lengths.turn).await?;
                lane.turns[index].push(turn);
            }
        }
        for offset in 0..MODES.len() {
            if lengths.ceiling == 0 {
                break;
            }
            let lane = &mut found.lanes[(round + offset) % MODES.len()];
            progress.turn(start, &format!("profile by wrk, {}", lane.stores.mode.title()));
            let load = wrk.load(&mut lane.server, &lane.clients, lengths.ceiling).await?;
            lane.ceilings.push(load);
        }
    }
    Ok(())
}

impl Lane {
    async fn start(stores: Arc<Stores>) -> Result<Self, Error> {
        let server = stores.serve("under load", &stores.mode.variables()).await?;
        stores.populate(&server).await?;
        let credential = log_in(&mut server.connect().await?, &Member(WRK_USER).email()).await?;
        Ok(Self {
            stores,
            server,
            clients: Clients::One(credential.line()),
            bytes: Vec::new(),
            turns: SCENARIOS.iter().map(|_| Vec::new()).collect(),
            ceilings: Vec::new(),
        })
    }

    /// Has users do something with it.
    async fn turn(&mut self, goose: &Goose, scenario: &Scenario, length: Duration) -> Result<Turn, Error> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
        let cycles = scenario.cycles_per_second.map(|cycles| (cycles * length.as_secs_f64()).ceil() as u32);
        let order = Order {
            scenario: scenario.goose,
            users: scenario.users,
            rate: scenario.rate,
            cycles,
            length: if cycles.is_some() { LONGEST_TURN } else { length },
        };
        let (stores, server) = (&self.stores, &self.server);
        let attack = goose.attack(&url(server.address), order, async || stores.counters(server).await).await;
        // If it has ended, that is why users failed.
        self.server.process.check()?;
        Ok(Turn::new(attack?))
    }
}

async fn all(mut trials: JoinSet<Result<Trial, Error>>) -> Result<Vec<Trial>, Error> {
    let mut ended = Vec::new();
    while let Some(trial) = trials.join_next().await {
        ended.push(trial??);
    }
    Ok(ended)
}

/// For each scenario, what passes a relay in front of the server, both ways, by the requests that users count; and what
/// went wrong meanwhile.
async fn bytes_per_request(goose: &Goose, lane: &Lane) -> Result<(Vec<[f64; 2]>, Vec<String>), Error> {
    let relay = Relay::to(lane.server.address.to_string()).await?;
    let (mut bytes, mut failures) = (Vec::new(), Vec::new());
    for scenario in &SCENARIOS {
        let order = Order {
            scenario: scenario.goose,
            users: COUNTED_USERS,
            rate: None,
            cycles: Some(scenario.counted_cycles),
            length: LONGEST_TURN,
        };
        let attack = goose.attack(&url(relay.address()), order, async || Ok(relay.bytes())).await?;
        let requests = attack.seen.summaries.first().map_or(0.0, |all| count(all.requests));
        let passed =
            [attack.after.to_server - attack.before.to_server, attack.after.to_client - attack.before.to_client];
        bytes.push(passed.map(|bytes| count(bytes) / requests));
        let what = format!("{}, {}, through a relay", scenario.title, lane.stores.mode.title());
        failures.extend(attack.seen.failures.into_iter().map(|(why, times)| format!("{what}: {why} ({times} times)")));
    }
    Ok((bytes, failures))
}

fn comparison(scale: Scale, lengths: &Lengths, found: Found, took: Duration) -> Comparison {
    let Found { lanes, trials, mut failures } = found;
    let mut measured = Vec::new();
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        for lane in &lanes {
            let (mode, turns) = (lane.stores.mode, &lane.turns[index]);
            for (why, times) in turns.iter().flat_map(Turn::failures) {
                failures.push(format!("{}, {}: {why} ({times} times)", scenario.title, mode.title()));
            }
            let bytes = lane.bytes.get(index).copied().unwrap_or([f64::NAN; 2]);
            let figures = Figures::of(turns, lengths.turn, scenario.main, bytes);
            measured.push(Measured { scenario: scenario.id, mode: mode.id(), figures });
        }
    }
    let ceilings = lanes.iter().filter(|lane| !lane.ceilings.is_empty()).map(|lane| Ceiling {
        mode: lane.stores.mode.id(),
        requests_per_second: median(&lane.ceilings.iter().map(|load| load.per_second).collect::<Vec<_>>()),
        latencies: [0, 1, 2]
            .map(|index| median(&lane.ceilings.iter().map(|load| load.latencies[index]).collect::<Vec<_>>())),
    });
    let let_in = MODES.iter().flat_map(|&mode| End::ALL.map(|end| LetIn::of(mode, end, &trials, lengths.bounds)));
    Comparison {
        scale: scale.name(),
        rounds: lengths.rounds,
        turn_seconds: lengths.turn.as_secs_f64(),
        took_seconds: took.as_secs_f64(),
        machine: report::Machine::here(),
        modes: MODES.iter().map(|mode| report::ModeNames { id: mode.id(), title: mode.title() }).collect(),
        scenarios: &SCENARIOS,
        measured,
        ceilings: ceilings.collect(),
        let_in: let_in.collect(),
        failures,
    }
}

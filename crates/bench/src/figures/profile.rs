//! Profiles: what the service makes of a core, against servers that do less.
//!
//! Servers take turns, for a second each, so that whatever else the machine does hits all of them alike. What counts is
//! the median, over all rounds, of the ratio within a round.

use std::time::Duration;

use crate::cli::Error;
use crate::service::Server;
use crate::statistics::{median, median_ratio};
use crate::table::{Bar, Figure};
use crate::wrk::{Clients, Wrk};

/// How long one server is under load before the next one's turn.
const TURN_SECONDS: u32 = 1;

/// What takes turns.
pub(crate) struct Lane<'a> {
    pub(crate) server: &'a mut Server,
    pub(crate) clients: Clients,
}

/// The servers, by what is compared with what.
pub(crate) struct Lanes<'a> {
    pub(crate) bare: Lane<'a>,
    pub(crate) hs256: Lane<'a>,
    pub(crate) one_get: Lane<'a>,
    /// The service where clients hold tokens.
    pub(crate) jwt: Lane<'a>,
    /// The service with its near cache and without, asked by one client.
    pub(crate) on: Lane<'a>,
    pub(crate) off: Lane<'a>,
}

/// The service with few sessions in Redis and with many, asked by the same clients in turn.
pub(crate) struct Sizes<'a> {
    pub(crate) few: [Lane<'a>; 2],
    pub(crate) many: [Lane<'a>; 2],
}

/// One server's turn.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) requests: f64,
    per_second: f64,
    cpu_microseconds: f64,
}

/// The turns of one server, one for each round.
pub(super) struct Turns(pub(super) Vec<Turn>);

impl Turns {
    fn all(&self, part: fn(&Turn) -> f64) -> Vec<f64> {
        self.0.iter().map(part).collect()
    }

    /// This server's figure in terms of the other's: the median of the rounds' ratios.
    fn against(&self, other: &Self, part: fn(&Turn) -> f64) -> f64 {
        median_ratio(&self.all(part), &other.all(part))
    }

    pub(super) fn throughput(&self, other: &Self, name: &str, bar: Option<Bar>) -> Figure {
        let per_second: fn(&Turn) -> f64 = |turn| turn.per_second;
        let [own, others] = [self, other].map(|turns| median(&turns.all(per_second)));
        Figure {
            name: format!("{name}: requests/s"),
            value: self.against(other, per_second),
            details: format!("{own:.0} against {others:.0}"),
            bar,
        }
    }

    pub(super) fn cpu_time(&self, other: &Self, name: &str, bar: Option<Bar>) -> Figure {
        let cpu: fn(&Turn) -> f64 = |turn| turn.cpu_microseconds;
        let [own, others] = [self, other].map(|turns| median(&turns.all(cpu)));
        Figure {
            name: format!("{name}: CPU/request"),
            value: self.against(other, cpu),
            details: format!("{own:.1} against {others:.1} µs"),
            bar,
        }
    }
}

/// The service against the servers that do less.
pub(crate) async fn against_references(wrk: &Wrk, lanes: Lanes<'_>, rounds: usize) -> Result<Vec<Figure>, Error> {
    let Lanes { bare, hs256, one_get, jwt, on, off } = lanes;
    let [bare, hs256, one_get, jwt, on, off] = take_turns(wrk, [bare, hs256, one_get, jwt, on, off], rounds).await?;
    let name = "profile, near cache on, against a bare handler";
    let mut figures =
        vec![on.throughput(&bare, name, Some(Bar::AtLeast(0.85))), on.cpu_time(&bare, name, Some(Bar::AtMost(1.2)))];
    let name = "profile, near cache on, against the service's own tokens, HS256";
    figures.extend([on.throughput(&jwt, name, Some(Bar::AtLeast(1.0))), on.cpu_time(&jwt, name, None)]);
    let name = "profile, near cache on, against a bare handler that verifies HS256";
    figures.extend([on.throughput(&hs256, name, None), on.cpu_time(&hs256, name, None)]);
    let name = "profile, near cache off, against one GET";
    figures.extend([off.throughput(&one_get, name, Some(Bar::AtLeast(0.85))), off.cpu_time(&one_get, name, None)]);
    Ok(figures)
}

/// The service with many sessions in Redis against the service with few.
pub(crate) async fn against_fewer(
    wrk: &Wrk,
    sizes: Sizes<'_>,
    names: [&str; 2],
    rounds: usize,
) -> Result<Vec<Figure>, Error> {
    let Sizes { few: [on_few, off_few], many: [on_many, off_many] } = sizes;
    let [on_few, off_few, on_many, off_many] = take_turns(wrk, [on_few, off_few, on_many, off_many], rounds).await?;
    let [few, many] = names;
    let name = |near_cache: &str| format!("profile, near cache {near_cache}, {many} sessions against {few}");
    let bar = Bar::Within(0.1);
    Ok(vec![
        on_many.throughput(&on_few, &name("on"), Some(bar)),
        on_many.cpu_time(&on_few, &name("on"), Some(bar)),
        off_many.throughput(&off_few, &name("off"), Some(bar)),
        off_many.cpu_time(&off_few, &name("off"), Some(bar)),
    ])
}

/// The turns of all, after one that doesn't count.
async fn take_turns<const N: usize>(wrk: &Wrk, mut lanes: [Lane<'_>; N], rounds: usize) -> Result<[Turns; N], Error> {
    let mut turns = [const { Turns(Vec::new()) }; N];
    for lane in &mut lanes {
        take_turn(wrk, lane).await?;
    }
    for round in 0..rounds {
        // Whoever comes after an expensive one must not always be the same.
        for index in (0..N).map(|index| (index + round) % N) {
            turns[index].0.push(take_turn(wrk, &mut lanes[index]).await?);
        }
    }
    Ok(turns)
}

pub(super) async fn take_turn(wrk: &Wrk, lane: &mut Lane<'_>) -> Result<Turn, Error> {
    let before = lane.server.process.cpu_time()?;
    let load = wrk.load(lane.server, &lane.clients, TURN_SECONDS).await?;
    let used: Duration = lane.server.process.cpu_time()? - before;
    let cpu_microseconds = used.as_secs_f64() * 1e6 / load.requests;
    Ok(Turn { requests: load.requests, per_second: load.per_second, cpu_microseconds })
}

//! Processes side by side on one machine: the service's, and of a plain server that asks Redis the same.
//!
//! The machine's cores are shared by all of them and by those who ask. So their number can't make more of the machine
//! than one process does: what counts is that a request costs no more CPU time when there are more of them. What it costs
//! the plain server more is what the machine makes of more processes, and none of the service's doing.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::cli::Error;
use crate::database::Database;
use crate::http::Credential;
use crate::population::session_id;
use crate::redis::Redis;
use crate::service::{NearCache, ORIGINAL, Server, log_in, register_original};
use crate::statistics::median;
use crate::table::{Bar, Figure};
use crate::wrk::{Clients, Wrk};

/// How many there are.
const NUMBERS: [usize; 3] = [1, 2, 4];

/// How long each number is under load before the next one's turn.
const TURN_SECONDS: u32 = 2;

/// What so many processes did in their turns.
#[derive(Default)]
struct Turns {
    per_second: Vec<f64>,
    cpu_microseconds: Vec<f64>,
}

/// As many processes of one kind as there ever are, and what each number of them did.
struct Processes {
    name: &'static str,
    servers: Vec<Server>,
    turns: [Turns; NUMBERS.len()],
}

impl Processes {
    /// Starts them, each by its name.
    async fn start(name: &'static str, start: impl AsyncFn(&str) -> Result<Server, Error>) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for number in 0..NUMBERS.into_iter().max().unwrap_or_default() {
            servers.push(start(&format!("{name}, process {number}")).await?);
        }
        Ok(Self { name, servers, turns: NUMBERS.map(|_| Turns::default()) })
    }

    /// All that so many of them do together, and what each request costs them.
    async fn take_turn(&mut self, number: usize, wrk: &Wrk, clients: &Clients) -> Result<(f64, f64), Error> {
        let servers = &mut self.servers[..number];
        let cpu_time =
            |servers: &[Server]| servers.iter().map(|server| server.process.cpu_time()).sum::<Result<_, Error>>();
        let before: Duration = cpu_time(servers)?;
        let loads = try_join_all(servers.iter_mut().map(|server| wrk.load(server, clients, TURN_SECONDS))).await?;
        let used: Duration = cpu_time(servers)? - before;
        let requests: f64 = loads.iter().map(|load| load.requests).sum();
        Ok((loads.iter().map(|load| load.per_second).sum(), used.as_secs_f64() * 1e6 / requests))
    }

    /// What a request costs so many of them in terms of one, round by round.
    fn growth(&self, index: usize) -> impl Iterator<Item = f64> {
        let [many, one] = [index, 0].map(|index| &self.turns[index].cpu_microseconds);
        many.iter().zip(one).map(|(many, one)| many / one)
    }

    fn figures(&self, bar: Option<Bar>) -> impl Iterator<Item = Figure> {
        let [one, more @ ..] = &self.turns;
        let name = |number| format!("profile, {}, {number} processes", self.name);
        NUMBERS[1..].iter().zip(more).flat_map(move |(number, many)| against_one(&name(number), one, many, bar))
    }
}

pub(super) async fn measure(folder: &Path, database: &Database, rounds: usize) -> Result<Vec<Figure>, Error> {
    let redis = Redis::start("Redis", folder).await?;
    let wrk = Wrk::new(folder)?;
    let service = async |name: &str, near_cache| Server::service(name, folder, database, &redis, near_cache).await;
    let on = Processes::start("near cache on", async |name| service(name, NearCache::On).await).await?;
    let off = Processes::start("near cache off", async |name| service(name, NearCache::Off).await).await?;
    let credential = original(&on.servers[0]).await?;
    let answer = folder.join("answer.json");
    on.servers[0].record_profile(&credential).await?.write(&answer)?;
    let key = format!("session:{}", session_id(&credential));
    let arguments = ["one-get", "--redis", redis.url(), "--key", &key];
    let one_get =
        Processes::start("one GET", async |name| Server::reference(name, folder, &answer, &arguments).await).await?;

    let clients = Clients::One(credential.line());
    let mut all = [on, off, one_get];
    for round in 0..=rounds {
        for (index, number) in NUMBERS.into_iter().enumerate() {
            for processes in &mut all {
                let (per_second, cpu_microseconds) = processes.take_turn(number, &wrk, &clients).await?;
                // The first one doesn't count.
                if round > 0 {
                    processes.turns[index].per_second.push(per_second);
                    processes.turns[index].cpu_microseconds.push(cpu_microseconds);
                }
            }
        }
    }
    let [on, off, one_get] = &all;
    let bar = Some(Bar::AtMost(1.1));
    Ok(on
        .figures(bar)
        .chain(off.figures(None))
        .chain(one_get.figures(None))
        .chain(in_terms_of(off, one_get, bar))
        .collect())
}

/// Makes a user who logs in, and returns what opens the session.
async fn original(server: &Server) -> Result<Credential, Error> {
    let mut connection = server.connect().await?;
    register_original(&mut connection).await?;
    log_in(&mut connection, ORIGINAL).await
}

/// How much more a request costs when there are more processes, in terms of how much more it costs plain ones.
fn in_terms_of(own: &Processes, plain: &Processes, bar: Option<Bar>) -> impl Iterator<Item = Figure> {
    NUMBERS.into_iter().enumerate().skip(1).map(move |(index, number)| {
        let ratios: Vec<f64> = own.growth(index).zip(plain.growth(index)).map(|(own, plain)| own / plain).collect();
        Figure {
            name: format!("the same for {number} processes, {} in terms of {}: CPU/request", own.name, plain.name),
            value: median(&ratios),
            details: String::new(),
            bar,
        }
    })
}

fn against_one(name: &str, one: &Turns, many: &Turns, bar: Option<Bar>) -> [Figure; 2] {
    let ratio = |of_many: &[f64], of_one: &[f64]| {
        let ratios: Vec<f64> = of_many.iter().zip(of_one).map(|(many, one)| many / one).collect();
        (median(&ratios), median(of_many), median(of_one))
    };
    let (throughput, many_per_second, per_second) = ratio(&many.per_second, &one.per_second);
    let (cpu, many_cpu, one_cpu) = ratio(&many.cpu_microseconds, &one.cpu_microseconds);
    [
        Figure {
            name: format!("{name} against one: requests/s"),
            value: throughput,
            details: format!("{many_per_second:.0} against {per_second:.0}"),
            bar: None,
        },
        Figure {
            name: format!("{name} against one: CPU/request"),
            value: cpu,
            details: format!("{many_cpu:.1} against {one_cpu:.1} µs"),
            bar,
        },
    ]
}

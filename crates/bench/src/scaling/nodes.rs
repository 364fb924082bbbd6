//! Processes of the service side by side on one machine.
//!
//! The machine's cores are shared by all of them and by those who ask. So their number can't make more of the machine
//! than one process does: what counts is that a request costs no more CPU time when there are more of them.

use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::cli::Error;
use crate::database::Database;
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

pub(super) async fn measure(folder: &Path, database: &Database, rounds: usize) -> Result<Vec<Figure>, Error> {
    let redis = Redis::start("Redis", folder).await?;
    let wrk = Wrk::new(folder)?;
    let mut figures = Vec::new();
    for (near_cache, name) in [(NearCache::On, "on"), (NearCache::Off, "off")] {
        let most = NUMBERS.into_iter().max().unwrap_or_default();
        let mut servers = Vec::new();
        for number in 0..most {
            let name = format!("near cache {name}, process {number}");
            servers.push(Server::service(&name, folder, database, &redis, near_cache).await?);
        }
        let mut connection = servers[0].connect().await?;
        if near_cache == NearCache::On {
            register_original(&mut connection).await?;
        }
        let clients = Clients::One(log_in(&mut connection, ORIGINAL).await?.line());
        let mut turns = NUMBERS.map(|_| Turns::default());
        for round in 0..=rounds {
            for (number, turns) in NUMBERS.into_iter().zip(&mut turns) {
                let (per_second, cpu_microseconds) = take_turn(&wrk, &mut servers[..number], &clients).await?;
                // The first one doesn't count.
                if round > 0 {
                    turns.per_second.push(per_second);
                    turns.cpu_microseconds.push(cpu_microseconds);
                }
            }
        }
        let [one, more @ ..] = &turns;
        for (number, many) in NUMBERS[1..].iter().zip(more) {
            figures.extend(against_one(&format!("profile, near cache {name}, {number} processes"), one, many));
        }
    }
    Ok(figures)
}

/// All that so many processes do together, and what each request costs them.
async fn take_turn(wrk: &Wrk, servers: &mut [Server], clients: &Clients) -> Result<(f64, f64), Error> {
    let cpu_time =
        |servers: &[Server]| servers.iter().map(|server| server.process.cpu_time()).sum::<Result<_, Error>>();
    let before: Duration = cpu_time(servers)?;
    let loads = try_join_all(servers.iter_mut().map(|server| wrk.load(server, clients, TURN_SECONDS))).await?;
    let used: Duration = cpu_time(servers)? - before;
    let requests: f64 = loads.iter().map(|load| load.requests).sum();
    Ok((loads.iter().map(|load| load.per_second).sum(), used.as_secs_f64() * 1e6 / requests))
}

fn against_one(name: &str, one: &Turns, many: &Turns) -> [Figure; 2] {
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
            bar: Some(Bar::AtMost(1.1)),
        },
    ]
}

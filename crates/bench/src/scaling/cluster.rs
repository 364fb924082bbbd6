//! A cluster with millions of sessions: whether they take what arithmetic says, are spread evenly, and leave the service as
//! fast as it was.

use std::path::Path;

use futures_util::future::try_join_all;

use super::shards::{Cluster, command, tags_of};
use crate::cli::Error;
use crate::database::Database;
use crate::redis::Redis;
use crate::service::{ORIGINAL, Server, log_in, register_original, variables};
use crate::statistics::{count, median};
use crate::table::{Bar, Figure};
use crate::wrk::{Clients, Wrk};

/// How many sessions are made at once: for some ten milliseconds nobody else is answered.
const BATCH: u32 = 2_000;

/// How many sessions the arithmetic begins with.
const SAMPLE: u32 = 60_000;

const TURN_SECONDS: u32 = 1;
const TURNS: usize = 15;

/// The service on a cluster, which it asks each time.
struct Deployment {
    cluster: Cluster,
    server: Server,
    clients: Clients,
    per_second: Vec<f64>,
    milliseconds_p99: Vec<f64>,
}

impl Deployment {
    async fn start(name: &str, folder: &Path, database: &Database) -> Result<Self, Error> {
        let cluster = Cluster::start(name, folder).await?;
        let near_cache_off = [("MARKT_SESSION__NEAR_CACHE__ENABLED", "false".to_owned())];
        let variables = variables(folder, database.url(), &cluster.url(), &near_cache_off);
        let server = Server::start(&format!("service, {name}"), folder, &variables).await?;
        Ok(Self {
            cluster,
            server,
            clients: Clients::One(String::new()),
            per_second: Vec::new(),
            milliseconds_p99: Vec::new(),
        })
    }

    async fn log_in(&mut self) -> Result<(), Error> {
        self.clients = Clients::One(log_in(&mut self.server.connect().await?, ORIGINAL).await?.line());
        Ok(())
    }

    async fn take_turn(&mut self, wrk: &Wrk) -> Result<(), Error> {
        let load = wrk.load(&mut self.server, &self.clients, TURN_SECONDS).await?;
        self.per_second.push(load.per_second);
        self.milliseconds_p99.push(load.latencies[2] / 1e3);
        Ok(())
    }
}

pub(super) async fn measure(folder: &Path, database: &Database, sessions: u32) -> Result<Vec<Figure>, Error> {
    let wrk = Wrk::new(folder)?;
    let mut few = Deployment::start("few sessions", folder, database).await?;
    let mut many = Deployment::start("many sessions", folder, database).await?;
    register_original(&mut few.server.connect().await?).await?;
    for deployment in [&mut few, &mut many] {
        deployment.log_in().await?;
    }

    let empty = many.cluster.used_memory().await?;
    fill(&many.cluster, 0, SAMPLE).await?;
    let sampled = many.cluster.used_memory().await?;
    fill(&many.cluster, SAMPLE, sessions).await?;
    let full = many.cluster.used_memory().await?;
    for _ in 0..TURNS {
        few.take_turn(&wrk).await?;
        many.take_turn(&wrk).await?;
    }
    let ratios: Vec<f64> = many.per_second.iter().zip(&few.per_second).map(|(many, few)| many / few).collect();
    let [many_per_second, few_per_second] = [&many, &few].map(|deployment| median(&deployment.per_second));
    let [many_p99, few_p99] = [&many, &few].map(|deployment| median(&deployment.milliseconds_p99));

    let grown = |after: &[u64]| after.iter().zip(&empty).map(|(after, before)| after - before).collect::<Vec<_>>();
    let (sampled, full) = (grown(&sampled), grown(&full));
    let each = |used: &[u64], sessions: u32| count(used.iter().sum::<u64>()) / f64::from(sessions);
    let (of_few, of_many) = (each(&sampled, SAMPLE), each(&full, sessions));
    let (fullest, average) = (full.iter().max().copied().unwrap_or_default(), full.iter().sum::<u64>() / 3);
    Ok(vec![
        Figure {
            name: format!("memory per session, {sessions} against {SAMPLE}"),
            value: of_many / of_few,
            details: format!("{of_many:.0} against {of_few:.0} bytes, short ones"),
            bar: Some(Bar::Within(0.1)),
        },
        Figure {
            name: "the fullest server against the average".into(),
            value: count(fullest) / count(average),
            details: format!(
                "{} MB each",
                full.iter().map(|bytes| (bytes >> 20).to_string()).collect::<Vec<_>>().join(", ")
            ),
            bar: Some(Bar::AtMost(1.1)),
        },
        Figure {
            name: format!("profile, near cache off, beside {sessions} sessions against none: requests/s"),
            value: median(&ratios),
            details: format!("{many_per_second:.0} against {few_per_second:.0}"),
            bar: Some(Bar::AtLeast(0.9)),
        },
        Figure {
            name: "the same: p99 ms".into(),
            value: many_p99,
            details: format!("{many_p99:.2} against {few_p99:.2}"),
            bar: None,
        },
    ])
}

/// Makes sessions from this number on to that one, on all servers at once, on each as many as it has tags.
async fn fill(cluster: &Cluster, first: u32, last: u32) -> Result<(), Error> {
    let tags: Vec<_> = (0..cluster.shards.len()).map(tags_of).collect();
    let all: usize = tags.iter().map(Vec::len).sum();
    try_join_all(cluster.shards.iter().zip(&tags).enumerate().map(|(number, (shard, tags))| async move {
        // Each server counts in a range of its own, so that no number is used twice.
        let base = u32::try_from(number)? * 1_000_000_000;
        let share =
            |sessions: u32| u32::try_from(u64::from(sessions) * u64::try_from(tags.len())? / u64::try_from(all)?);
        fill_one(shard, tags, base + share(first)?, base + share(last)?).await
    }))
    .await?;
    Ok(())
}

async fn fill_one(shard: &Redis, tags: &[String], first: u32, last: u32) -> Result<(), Error> {
    let script: String = command(shard, "SCRIPT", &["LOAD", include_str!("fill.lua")]).await?;
    for begin in (first..last).step_by(usize::try_from(BATCH)?) {
        let (begin, size) = (begin.to_string(), BATCH.min(last - begin).to_string());
        let mut words = vec![script.as_str(), "0", &begin, &size];
        words.extend(tags.iter().map(String::as_str));
        let _made: u32 = command(shard, "EVALSHA", &words).await?;
    }
    Ok(())
}

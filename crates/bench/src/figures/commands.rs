//! Commands to Redis for each profile, as Redis itself counts them.

use http::StatusCode;

use crate::cli::Error;
use crate::http::Credential;
use crate::redis::{Counts, Redis, added};
use crate::reference::PROFILE;
use crate::service::Server;
use crate::statistics::count;
use crate::table::{Bar, Figure};
use crate::wrk::{Clients, Wrk};

/// How many profiles are counted one by one.
const COUNTED: u32 = 10_000;

/// Without the near cache: one client asks, of whom nothing has to be written down meanwhile. Nobody else may use this
/// Redis.
pub(crate) async fn without_near_cache(
    redis: &Redis,
    server: &Server,
    cookie: &Credential,
) -> Result<Vec<Figure>, Error> {
    let mut connection = server.connect().await?;
    // What is read once is read before.
    connection.get(PROFILE, cookie).await?.expect(StatusCode::OK)?;
    let before = redis.counts().await?;
    for _ in 0..COUNTED {
        connection.get(PROFILE, cookie).await?.expect(StatusCode::OK)?;
    }
    let commands = added(&before, &redis.counts().await?);
    Ok(vec![Figure {
        name: "profile, near cache off: Redis commands/request".into(),
        value: total(&commands) / f64::from(COUNTED),
        details: format!("{} in {COUNTED} requests", shown(&commands)),
        bar: Some(Bar::Exactly(1.0)),
    }])
}

/// With the near cache: many clients take turns, and the time that it takes to fill the cache counts, too.
pub(crate) async fn with_near_cache(
    redis: &Redis,
    server: &mut Server,
    wrk: &Wrk,
    clients: &Clients,
    seconds: u32,
) -> Result<Vec<Figure>, Error> {
    let before = redis.counts().await?;
    let load = wrk.load(server, clients, seconds).await?;
    let commands = added(&before, &redis.counts().await?);
    Ok(vec![Figure {
        name: "profile, near cache on, 1,000 sessions in use: Redis commands/request".into(),
        value: total(&commands) / load.requests,
        details: format!("{} in {} requests", shown(&commands), load.requests),
        bar: Some(Bar::Below(0.05)),
    }])
}

fn total(commands: &Counts) -> f64 {
    count(commands.values().sum::<u64>())
}

fn shown(commands: &Counts) -> String {
    let shown: Vec<_> = commands.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if shown.is_empty() { "none".into() } else { shown.join(", ") }
}

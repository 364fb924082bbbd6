//! Memory: of a session in Redis, and of an entry in the near cache.

use http::StatusCode;
use tokio::task::JoinSet;

use crate::cli::Error;
use crate::population::{Member, Part, Pattern};
use crate::redis::Redis;
use crate::reference::PROFILE;
use crate::service::Server;
use crate::statistics::count;
use crate::table::{Bar, Figure};

/// Connections by which sessions are used.
const CONNECTIONS: u32 = 16;

/// Fills an empty Redis with sessions of as many users: with what lasts as long as they do, then with what is there for
/// some time after a login.
pub(crate) async fn of_session(redis: &Redis, pattern: &Pattern, sessions: u32) -> Result<Vec<Figure>, Error> {
    let mut per_session = [0.0; 2];
    for (part, used) in [Part::Lasting, Part::Passing].into_iter().zip(&mut per_session) {
        let before = redis.used_memory().await?;
        pattern.fill(redis.client(), sessions, part).await?;
        *used = count(redis.used_memory().await?.saturating_sub(before)) / f64::from(sessions);
    }
    let [lasting, passing] = per_session;
    Ok(vec![Figure {
        name: "Redis memory per session, with its index: bytes".into(),
        value: lasting,
        details: format!("{sessions} sessions, each of another user; {passing:.0} more for a while after a login"),
        bar: Some(Bar::AtMost(900.0)),
    }])
}

/// Has a fresh process use this many sessions of distinct users, after some others that have it grow to its working
/// size.
pub(crate) async fn of_entry(server: &mut Server, entries: u32, warm_up: u32) -> Result<Vec<Figure>, Error> {
    for _ in 0..20 {
        use_sessions(server, 0, warm_up).await?;
    }
    let before = server.process.resident_memory()?;
    use_sessions(server, warm_up, entries).await?;
    use_sessions(server, warm_up, entries).await?;
    let grown = server.process.resident_memory()?.saturating_sub(before);
    Ok(vec![Figure {
        name: "process memory per near-cache entry: bytes".into(),
        value: count(grown) / f64::from(entries),
        details: format!("{entries} sessions, each of another user"),
        bar: Some(Bar::AtMost(2048.0)),
    }])
}

/// Uses the sessions of `count` members from `first` on, once each.
async fn use_sessions(server: &Server, first: u32, count: u32) -> Result<(), Error> {
    let mut connections = JoinSet::new();
    for offset in 0..CONNECTIONS {
        let mut connection = server.connect().await?;
        connections.spawn(async move {
            for index in (first + offset..first + count).step_by(usize::try_from(CONNECTIONS)?) {
                connection.get(PROFILE, &Member(index).credential()).await?.expect(StatusCode::OK)?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(used) = connections.join_next().await {
        used?.map_err(|error| server.process.failed(&format!("didn't give a profile: {error}")))?;
    }
    Ok(())
}

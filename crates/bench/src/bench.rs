//! The benchmark: what is started, and what is measured after what.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fred::interfaces::ClientLike as _;
use fred::types::{ClusterHash, CustomCommand};
use serde_json::json;

use crate::cli::Error;
use crate::database::Database;
use crate::figures::profile::{Lane, Lanes, Sizes};
use crate::figures::{commands, flood, gateway, login, memory, profile, revocation};
use crate::http::Credential;
use crate::population::{Member, Part, Pattern};
use crate::redis::Redis;
use crate::service::{NearCache, ORIGINAL, Server, log_in, register_original};
use crate::signals;
use crate::table::{self, Figure};
use crate::wrk::{Clients, Wrk};

/// The sessions in the Redis that has few.
const FEW: u32 = 1_000;

/// How much is measured.
struct Scale {
    /// The sessions in the Redis that has many.
    many: u32,
    /// The rounds in which servers take turns.
    rounds: usize,
    /// How long the near cache's commands are counted: for the record, longer than it takes until each session's use has
    /// to be written down (`session.touch_interval`).
    count_seconds: u32,
    login_rounds: usize,
    login_turn: Duration,
    trials: usize,
    entries: u32,
}

const FULL: Scale = Scale {
    many: 1_000_000,
    rounds: 25,
    count_seconds: 70,
    login_rounds: 7,
    login_turn: Duration::from_secs(4),
    trials: 1_000,
    entries: 20_000,
};

const QUICK: Scale = Scale {
    many: 100_000,
    rounds: 5,
    count_seconds: 3,
    login_rounds: 3,
    login_turn: Duration::from_secs(2),
    trials: 200,
    entries: 20_000,
};

/// Measures, prints the table, and writes the figures into a file if one is named. Exits with 1 if one doesn't hold.
pub(crate) async fn run(quick: bool, file: Option<&Path>) -> Result<ExitCode, Error> {
    let start = Instant::now();
    let folder = tempfile::Builder::new().prefix("markt-bench-").tempdir()?;
    let database = Database::create().await?;
    // What measuring started ends with it, also when it is given up on.
    let measured = tokio::select! {
        measured = measure(folder.path(), &database, if quick { &QUICK } else { &FULL }) => measured,
        ended = signals::told_to_end() => Err(ended.err().unwrap_or_else(|| "interrupted".into())),
    };
    database.drop().await?;
    let figures = measured?;
    print!("{}", table::markdown(&figures));
    if let Some(file) = file {
        std::fs::write(file, format!("{:#}\n", json!({ "quick": quick, "figures": table::json(&figures) })))?;
    }
    say(&format!("measured in {:.0} s", start.elapsed().as_secs_f64()));
    let failed = figures.iter().any(|figure| figure.holds() == Some(false));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(folder: &Path, database: &Database, scale: &Scale) -> Result<Vec<Figure>, Error> {
    let names = [grouped(FEW), grouped(scale.many)];
    let wrk = Wrk::new(folder)?;
    let mut figures = Vec::new();

    say("making users and sessions");
    let few = Redis::start("Redis with few sessions", folder).await?;
    let mut off_few = Server::service("near cache off", folder, database, &few, NearCache::Off).await?;
    let (pattern, cookie) = originals(database, &few, &off_few, scale.entries + FEW).await?;

    say("counting commands to Redis");
    let mut counted = commands::without_near_cache(&few, &off_few, &cookie).await?;
    pattern.fill(few.client(), FEW, Part::Lasting).await?;
    let mut on_few = Server::service("near cache on", folder, database, &few, NearCache::On).await?;
    let members = wrk.members(FEW)?;
    counted.extend(commands::with_near_cache(&few, &mut on_few, &wrk, &members, scale.count_seconds).await?);

    say(&format!("filling a Redis with {} sessions", names[1]));
    let many = Redis::start("Redis with many sessions", folder).await?;
    let mut used = memory::of_session(&many, &pattern, scale.many).await?;

    say(&format!("taking turns: the service and plain servers, {} rounds", scale.rounds));
    let answer = folder.join("answer.json");
    on_few.record_profile(&Member(0).credential()).await?.write(&answer)?;
    let key = format!("session:{}", Member(0).session_id());
    let mut bare = Server::reference("bare handler", folder, &answer, &["bare"]).await?;
    let mut hs256 = Server::reference("HS256 handler", folder, &answer, &["hs256"]).await?;
    let mut jwt = Server::by_tokens("tokens", folder, database, &few).await?;
    let access = log_in(&mut jwt.connect().await?, &Member(0).email()).await?;
    let one_get = ["one-get", "--redis", few.url(), "--key", &key];
    let mut one_get = Server::reference("one GET handler", folder, &answer, &one_get).await?;
    let one = Clients::One(Member(0).credential().line());
    let token = hs256.event["token"].as_str().ok_or("the HS256 handler says no token")?;
    let with_token = Clients::One(format!("Authorization: Bearer {token}"));
    let with_access_token = Clients::One(access.line());
    let lanes = Lanes {
        bare: Lane { server: &mut bare, clients: one.clone() },
        hs256: Lane { server: &mut hs256, clients: with_token },
        jwt: Lane { server: &mut jwt, clients: with_access_token },
        one_get: Lane { server: &mut one_get, clients: one.clone() },
        on: Lane { server: &mut on_few, clients: one.clone() },
        off: Lane { server: &mut off_few, clients: one },
    };
    figures.extend(profile::against_references(&wrk, lanes, scale.rounds).await?);
    figures.extend(counted);

    say(&format!("taking turns: {} sessions and {}, {} rounds", names[0], names[1], scale.rounds));
    // All four begin anew: a process that has served before is not quite like one that hasn't.
    let [on, off] = [NearCache::On, NearCache::Off];
    on_few = Server::service("near cache on, few sessions", folder, database, &few, on).await?;
    off_few = Server::service("near cache off, few sessions", folder, database, &few, off).await?;
    let mut on_many = Server::service("near cache on, many sessions", folder, database, &many, on).await?;
    let mut off_many = Server::service("near cache off, many sessions", folder, database, &many, off).await?;
    let lane = |server| Lane { server, clients: members.clone() };
    let sizes = Sizes { few: [lane(&mut on_few), lane(&mut off_few)], many: [lane(&mut on_many), lane(&mut off_many)] };
    let sized = profile::against_fewer(&wrk, sizes, [&names[0], &names[1]], scale.rounds).await?;

    say(&format!("taking turns: nginx that asks the service and nginx that doesn't, {} rounds", scale.rounds));
    let behind_nginx =
        gateway::against_none(&wrk, folder, (database, &few), &answer, &Member(0).credential(), scale.rounds).await?;

    say("using sessions of many users");
    let mut fresh = Server::service("fresh process", folder, database, &many, NearCache::On).await?;
    used.extend(memory::of_entry(&mut fresh, scale.entries, FEW).await?);
    drop(fresh);

    say("logging in");
    figures.extend(login::against_hashes(&mut on_few, scale.login_rounds, scale.login_turn).await?);

    say(&format!("logging in by many at once, {} rounds", scale.login_rounds));
    let lane = |server| Lane { server, clients: Clients::One(Member(0).credential().line()) };
    figures.extend(flood::of_logins(&wrk, lane(&mut on_few), lane(&mut bare), scale.login_rounds).await?);

    say("logging out on one process, and knocking on another");
    for (redis, one, name) in [(&few, &on_few, &names[0]), (&many, &on_many, &names[1])] {
        let other = Server::service("another process", folder, database, redis, NearCache::On).await?;
        figures.extend(revocation::on_another_process(one, &other, scale.trials, name).await?);
    }
    figures.extend(sized);
    figures.extend(behind_nginx);
    figures.extend(used);
    Ok(figures)
}

/// Makes a user who logs in, and as many copies of the user as are asked for. Leaves Redis with that one session, whose
/// pattern and cookie it returns.
async fn originals(
    database: &Database,
    redis: &Redis,
    server: &Server,
    users: u32,
) -> Result<(Pattern, Credential), Error> {
    let mut connection = server.connect().await?;
    let user_id = register_original(&mut connection).await?;
    let () =
        redis.client().custom(CustomCommand::new_static("FLUSHALL", ClusterHash::Random, false), vec![""; 0]).await?;
    let cookie = log_in(&mut connection, ORIGINAL).await?;
    let pattern = Pattern::of(redis.client(), &cookie, &user_id).await?;
    database.copy_user(&user_id, users).await?;
    Ok((pattern, cookie))
}

/// Tells how far it is. On standard error: standard output is the table's.
fn say(message: &str) {
    eprintln!("bench: {message}");
}

/// A number with a comma before each three digits.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_three_digits() {
        assert_eq!([7, 1_000, 1_000_000].map(grouped), ["7", "1,000", "1,000,000"]);
    }
}

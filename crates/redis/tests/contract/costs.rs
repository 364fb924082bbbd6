//! What the operations cost Redis, in commands and in memory.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::client::Client;
use markt_domain::ports::session_store::{Change, Creation, SessionStore as _};
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::{UserId, UserVersion};
use markt_redis::RedisStores;
use markt_test_support::fixtures;
use markt_test_support::stores::OwnRedis;
use tokio::task::JoinSet;

use crate::raw::Raw;
use crate::{MANY, create, create_this, find, stores};

/// What a session may take, with its place in the index and the memory of its end.
const BYTES: u64 = 1100;

#[tokio::test]
async fn a_session_found_costs_one_command() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["CONFIG", "RESETSTAT"]).await;
    for _ in 0..10 {
        assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
    }
    assert_eq!(commands(&redis).await, BTreeMap::from([("get".to_owned(), 10)]));
}

#[tokio::test]
async fn what_is_done_to_one_session_costs_the_same_however_many_its_user_has() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let few = costs(&stores, &redis, 1).await;
    let many = costs(&stores, &redis, 50).await;
    assert_eq!(few, many);
    for (operation, costs) in few {
        let commands: u64 = costs.values().sum();
        assert!(commands <= 14, "{operation}: {costs:?}");
    }
}

#[tokio::test]
async fn a_session_that_pushes_another_out_costs_the_same_however_many_stay() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let mut costs = Vec::new();
    for allowed in [3, 50] {
        let (user, most) = (fixtures::user_id(), NonZeroU32::new(allowed).unwrap());
        for _ in 0..allowed {
            assert!(create_at_most(&stores, &fixtures::session(&user), UserVersion(3), most).await.is_empty());
        }
        let _: () = redis.send(["CONFIG", "RESETSTAT"]).await;
        assert_eq!(create_at_most(&stores, &fixtures::session(&user), UserVersion(4), most).await.len(), 1);
        costs.push(commands(&redis).await);
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_takes_no_more_memory_than_promised() {
    const SESSIONS: u64 = 10_000;
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    // Three of each user, on a telephone, a tablet and a computer.
    create(&stores).await;
    let before = used_memory(&redis).await;
    let mut users = JoinSet::new();
    for _ in 0..SESSIONS / 3 {
        let stores = stores.clone();
        users.spawn(async move {
            let user = fixtures::user_id();
            for _ in 0..3 {
                // Of a user who was never changed, no state is kept: it goes soon in any case.
                let creation = stores.sessions().create(&realistic(&user), UserVersion(0), MANY, &[]).await;
                assert_eq!(creation.unwrap(), Creation::Created { evicted: Vec::new() });
            }
        });
        if users.len() >= 100 {
            users.join_next().await.unwrap().unwrap();
        }
    }
    users.join_all().await;
    let each = (used_memory(&redis).await - before) / (SESSIONS / 3 * 3);
    println!("{each} bytes for each session");
    assert!(each <= BYTES, "{each}");
}

/// Creates the session with this version of its user; what gave way to it.
async fn create_at_most(
    stores: &RedisStores,
    session: &Session,
    version: UserVersion,
    most: NonZeroU32,
) -> Vec<SessionId> {
    match stores.sessions().create(session, version, most, &[]).await.unwrap() {
        Creation::Created { evicted } => evicted,
        refused => panic!("{refused:?}"),
    }
}

/// What each operation on one session costs in commands, those of its script included, beside so many others.
async fn costs(stores: &RedisStores, redis: &Raw, others: usize) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let (user, sessions) = (fixtures::user_id(), stores.sessions());
    for _ in 0..others {
        create_this(stores, &fixtures::session(&user)).await;
    }
    let session = fixtures::session(&user);
    let successor = Session { id: fixtures::session(&user).id, ..session.clone() };
    let later = session.last_activity.plus(Duration::from_secs(60));
    let mut costs = BTreeMap::new();
    for operation in ["create", "touch", "update", "rotate", "find", "delete", "ending"] {
        let revision = sessions.find(&session.id).await.unwrap().map(|found| found.revision).unwrap_or_default();
        let _: () = redis.send(["CONFIG", "RESETSTAT"]).await;
        match operation {
            // A login counts its user's version up.
            "create" => assert!(create_at_most(stores, &session, UserVersion(4), MANY).await.is_empty()),
            "touch" => assert!(sessions.touch(&session.id, later, session.expires_at).await.unwrap()),
            "update" => assert_eq!(sessions.update(&session, revision).await.unwrap(), Change::Made),
            "rotate" => {
                let rotation = sessions.rotate(&session.id, revision, &successor, later).await.unwrap();
                assert_eq!(rotation, Change::Made);
            }
            "find" => assert_eq!(find(stores, &session).await.session.id, successor.id),
            "delete" => assert!(sessions.delete(&session.id, Ending::LoggedOut).await.unwrap()),
            _ => assert_eq!(sessions.ending(&session.id).await.unwrap(), Some(Ending::LoggedOut)),
        }
        costs.insert(operation, commands(redis).await);
    }
    costs
}

/// The commands since the statistics were reset, and how often each was called.
pub(crate) async fn commands(redis: &Raw) -> BTreeMap<String, u64> {
    let statistics: String = redis.send(["INFO", "commandstats"]).await;
    statistics
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="))
        .map(|(command, rest)| (command.to_owned(), rest.split(',').next().unwrap().parse().unwrap()))
        // The first call of a script sends it; the next ones don't.
        .filter(|(command, _)| !matches!(command.as_str(), "config|resetstat" | "eval" | "evalsha" | "info"))
        .collect()
}

async fn used_memory(redis: &Raw) -> u64 {
    let memory: String = redis.send(["INFO", "memory"]).await;
    memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap()
}

/// With a user agent of 120 characters.
fn realistic(user: &UserId) -> Session {
    let user_agent = "Mozilla/5.0 (Linux; Android 16; Pixel 9 XL) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/142.0.0.0 Mobile Safari/537.36";
    assert_eq!(user_agent.len(), 120);
    let session = fixtures::session(user);
    Session { client: Client::new("203.0.113.195".parse().unwrap(), user_agent), ..session }
}

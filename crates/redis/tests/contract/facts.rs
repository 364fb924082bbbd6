//! A Redis that is looked at before sessions are kept in it.

use markt_redis::{ConnectError, ConnectOptions, RedisFacts, keys};
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::{OwnCluster, OwnRedis, redis_command};

use crate::raw::Raw;
use crate::{create, stores};

async fn gather(url: &str) -> Result<RedisFacts, ConnectError> {
    RedisFacts::gather(&url.parse().unwrap(), ConnectOptions::default(), &MovableClock::at_present()).await
}

#[tokio::test]
async fn a_redis_tells_what_it_is_like_and_is_left_as_it_is() {
    let redis = OwnRedis::start_with(&["--appendonly", "yes", "--maxmemory", "100mb"]).await;
    let stores = stores(&redis.url()).await;
    create(&stores).await;
    let raw = Raw::connect(&redis.url()).await;
    let keys: u64 = raw.send(["DBSIZE"]).await;
    let facts = gather(&redis.url()).await.unwrap();
    assert!(facts.version.is_some_and(|version| version.contains('.')));
    assert!(facts.speaks_resp3);
    assert_eq!((facts.tracking_refused, facts.is_replica), (None, Some(false)));
    assert_eq!((facts.max_memory, facts.eviction_policy.as_deref()), (Some(100 << 20), Some("noeviction")));
    assert_eq!((facts.appends, facts.append_sync.as_deref()), (Some(true), Some("everysec")));
    assert_eq!((facts.snapshots, facts.writing_failed), (Some(false), false));
    assert!(facts.clock_ahead.is_some_and(|ahead| ahead.abs() < 1000));
    assert_eq!((facts.forbidden_commands.len(), facts.forbidden_prefixes.len()), (0, 0));
    assert!(facts.looked_into.0 >= 3 && facts.looked_into.1 == 0, "{:?}", facts.looked_into);
    assert_eq!(raw.send::<u64, 1>(["DBSIZE"]).await, keys);
}

#[tokio::test]
async fn of_a_cluster_all_primaries_are_looked_at_and_the_worst_counts() {
    fixtures::suit_ids_by(keys::suit_on_a_cluster);
    let cluster = OwnCluster::start_with(&["--maxmemory", "100mb"]).await;
    let stores = stores(&cluster.url()).await;
    for _ in 0..12 {
        create(&stores).await;
    }
    let facts = gather(&cluster.url()).await.unwrap();
    assert!(facts.speaks_resp3);
    assert_eq!((facts.tracking_refused, facts.is_replica), (None, Some(false)));
    assert_eq!((facts.max_memory, facts.eviction_policy.as_deref()), (Some(100 << 20), Some("noeviction")));
    assert_eq!((facts.forbidden_commands.len(), facts.forbidden_prefixes.len()), (0, 0));
    // A session, its place in the index, and the memory of its end.
    assert_eq!(facts.looked_into, (12 * 3, 0));
    let last = cluster.primaries().await.pop().unwrap();
    redis_command(&last, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    let facts = gather(&cluster.url()).await.unwrap();
    assert_eq!(facts.eviction_policy.as_deref(), Some("allkeys-lru"));
}

#[tokio::test]
async fn what_the_acl_forbids_is_named() {
    let redis = OwnRedis::start().await;
    let raw = Raw::connect(&redis.url()).await;
    let user = ["ACL", "SETUSER", "ann", "on", ">hunter2", "~session:*", "+@all"];
    raw.send::<(), 7>(user).await;
    for rule in ["-eval", "-zadd", "-client|tracking", "-config"] {
        raw.send::<(), 4>(["ACL", "SETUSER", "ann", rule]).await;
    }
    let facts = gather(&redis.url().replace("redis://", "redis://ann:hunter2@")).await.unwrap();
    assert_eq!(facts.forbidden_commands, ["EVAL", "ZADD", "CLIENT TRACKING"]);
    assert_eq!(facts.forbidden_prefixes, ["ended:", "user-sessions:", "user-state:", "code:", "near-cache:", "limit:"]);
    assert!(facts.tracking_refused.is_some());
    assert_eq!((facts.append_sync, facts.snapshots), (None, None));
}

#[tokio::test]
async fn a_replica_is_looked_at_though_it_takes_no_writes() {
    let primary = OwnRedis::start().await;
    let replica = OwnRedis::start_with(&["--replicaof", "127.0.0.1", &primary.port().to_string()]).await;
    let facts = gather(&replica.url()).await.unwrap();
    assert_eq!((facts.is_replica, facts.tracking_refused), (Some(true), None));
    assert_eq!((facts.forbidden_commands.len(), facts.forbidden_prefixes.len()), (0, 0));
}

#[tokio::test]
async fn keys_of_another_application_are_counted() {
    let redis = OwnRedis::start().await;
    let stores = stores(&redis.url()).await;
    create(&stores).await;
    let raw = Raw::connect(&redis.url()).await;
    for key in ["session:3f1c9f0e-7a53-4b57-9d0f-6f1d0c0a9b11", "user-state:ann", "cart:ann"] {
        raw.send::<(), 3>(["SET", key, "a pickle"]).await;
    }
    raw.send::<(), 2>(["SELECT", "2"]).await;
    raw.send::<(), 3>(["SET", "queue", "1"]).await;
    let facts = gather(&redis.url()).await.unwrap();
    assert_eq!(facts.looked_into.1, 2, "{:?}", facts.looked_into);
    assert_eq!(facts.other_databases, [("db2".to_owned(), 1)]);
}

#[tokio::test]
async fn a_redis_that_does_not_speak_resp3_is_looked_at_all_the_same() {
    let redis = OwnRedis::start_with(&["--rename-command", "HELLO", ""]).await;
    let facts = gather(&redis.url()).await.unwrap();
    assert!(!facts.speaks_resp3 && facts.tracking_refused.is_some(), "{facts:?}");
    assert!(facts.version.is_some());
}

#[tokio::test]
async fn a_wrong_password_and_nobody_there_are_told_without_the_password() {
    let redis = OwnRedis::start_with(&["--requirepass", "hunter2"]).await;
    let error = gather(&redis.url().replace("redis://", "redis://:geheim@")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    let error = gather("redis://:geheim@127.0.0.1:1").await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("geheim"));
}

//! A Redis that can't be reached, or not used: the caller learns it soon, and it mends by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use markt_domain::code::CodePurpose;
use markt_domain::ports::code_store::CodeStore as _;
use markt_domain::ports::rate_limiter::RateLimiter as _;
use markt_domain::ports::session_store::{Creation, Revision, SessionStore as _, StoredSession};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::session::{Ending, Session};
use markt_domain::user::{UserState, UserVersion};
use markt_redis::{ConnectError, ConnectOptions, RedisStores};
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::{Relay, redis_url, server_address, through};
use tokio::task::JoinSet;

use crate::limits::bucket;
use crate::raw::Raw;
use crate::{MANY, create, stores};
use markt_test_support::stores::OwnRedis;

/// Within this time Redis is found to be away, or to be back.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_connections_are_refused_every_operation_is_unavailable_and_soon_after_none_is() {
    let (relay, stores) = behind_a_relay().await;
    let session = create(&stores).await;
    for _ in 0..2 {
        relay.cut().await;
        assert_every_operation_is_unavailable(&stores).await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert_every_operation_is_unavailable(&stores).await;
        relay.restore().await;
        recovers(&stores, &session).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_redis_hangs_every_operation_is_unavailable_and_soon_after_none_is() {
    let (relay, stores) = behind_a_relay().await;
    let session = create(&stores).await;
    relay.freeze();
    assert_every_operation_is_unavailable(&stores).await;
    relay.thaw();
    recovers(&stores, &session).await;
    // Longer, so that the connections are given up on.
    relay.freeze();
    assert_every_operation_is_unavailable(&stores).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_every_operation_is_unavailable(&stores).await;
    relay.thaw();
    recovers(&stores, &session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_too_redis_is_found_to_be_away_and_back() {
    let (relay, stores) = behind_a_relay().await;
    let session = create(&stores).await;
    let load = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (stores, load, id) = (stores.clone(), Arc::clone(&load), session.id);
        callers.spawn(async move {
            while load.load(std::sync::atomic::Ordering::Relaxed) {
                let started = Instant::now();
                match stores.sessions().find(&id).await {
                    Ok(found) => assert!(found.is_some(), "an outage is no 'not found'"),
                    Err(error) => assert_eq!(error.kind, StoreErrorKind::Unavailable),
                }
                assert!(started.elapsed() < SOON);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }
    relay.freeze();
    tokio::time::sleep(Duration::from_secs(3)).await;
    relay.thaw();
    recovers(&stores, &session).await;
    relay.cut().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    relay.restore().await;
    recovers(&stores, &session).await;
    load.store(false, std::sync::atomic::Ordering::Relaxed);
    callers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_hangs_is_left_alone_and_found_to_be_back_though_nobody_asks() {
    let mut own = OwnRedis::start().await;
    let stores = stores(&own.url()).await;
    let session = create(&stores).await;
    own.freeze();
    // More than one at a time, or it would take too long to believe it.
    for _ in 0..2 {
        assert_every_operation_is_unavailable(&stores).await;
    }
    let started = Instant::now();
    for _ in 0..1_000 {
        assert_unavailable(stores.sessions().find(&session.id).await);
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    own.thaw();
    tokio::time::sleep(SOON).await;
    for found in find_many(&stores, &session, 1_000).await {
        assert!(found.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn so_many_wait_for_redis_and_no_more() {
    const CALLERS: usize = 10_000;
    let mut own = OwnRedis::start().await;
    let stores = stores(&own.url()).await;
    let session = create(&stores).await;
    own.freeze();
    let errors = find_many(&stores, &session, CALLERS).await.into_iter().map(Result::unwrap_err);
    let causes: Vec<_> = errors.map(|error| std::error::Error::source(&error).unwrap().to_string()).collect();
    let waited = causes.iter().filter(|cause| cause.contains("timed out")).count();
    let turned_away = causes.iter().filter(|cause| cause.contains("too many wait")).count();
    assert!(waited > 0 && turned_away > CALLERS / 2, "{waited} waited, {turned_away} were turned away");
    own.thaw();
    recovers(&stores, &session).await;
}

#[tokio::test]
async fn a_redis_that_answers_with_errors_is_asked_on() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["CONFIG", "SET", "maxmemory", "1"]).await;
    let (other, started) = (fixtures::session(&session.user_id), Instant::now());
    while started.elapsed() < Duration::from_millis(500) {
        assert_unavailable(stores.sessions().create(&other, UserVersion(1), MANY, &[]).await);
    }
    assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_was_started_anew_is_used_again() {
    let mut own = OwnRedis::start().await;
    let stores = stores(&own.url()).await;
    create(&stores).await;
    own.kill();
    assert_every_operation_is_unavailable(&stores).await;
    own.restart().await;
    // With it, the scripts are gone.
    let back = Instant::now();
    let session = fixtures::session(&fixtures::user_id());
    while stores.sessions().create(&session, UserVersion(1), MANY, &[]).await.is_err() {
        assert!(back.elapsed() < SOON, "not back after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_command_is_not_sent_again_when_its_connection_is_lost() {
    let (relay, stores) = behind_a_relay().await;
    let witness = create(&stores).await;
    for _ in 0..3 {
        let session = fixtures::session(&fixtures::user_id());
        relay.freeze();
        let sessions = stores.sessions();
        let creating = async { assert_unavailable(sessions.create(&session, UserVersion(1), MANY, &[]).await) };
        let losing = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            relay.cut().await;
            relay.thaw();
            relay.restore().await;
        };
        // It has time left to be sent again in.
        tokio::join!(creating, losing);
        recovers(&stores, &witness).await;
        assert_eq!(stores.sessions().find(&session.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_redis_that_is_full_is_unavailable_for_what_needs_room() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["CONFIG", "SET", "maxmemory", "1"]).await;
    let other = fixtures::session(&session.user_id);
    assert_unavailable(stores.sessions().create(&other, UserVersion(1), MANY, &[]).await);
    assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
    let later = session.last_activity.plus(Duration::from_secs(60));
    assert_unavailable(stores.sessions().touch(&session.id, later, later).await);
    // What ends a session goes on, and is remembered.
    assert!(stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), Some(Ending::LoggedOut));
    let _: () = redis.send(["CONFIG", "SET", "maxmemory", "0"]).await;
    let creation = stores.sessions().create(&other, UserVersion(1), MANY, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: Vec::new() });
}

#[tokio::test]
async fn a_replica_is_unavailable_for_writing() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["REPLICAOF", "127.0.0.1", &own.port().to_string()]).await;
    let other = fixtures::session(&session.user_id);
    assert_unavailable(stores.sessions().create(&other, UserVersion(1), MANY, &[]).await);
    let _: () = redis.send(["REPLICAOF", "NO", "ONE"]).await;
    recovers(&stores, &session).await;
}

#[tokio::test]
async fn closed_stores_are_unavailable() {
    let stores = stores(&redis_url()).await;
    stores.ping().await.unwrap();
    stores.close().await;
    assert_every_operation_is_unavailable(&stores).await;
}

#[tokio::test]
async fn a_redis_that_is_away_at_the_start_is_told_of_at_once() {
    let mut own = OwnRedis::start().await;
    own.kill();
    let error = refusal(&own.url()).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&own.url()), "{error}");
}

#[tokio::test]
async fn a_server_that_is_no_redis_or_says_nothing_is_told_of() {
    let relay = Relay::to(server_address(&redis_url())).await;
    relay.freeze();
    let error = refusal(&through(&redis_url(), relay.address())).await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");

    let http = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = http.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = http.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    for scheme in ["redis", "rediss", "redis-cluster"] {
        let error = refusal(&format!("{scheme}://{address}")).await;
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_of_without_it() {
    let own = OwnRedis::start_with(&["--requirepass", "right-one"]).await;
    let port = own.port();
    for credentials in [":hunter2@", "ann:hunter2@", ""] {
        let error = refusal(&format!("redis://{credentials}127.0.0.1:{port}/1")).await;
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let stores = stores(&format!("redis://:right-one@127.0.0.1:{port}/1")).await;
    create(&stores).await;
}

#[tokio::test]
async fn a_number_of_connections_that_cant_be_is_told_of() {
    let options = ConnectOptions { connections: 0, ..ConnectOptions::default() };
    let error = connect(&redis_url(), options).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoConnections), "{error:?}");
}

/// What so many callers at once are told.
async fn find_many(
    stores: &RedisStores,
    session: &Session,
    callers: usize,
) -> Vec<Result<Option<StoredSession>, StoreError>> {
    let callers: JoinSet<_> = (0..callers)
        .map(|_| (stores.sessions(), session.id))
        .map(|(sessions, id)| async move { sessions.find(&id).await })
        .collect();
    callers.join_all().await
}

async fn connect(url: &str, options: ConnectOptions) -> Result<RedisStores, ConnectError> {
    let clock = Arc::new(MovableClock::at_present());
    RedisStores::connect(&url.parse().unwrap(), options, clock).await
}

async fn refusal(url: &str) -> ConnectError {
    let started = Instant::now();
    let error = connect(url, ConnectOptions::default()).await.err().expect("a refusal");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    error
}

/// The stores of the shared Redis, with something between that can be cut.
async fn behind_a_relay() -> (Relay, RedisStores) {
    let relay = Relay::to(server_address(&redis_url())).await;
    let stores = stores(&through(&redis_url(), relay.address())).await;
    (relay, stores)
}

async fn assert_every_operation_is_unavailable(stores: &RedisStores) {
    let session = fixtures::session(&fixtures::user_id());
    let (user, purpose) = (&session.user_id, CodePurpose::VerifyEmail);
    let (sessions, codes) = (stores.sessions(), stores.codes());
    let started = Instant::now();
    let find = async { assert_unavailable(sessions.find(&session.id).await) };
    let create = async { assert_unavailable(sessions.create(&session, UserVersion(1), MANY, &[]).await) };
    let delete = async { assert_unavailable(sessions.delete(&session.id, Ending::LoggedOut).await) };
    let end = async {
        assert_unavailable(sessions.delete_before_epoch(user, UserState::default(), None, Ending::LoggedOut).await);
    };
    let (now, bucket) = (session.last_activity, [bucket()]);
    let ending = async { assert_unavailable(sessions.ending(&session.id).await) };
    let list = async { assert_unavailable(sessions.list(user).await) };
    let touch = async { assert_unavailable(sessions.touch(&session.id, now, now).await) };
    let update = async { assert_unavailable(sessions.update(&session, Revision(0)).await) };
    let rotate = async { assert_unavailable(sessions.rotate(&session.id, Revision(0), &session, now).await) };
    let look = async { assert_unavailable(stores.limits().look(&bucket, now).await) };
    let count = async { assert_unavailable(stores.limits().count(&bucket, now).await) };
    let change = async { assert_unavailable(sessions.user_changed(user, UserVersion(1)).await) };
    let attempt = async { assert_unavailable(codes.take_try(user, purpose, fixtures::now()).await) };
    let ping = async { assert_unavailable(stores.ping().await) };
    tokio::join!(find, ending, list, create, touch, update, rotate, delete, end, change, attempt, look, count, ping);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

/// Both reading and writing, on every connection.
async fn recovers(stores: &RedisStores, session: &Session) {
    let back = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 20 {
        let found = stores.sessions().find(&session.id).await;
        let changed = stores.sessions().user_changed(&session.user_id, UserVersion(1)).await;
        match (found, changed) {
            (Ok(found), Ok(())) => {
                assert!(found.is_some());
                in_a_row += 1;
            }
            _ => {
                in_a_row = 0;
                assert!(back.elapsed() < SOON, "not back after {SOON:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
}

#[track_caller]
fn assert_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
}

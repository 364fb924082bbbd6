//! What is remembered of a session's end.

use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::session_store::{Change, Revision, SessionStore as _};
use markt_domain::session::{Ending, Session};
use markt_redis::ConnectOptions;
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::redis_url;

use crate::raw::Raw;
use crate::{brief, create, create_this, ended_key, session_key, stores, stores_with, until_gone};

const DAY: i64 = 24 * 3600 * 1000;

#[tokio::test]
async fn a_session_that_redis_let_expire_is_told_to_have_expired() {
    let redis = Raw::connect(&redis_url()).await;
    for is_idle in [true, false] {
        let clock = Arc::new(MovableClock::at_present());
        let stores = stores_with(&redis_url(), ConnectOptions::default(), Arc::clone(&clock)).await;
        let idle = brief(&fixtures::user_id(), 100);
        let old = Session { expires_at: idle.idle_expires_at, ..fixtures::session(&idle.user_id) };
        let session = if is_idle { idle } else { old };
        create_this(&stores, &session).await;
        assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), None);
        until_gone(&redis, &session_key(&session)).await;
        // By our clock, which stands still, it has a little left.
        assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), Some(Ending::Expired));
        clock.advance(Duration::from_secs(3600));
        assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), Some(Ending::Expired));
        let left = redis.ttl(&ended_key(&session)).await;
        assert!((DAY - 10_000..=DAY).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn a_session_that_somebody_deleted_in_redis_is_told_to_have_been_removed() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["DEL", &session_key(&session)]).await;
    assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), Some(Ending::Removed));
    assert!(!stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), Some(Ending::Removed));
}

#[tokio::test]
async fn a_session_that_was_ended_is_remembered_for_as_long_as_is_asked_for_and_no_longer() {
    let redis = Raw::connect(&redis_url()).await;
    for endings_kept in [0, 60_000] {
        let options = ConnectOptions { endings_kept: Duration::from_millis(endings_kept), ..ConnectOptions::default() };
        let stores = stores_with(&redis_url(), options, Arc::new(MovableClock::at_present())).await;
        let session = create(&stores).await;
        assert!(stores.sessions().delete(&session.id, Ending::RevokedByUser).await.unwrap());
        let ending = stores.sessions().ending(&session.id).await.unwrap();
        if endings_kept == 0 {
            assert_eq!(ending, None);
            assert!(!redis.exists(&ended_key(&session)).await);
        } else {
            assert_eq!(ending, Some(Ending::RevokedByUser));
            assert!(redis.ttl(&ended_key(&session)).await <= 60_000);
        }
    }
}

#[tokio::test]
async fn where_no_end_is_to_be_remembered_any_more_none_is() {
    let forgetful = ConnectOptions { endings_kept: Duration::ZERO, ..ConnectOptions::default() };
    let forgetful = stores_with(&redis_url(), forgetful, Arc::new(MovableClock::at_present())).await;
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = create(&stores).await;
    assert!(redis.exists(&ended_key(&session)).await);
    assert!(forgetful.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
    assert!(!redis.exists(&ended_key(&session)).await);
}

#[tokio::test]
async fn a_rotated_id_tells_its_successors_end_and_has_none_of_its_own() {
    let clock = Arc::new(MovableClock::at_present());
    let stores = stores_with(&redis_url(), ConnectOptions::default(), Arc::clone(&clock)).await;
    let redis = Raw::connect(&redis_url()).await;
    let (old, sessions) = (create(&stores).await, stores.sessions());
    let new = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
    let until = clock.now().plus(Duration::from_secs(30));
    assert_eq!(sessions.rotate(&old.id, Revision(0), &new, until).await.unwrap(), Change::Made);
    assert_eq!(sessions.ending(&old.id).await.unwrap(), None);
    assert!(sessions.delete(&old.id, Ending::LoggedOut).await.unwrap());
    for id in [&old.id, &new.id] {
        assert_eq!(sessions.ending(id).await.unwrap(), Some(Ending::LoggedOut));
    }
    // As if the grace had passed.
    let _: () = redis.send(["DEL", &session_key(&old)]).await;
    assert_eq!(sessions.ending(&old.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_memory_that_is_not_understood_tells_nothing() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = fixtures::session(&fixtures::user_id());
    let _: () = redis.send(["SET", &ended_key(&session), "abducted", "EX", "60"]).await;
    assert_eq!(stores.sessions().ending(&session.id).await.unwrap(), None);
}

//! Forgetting what has expired.

use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::code::CodePurpose;
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::code_store::{CodeStore as _, StoredCode};
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter as _, Room};
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore as _};
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::UserVersion;
use markt_test_support::fixtures;

use crate::fixture::{Fixture, NO_LIMIT};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is expired is not retained.
const AT_ONCE: Duration = Duration::ZERO;

async fn session_until(fixture: &Fixture, end: Timestamp) -> SessionId {
    let session = Session { idle_expires_at: end, ..fixtures::session(&fixtures::user_id()) };
    let creation = fixture.sessions().create(&session, UserVersion(0), NO_LIMIT, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: vec![] });
    session.id
}

#[tokio::test]
async fn expired_sessions_are_swept_in_batches_and_the_others_kept() {
    for fixture in Fixture::both().await {
        let now = fixtures::now();
        let mut kept = Vec::new();
        for number in 0..25 {
            session_until(&fixture, now).await;
            kept.push(session_until(&fixture, now.plus(Duration::from_millis(1 + number))).await);
        }
        assert_eq!(fixture.sessions().delete_expired(now, AT_ONCE, 10).await.unwrap(), 25);
        assert_eq!(fixture.server.raw().await.count("auth_sessions").await, 25);
        for id in &kept {
            assert!(fixture.sessions().find(id).await.unwrap().is_some());
        }
        // As many as a batch or two, none, and a batch of none, which would never end.
        let later = now.plus(MINUTE);
        assert_eq!(fixture.sessions().delete_expired(now, AT_ONCE, 10).await.unwrap(), 0);
        assert_eq!(
            fixture.sessions().delete_expired(now.plus(Duration::from_millis(20)), AT_ONCE, 10).await.unwrap(),
            20
        );
        assert_eq!(fixture.sessions().delete_expired(later, AT_ONCE, 0).await.unwrap(), 5);
        assert_eq!(fixture.server.raw().await.count("auth_sessions").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sweepers_at_once_sweep_each_session_once() {
    for fixture in Fixture::both().await {
        let now = fixtures::now();
        for _ in 0..60 {
            session_until(&fixture, now).await;
        }
        let (one, other) = (fixture.sessions(), fixture.sessions());
        let (one, other) = tokio::join!(
            tokio::spawn(async move { one.delete_expired(now, AT_ONCE, 3).await.unwrap() }),
            tokio::spawn(async move { other.delete_expired(now, AT_ONCE, 3).await.unwrap() }),
        );
        // One that finds only rows that the other is at is done early: the other does them.
        assert_eq!(one.unwrap() + other.unwrap(), 60);
        assert_eq!(fixture.server.raw().await.count("auth_sessions").await, 0);
    }
}

#[tokio::test]
async fn a_sweeper_passes_over_rows_that_another_is_at() {
    let fixture = Fixture::postgres().await;
    let now = fixtures::now();
    for _ in 0..5 {
        session_until(&fixture, now).await;
    }
    let raw = fixture.server.raw().await;
    raw.execute("BEGIN; SELECT id FROM auth_sessions LIMIT 2 FOR UPDATE").await;
    assert_eq!(fixture.sessions().delete_expired(now, AT_ONCE, 10).await.unwrap(), 3);
    raw.execute("ROLLBACK").await;
    assert_eq!(fixture.sessions().delete_expired(now, AT_ONCE, 10).await.unwrap(), 2);
}

#[tokio::test]
async fn void_codes_are_swept_in_batches_and_the_others_kept() {
    for fixture in Fixture::both().await {
        let now = fixtures::now();
        let code = |expires_at| StoredCode { hash: PasswordHash::new("hash".into()), expires_at, tries_left: 5 };
        let valid = fixtures::user_id();
        fixture.codes().put(&valid, CodePurpose::VerifyEmail, &code(now.plus(MINUTE))).await.unwrap();
        for _ in 0..7 {
            fixture.codes().put(&fixtures::user_id(), CodePurpose::VerifyEmail, &code(now)).await.unwrap();
        }
        assert_eq!(fixture.codes().delete_expired(now, 3).await.unwrap(), 7);
        assert_eq!(fixture.server.raw().await.count("auth_codes").await, 1);
        assert!(fixture.codes().take_try(&valid, CodePurpose::VerifyEmail, now).await.unwrap().is_some());
    }
}

/// So that a client that comes back late can be told that its session expired.
#[tokio::test]
async fn an_expired_session_is_retained_as_long_as_asked() {
    for fixture in Fixture::both().await {
        let now = fixtures::now();
        let id = session_until(&fixture, now).await;
        let sessions = fixture.sessions();
        assert_eq!(sessions.delete_expired(now.plus(DAY - Duration::from_millis(1)), DAY, 10).await.unwrap(), 0);
        let found = sessions.find(&id).await.unwrap().expect("the session that is retained");
        assert!(found.session.is_expired(now));
        assert_eq!(sessions.delete_expired(now.plus(DAY), DAY, 10).await.unwrap(), 1);
        assert_eq!(sessions.find(&id).await.unwrap(), None);
        assert_eq!(sessions.ending(&id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn endings_are_swept_in_batches_once_their_retention_is_over() {
    for fixture in Fixture::both().await {
        let (now, sessions) = (fixtures::now(), fixture.sessions());
        let mut ids = Vec::new();
        for _ in 0..25 {
            let id = session_until(&fixture, now.plus(MINUTE)).await;
            assert!(sessions.delete(&id, Ending::RevokedByUser).await.unwrap());
            ids.push(id);
        }
        let ended = markt_domain::ports::clock::Clock::now(&*fixture.clock);
        let last_moment = ended.plus(MINUTE - Duration::from_millis(1));
        assert_eq!(sessions.delete_expired(last_moment, MINUTE, 10).await.unwrap(), 0);
        assert_eq!(sessions.ending(&ids[0]).await.unwrap(), Some(Ending::RevokedByUser));
        assert_eq!(sessions.delete_expired(ended.plus(MINUTE), MINUTE, 10).await.unwrap(), 25);
        assert_eq!(sessions.ending(&ids[0]).await.unwrap(), None);
        assert_eq!(fixture.server.raw().await.count("auth_ended_sessions").await, 0);
    }
}

/// Whatever the retention: who asks with one is told nothing, swept or not.
#[tokio::test]
async fn ids_that_were_rotated_away_are_swept_once_they_are_not_honoured() {
    for fixture in Fixture::both().await {
        let (now, sessions) = (fixtures::now(), fixture.sessions());
        let session = fixtures::session(&fixtures::user_id());
        sessions.create(&session, UserVersion(0), NO_LIMIT, &[]).await.unwrap();
        let successor = Session { id: fixtures::session(&session.user_id).id, ..session.clone() };
        let until = now.plus(MINUTE);
        let rotated = sessions.rotate(&session.id, Revision(0), &successor, until).await.unwrap();
        assert_eq!(rotated, Change::Made);
        let last_moment = now.plus(MINUTE - Duration::from_millis(1));
        assert_eq!(sessions.delete_expired(last_moment, DAY, 10).await.unwrap(), 0);
        assert_eq!(sessions.delete_expired(until, DAY, 10).await.unwrap(), 1);
        assert_eq!(fixture.server.raw().await.count("auth_session_aliases").await, 0);
        assert!(sessions.find(&successor.id).await.unwrap().is_some());
        assert_eq!(sessions.find(&session.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn limits_are_swept_once_they_have_all_their_room_again() {
    for fixture in Fixture::both().await {
        let (now, limits) = (fixtures::now(), fixture.limits());
        let rate = Rate { count: NonZeroU32::new(10).unwrap(), period: 10 * MINUTE };
        let buckets: Vec<_> = (0..7).map(|number| Bucket::new("test", &number.to_string(), rate)).collect();
        assert_eq!(limits.count(&buckets, now).await.unwrap(), Room::Left);
        assert_eq!(limits.count(&buckets[..1], now).await.unwrap(), Room::Left);
        let last_moment = now.plus(MINUTE - Duration::from_millis(1));
        assert_eq!(limits.delete_expired(last_moment, 3).await.unwrap(), 0);
        assert_eq!(limits.delete_expired(now.plus(MINUTE), 3).await.unwrap(), 6);
        assert_eq!(limits.delete_expired(now.plus(2 * MINUTE), 3).await.unwrap(), 1);
    }
}

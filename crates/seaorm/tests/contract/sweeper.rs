//! Forgetting what has expired.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::code::CodePurpose;
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::code_store::{CodeStore as _, StoredCode};
use markt_domain::ports::session_store::{Creation, SessionStore as _};
use markt_domain::session::{Session, SessionId};
use markt_domain::user::UserVersion;
use markt_test_support::fixtures;

use crate::fixture::Fixture;

const MINUTE: Duration = Duration::from_secs(60);

async fn session_until(fixture: &Fixture, end: Timestamp) -> SessionId {
    let session = Session { idle_expires_at: end, ..fixtures::session(&fixtures::user_id()) };
    let creation = fixture.sessions().create(&session, UserVersion(0)).await.unwrap();
    assert_eq!(creation, Creation::Created);
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
        assert_eq!(fixture.sessions().delete_expired(now, 10).await.unwrap(), 25);
        assert_eq!(fixture.server.raw().await.count("auth_sessions").await, 25);
        for id in &kept {
            assert!(fixture.sessions().find(id).await.unwrap().is_some());
        }
        // As many as a batch or two, none, and a batch of none, which would never end.
        let later = now.plus(MINUTE);
        assert_eq!(fixture.sessions().delete_expired(now, 10).await.unwrap(), 0);
        assert_eq!(fixture.sessions().delete_expired(now.plus(Duration::from_millis(20)), 10).await.unwrap(), 20);
        assert_eq!(fixture.sessions().delete_expired(later, 0).await.unwrap(), 5);
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
            tokio::spawn(async move { one.delete_expired(now, 3).await.unwrap() }),
            tokio::spawn(async move { other.delete_expired(now, 3).await.unwrap() }),
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
    assert_eq!(fixture.sessions().delete_expired(now, 10).await.unwrap(), 3);
    raw.execute("ROLLBACK").await;
    assert_eq!(fixture.sessions().delete_expired(now, 10).await.unwrap(), 2);
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

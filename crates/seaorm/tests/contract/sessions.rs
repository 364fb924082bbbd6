//! What the session store does beyond its contract: by its own clock, and with what it has not swept yet.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore as _};
use markt_domain::session::{ENDING_REMEMBERED_FOR, Ending, Session};
use markt_domain::user::{UserId, UserVersion};
use markt_seaorm::SeaOrmSessionStore;
use markt_test_support::clock::MovableClock;
use markt_test_support::contracts::session_store::SessionStoreFixture as _;
use markt_test_support::fixtures;

use crate::fixture::{Fixture, NO_LIMIT};

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const CREATED: Creation = Creation::Created { evicted: Vec::new() };

async fn create(fixture: &Fixture, session: &Session) {
    assert_eq!(fixture.sessions().create(session, UserVersion(0), NO_LIMIT, &[]).await.unwrap(), CREATED);
}

/// Rotates it, so that its id is honoured for a minute. Returns the successor.
async fn rotate(fixture: &Fixture, session: &Session) -> Session {
    let successor = Session { id: fixtures::session(&session.user_id).id, ..session.clone() };
    let until = fixture.clock.now().plus(MINUTE);
    let rotated = fixture.sessions().rotate(&session.id, Revision(0), &successor, until).await.unwrap();
    assert_eq!(rotated, Change::Made);
    successor
}

/// One that expired a millisecond ago, of either of its clocks.
fn expired(user: &UserId, now: Timestamp) -> [Session; 2] {
    let [idle, old] = [fixtures::session(user), fixtures::session(user)];
    let just_now = Timestamp::from_unix_milliseconds(now.unix_milliseconds() - 1);
    [Session { idle_expires_at: just_now, ..idle }, Session { expires_at: just_now, ..old }]
}

/// Swept or not.
#[tokio::test]
async fn an_id_that_was_rotated_away_is_honoured_until_its_time_and_not_longer() {
    for fixture in Fixture::both().await {
        let (user, _) = fixture.new_user().await;
        let session = fixtures::session(&user);
        create(&fixture, &session).await;
        let successor = rotate(&fixture, &session).await;
        let sessions = fixture.sessions();
        fixture.clock.advance(MINUTE - MILLISECOND);
        let found = sessions.find(&session.id).await.unwrap().expect("the successor");
        assert_eq!(found.session, successor);
        assert_eq!(found.honoured_until, Some(fixture.clock.now().plus(MILLISECOND)));

        fixture.clock.advance(MILLISECOND);
        assert_eq!(sessions.find(&session.id).await.unwrap(), None);
        assert!(!sessions.delete(&session.id, Ending::LoggedOut).await.unwrap());
        let update = sessions.update(&session, Revision(1)).await.unwrap();
        assert_eq!(update, Change::Gone, "it leads nowhere");
        assert!(sessions.delete(&successor.id, Ending::LoggedOut).await.unwrap());
        assert_eq!(sessions.ending(&successor.id).await.unwrap(), Some(Ending::LoggedOut));
        assert_eq!(sessions.ending(&session.id).await.unwrap(), None);
    }
}

/// Also on a node whose clock is behind the one that rotated it.
#[tokio::test]
async fn an_id_without_a_grace_leads_nowhere_by_any_clock() {
    for fixture in Fixture::both().await {
        let (user, _) = fixture.new_user().await;
        let session = fixtures::session(&user);
        create(&fixture, &session).await;
        let sessions = fixture.sessions();
        let first = rotate(&fixture, &session).await;
        fixture.clock.advance(MINUTE * 2);
        let second = Session { id: fixtures::session(&user).id, ..first.clone() };
        let none = fixture.clock.now();
        assert_eq!(sessions.rotate(&first.id, Revision(1), &second, none).await.unwrap(), Change::Made);
        // The id of one that went before, whose time was over but which nobody had swept.
        let third = Session { id: session.id, ..second.clone() };
        assert_eq!(sessions.rotate(&second.id, Revision(2), &third, none).await.unwrap(), Change::Made);
        let fourth = Session { id: fixtures::session(&user).id, ..second.clone() };
        assert_eq!(sessions.rotate(&third.id, Revision(3), &fourth, none).await.unwrap(), Change::Made);
        let behind = Timestamp::from_unix_milliseconds(none.unix_milliseconds() - 120_000);
        let elsewhere = SeaOrmSessionStore::new(fixture.database.clone(), Arc::new(MovableClock::at(behind)));
        for former in [first.id, second.id, third.id] {
            assert_eq!(elsewhere.find(&former).await.unwrap(), None);
        }
        assert!(elsewhere.find(&fourth.id).await.unwrap().is_some());
    }
}

/// Swept or not.
#[tokio::test]
async fn an_ending_is_told_for_a_day() {
    for fixture in Fixture::both().await {
        let session = fixtures::session(&fixtures::user_id());
        create(&fixture, &session).await;
        let sessions = fixture.sessions();
        assert!(sessions.delete(&session.id, Ending::BindingMismatch).await.unwrap());
        fixture.clock.advance(ENDING_REMEMBERED_FOR - MILLISECOND);
        assert_eq!(sessions.ending(&session.id).await.unwrap(), Some(Ending::BindingMismatch));
        fixture.clock.advance(MILLISECOND);
        assert_eq!(sessions.ending(&session.id).await.unwrap(), None);
    }
}

/// It would take a session from its user that has nothing to give way to.
#[tokio::test]
async fn expired_sessions_do_not_count_towards_a_users_most() {
    for fixture in Fixture::both().await {
        let (user, _) = fixture.new_user().await;
        let living = fixtures::session(&user);
        create(&fixture, &living).await;
        for session in expired(&user, fixture.clock.now()) {
            create(&fixture, &session).await;
        }
        let two = NonZeroU32::new(2).unwrap();
        let newcomer = fixtures::session(&user);
        assert_eq!(fixture.sessions().create(&newcomer, UserVersion(0), two, &[]).await.unwrap(), CREATED);
        let evicted = fixture.sessions().create(&fixtures::session(&user), UserVersion(0), two, &[]).await.unwrap();
        let Creation::Created { evicted } = evicted else { panic!("{evicted:?}") };
        assert_eq!(evicted.len(), 1);
        assert!([living.id, newcomer.id].contains(&evicted[0]));
    }
}

/// It was not by that that they ended.
#[tokio::test]
async fn expired_sessions_are_not_ended_with_an_epoch() {
    for fixture in Fixture::both().await {
        let (user, _) = fixture.new_user().await;
        let expired = expired(&user, fixture.clock.now());
        for session in expired.iter().chain([&fixtures::session(&user)]) {
            create(&fixture, session).await;
        }
        let state = fixture.begin_epoch(&user, None).await;
        let ended = fixture.sessions().delete_before_epoch(&user, state, None, Ending::PasswordReset).await.unwrap();
        assert_eq!(ended, 1);
        for session in &expired {
            assert_eq!(fixture.sessions().find(&session.id).await.unwrap().unwrap().session, *session);
            assert_eq!(fixture.sessions().ending(&session.id).await.unwrap(), None);
        }
    }
}

/// However late the touch comes that was on its way.
#[tokio::test]
async fn a_touch_never_revives_an_expired_session() {
    for fixture in Fixture::both().await {
        let user = fixtures::user_id();
        for session in expired(&user, fixture.clock.now()) {
            let session = Session { last_activity: Timestamp::from_unix_milliseconds(0), ..session };
            create(&fixture, &session).await;
            let now = fixture.clock.now();
            fixture.sessions().touch(&session.id, now, now.plus(MINUTE)).await.unwrap();
            assert_eq!(fixture.sessions().find(&session.id).await.unwrap().unwrap().session, session);
        }
    }
}

/// A later version may know more endings than this one.
#[tokio::test]
async fn an_ending_that_nobody_knows_says_nothing() {
    for fixture in Fixture::both().await {
        let session = fixtures::session(&fixtures::user_id());
        create(&fixture, &session).await;
        assert!(fixture.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
        fixture.server.raw().await.execute("UPDATE auth_ended_sessions SET ending = 'nonsense'").await;
        assert_eq!(fixture.sessions().ending(&session.id).await.unwrap(), None);
    }
}

/// Else its client would hear that nobody knows it, and not how it ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_rotated_while_its_epoch_ends_is_remembered_under_its_new_id() {
    let fixture = Fixture::postgres().await;
    let (user, _) = fixture.new_user().await;
    let session = fixtures::session(&user);
    create(&fixture, &session).await;
    let state = fixture.begin_epoch(&user, None).await;
    let successor = fixtures::session(&user).id;

    // What another node's rotation does, held up before its end.
    let (rotating, watching) = (fixture.server.raw().await, fixture.server.raw().await);
    rotating.execute(&format!("BEGIN; UPDATE auth_sessions SET id = '\\x{successor}'")).await;
    let (sessions, user) = (fixture.sessions(), user.clone());
    let ending = tokio::spawn(async move {
        sessions.delete_before_epoch(&user, state, None, Ending::LoggedOutEverywhere).await.unwrap()
    });
    let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while watching.count(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    rotating.execute("COMMIT").await;

    assert_eq!(ending.await.unwrap(), 1);
    assert_eq!(fixture.sessions().find(&successor).await.unwrap(), None);
    assert_eq!(fixture.sessions().ending(&successor).await.unwrap(), Some(Ending::LoggedOutEverywhere));
    assert_eq!(fixture.sessions().ending(&session.id).await.unwrap(), None);
}

//! Many writers at once.

use std::sync::Arc;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Creation, SessionStore as _};
use markt_domain::ports::user_store::UserStore as _;
use markt_domain::session::Ending;
use markt_domain::user::UserVersion;
use markt_seaorm::{Database, SeaOrmSessionStore, SeaOrmUserStore};
use markt_test_support::contracts::session_store::SessionStoreFixture as _;
use markt_test_support::fixtures;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixture::{Fixture, NO_LIMIT, clock, network};

/// SQLite has one writer at a time: nobody may be told that it is busy. Half of them write as the command line does,
/// from another process: past the service's own queue. SQLite gives nobody their turn, so that an operation of the one
/// process may wait for all that the other one writes: twenty commits, which slow disks too make before its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_writers_at_once_all_succeed() {
    const WRITERS: usize = 10;
    for fixture in Fixture::both().await {
        let other_process = Database::connect(fixture.server.url()).await.unwrap();
        let start = Arc::new(Barrier::new(WRITERS));
        let mut tasks = JoinSet::new();
        for number in 0..WRITERS {
            let database = if number % 2 == 0 { &fixture.database } else { &other_process };
            let (users, sessions) =
                (SeaOrmUserStore::new(database.clone(), clock()), SeaOrmSessionStore::new(database.clone(), clock()));
            let start = Arc::clone(&start);
            tasks.spawn(async move {
                start.wait().await;
                let new = fixtures::new_seller();
                users.create(&new).await.unwrap();
                let version = users.record_login(&new.id, network(), fixtures::now()).await.unwrap().unwrap();
                let session = fixtures::session(&new.id);
                assert_eq!(
                    sessions.create(&session, version, NO_LIMIT, &[]).await.unwrap(),
                    Creation::Created { evicted: vec![] }
                );
                assert!(sessions.find(&session.id).await.unwrap().is_some());
                assert!(sessions.delete(&session.id, Ending::LoggedOut).await.unwrap());
            });
        }
        while let Some(finished) = tasks.join_next().await {
            finished.unwrap();
        }
        let raw = fixture.server.raw().await;
        assert_eq!(raw.count("users").await, i64::try_from(WRITERS).unwrap());
        assert_eq!(raw.count("auth_sessions").await, 0);
    }
}

/// In one database, nobody needs to tell the session store: the join does.
#[tokio::test]
async fn a_change_of_the_user_shows_in_the_sessions_without_being_told() {
    for fixture in Fixture::both().await {
        let (user, state) = fixture.new_user().await;
        let session = fixtures::session(&user);
        fixture.sessions().create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
        let version = fixture.users().record_login(&user, network(), fixtures::now()).await.unwrap().unwrap();
        assert!(version > state.version);
        let found = fixture.sessions().find(&session.id).await.unwrap().unwrap();
        assert_eq!(found.user_version, version);
    }
}

/// Even before they are deleted: their reader sees that the user was changed, and compares the epochs anew.
#[tokio::test]
async fn sessions_are_told_to_be_dead_from_the_moment_that_a_new_epoch_begins() {
    for fixture in Fixture::both().await {
        let (user, state) = fixture.new_user().await;
        let (others, mine) = (fixtures::session(&user), fixtures::session(&user));
        fixture.sessions().create(&others, state.version, NO_LIMIT, &[]).await.unwrap();
        fixture.sessions().create(&mine, state.version, NO_LIMIT, &[]).await.unwrap();
        let state = fixture.users().begin_session_epoch(&user, Some(mine.family)).await.unwrap();
        for (session, admitted) in [(&others, false), (&mine, true)] {
            let found = fixture.sessions().find(&session.id).await.unwrap().expect("a session that nobody deleted");
            assert_eq!(found.user_version, state.version);
            let account = fixture.users().find(&user).await.unwrap().expect("the user");
            assert_eq!(account.state.admits(&found.session), admitted);
        }
        assert_eq!(
            fixture.sessions().create(&fixtures::session(&user), UserVersion(9), NO_LIMIT, &[]).await.unwrap(),
            Creation::Superseded
        );
    }
}

#[tokio::test]
async fn what_is_written_outlives_the_connection() {
    for fixture in Fixture::both().await {
        let (user, state) = fixture.new_user().await;
        let session = fixtures::session(&user);
        fixture.sessions().create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
        fixture.database.close().await;
        let database = Database::connect(fixture.server.url()).await.unwrap();
        let found = SeaOrmSessionStore::new(database, clock()).find(&session.id).await.unwrap();
        assert_eq!(found.unwrap().session, session);
    }
}

#[tokio::test]
async fn times_before_the_epoch_and_far_away_are_kept() {
    for fixture in Fixture::both().await {
        let (user, state) = fixture.new_user().await;
        let mut session = fixtures::session(&user);
        session.created_at = Timestamp::from_unix_milliseconds(-1);
        session.expires_at = Timestamp::from_unix_milliseconds(i64::MAX);
        fixture.sessions().create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
        assert_eq!(fixture.sessions().find(&session.id).await.unwrap().unwrap().session, session);
    }
}

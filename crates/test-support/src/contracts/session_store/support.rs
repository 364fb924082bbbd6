//! What the suite's promises are checked with.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Creation, SessionStore, StoredSession};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::SessionStoreFixture;
use crate::fixtures;

pub(super) type Fixture<'a> = &'a dyn SessionStoreFixture;

/// More sessions than any user has.
pub(super) const NO_LIMIT: NonZeroU32 = NonZeroU32::MAX;

/// The answer to a login that nothing gave way to.
pub(super) const CREATED: Creation = Creation::Created { evicted: Vec::new() };

pub(super) fn session_of(user: &UserId, state: UserState) -> Session {
    Session { epoch: state.epoch, ..fixtures::session(user) }
}

pub(super) async fn create(fixture: Fixture<'_>, session: &Session, version: UserVersion) {
    let creation = fixture.store().create(session, version, NO_LIMIT, &[]).await.unwrap();
    assert_eq!(creation, CREATED);
}

/// A new user whom this id suits, too: anybody, where all ids suit everybody.
pub(super) async fn user_that_suits(fixture: Fixture<'_>, id: &SessionId) -> (UserId, UserState) {
    loop {
        let (user, state) = fixture.new_user().await;
        if fixture.store().suits(id, &user) {
            return (user, state);
        }
    }
}

/// A new user's session, created.
pub(crate) async fn new_session(fixture: Fixture<'_>) -> (UserId, UserState, Session) {
    let (user, state) = fixture.new_user().await;
    session_of_new(fixture, user, state).await
}

/// The same, of a user whom this id suits, too.
pub(super) async fn new_session_beside(fixture: Fixture<'_>, id: &SessionId) -> (UserId, UserState, Session) {
    let (user, state) = user_that_suits(fixture, id).await;
    session_of_new(fixture, user, state).await
}

async fn session_of_new(fixture: Fixture<'_>, user: UserId, state: UserState) -> (UserId, UserState, Session) {
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    (user, state, session)
}

/// A new user's session, created.
pub(crate) async fn created_session(fixture: Fixture<'_>) -> Session {
    new_session(fixture).await.2
}

/// Creates so many sessions of one user at once, and returns their ids.
pub(super) async fn create_many(
    fixture: Fixture<'_>,
    user: &UserId,
    state: UserState,
    count: usize,
) -> HashSet<SessionId> {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (store, session) = (fixture.store(), session_of(user, state));
        tasks.spawn(async move {
            let creation = store.create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
            assert_eq!(creation, CREATED);
            session.id
        });
    }
    let ids: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), count);
    ids
}

pub(super) async fn find(fixture: Fixture<'_>, id: &SessionId) -> Option<StoredSession> {
    fixture.store().find(id).await.unwrap()
}

/// The session with this id, which must be there.
pub(crate) async fn found(fixture: Fixture<'_>, id: &SessionId) -> StoredSession {
    find(fixture, id).await.expect("a session that is there")
}

pub(super) async fn version_of(fixture: Fixture<'_>, id: &SessionId) -> UserVersion {
    found(fixture, id).await.user_version
}

pub(super) async fn log_out(fixture: Fixture<'_>, id: &SessionId) -> bool {
    fixture.store().delete(id, Ending::LoggedOut).await.unwrap()
}

pub(super) async fn ending(fixture: Fixture<'_>, id: &SessionId) -> Option<Ending> {
    fixture.store().ending(id).await.unwrap()
}

/// The ids of the user's sessions, each of which must be listed once.
pub(super) async fn listed(fixture: Fixture<'_>, user: &UserId) -> HashSet<SessionId> {
    let list = fixture.store().list(user).await.unwrap();
    let ids: HashSet<_> = list.iter().map(|stored| stored.session.id).collect();
    assert_eq!(ids.len(), list.len(), "a session is listed twice");
    ids
}

/// The session under a new id.
pub(super) fn successor_of(session: &Session) -> Session {
    Session { id: fixtures::session(&session.user_id).id, ..session.clone() }
}

/// A grace that no test outlives.
pub(super) fn grace() -> Timestamp {
    fixtures::now().plus(Duration::from_secs(3600))
}

/// Rotates a session that nobody else changes, and returns its successor.
pub(crate) async fn rotate(fixture: Fixture<'_>, old: &SessionId) -> Session {
    let before = found(fixture, old).await;
    let successor = successor_of(&before.session);
    let change = fixture.store().rotate(old, before.revision, &successor, grace()).await.unwrap();
    assert_eq!(change, Change::Made);
    successor
}

/// Begins a new epoch, and tells the store. Returns how many sessions that ended.
pub(super) async fn end_epoch(fixture: Fixture<'_>, user: &UserId) -> (UserState, u64) {
    end_epoch_but_for(fixture, user, None).await
}

/// Begins a new epoch that one session outlives, and tells the store. Returns how many sessions that ended.
pub(super) async fn end_epoch_but_for(
    fixture: Fixture<'_>,
    user: &UserId,
    keep: Option<SessionFamily>,
) -> (UserState, u64) {
    let state = fixture.begin_epoch(user, keep).await;
    (state, tell_of_epoch(fixture, user, state, keep).await)
}

/// Tells the store of an epoch that began. Returns how many sessions that ended.
pub(super) async fn tell_of_epoch(
    fixture: Fixture<'_>,
    user: &UserId,
    state: UserState,
    keep: Option<SessionFamily>,
) -> u64 {
    fixture.store().delete_before_epoch(user, state, keep, Ending::LoggedOutEverywhere).await.unwrap()
}

/// Changes the user, and tells the store.
pub(super) async fn change_user(fixture: Fixture<'_>, user: &UserId) -> UserVersion {
    let version = fixture.change_user(user).await;
    fixture.store().user_changed(user, version).await.unwrap();
    version
}

/// Runs all of them at once, and returns what they said.
pub(super) async fn all_at_once<T, F>(racers: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let racers: Vec<_> = racers.into_iter().collect();
    let start = Arc::new(Barrier::new(racers.len()));
    let mut tasks = JoinSet::new();
    for racer in racers {
        let start = Arc::clone(&start);
        tasks.spawn(async move {
            start.wait().await;
            racer.await
        });
    }
    tasks.join_all().await
}

/// Runs both at once, and returns what they said.
pub(super) async fn at_once<A, B>(
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let start = Arc::new(Barrier::new(2));
    let starts_too = Arc::clone(&start);
    let first = tokio::spawn(async move {
        starts_too.wait().await;
        first.await
    });
    start.wait().await;
    let second = second.await;
    (first.await.unwrap(), second)
}

/// Lets a racer fall back a little, by a different stretch in each round, so that the race ends in each way.
pub(super) async fn fall_back(store: &dyn SessionStore, round: usize) {
    let nobodys = fixtures::session(&fixtures::user_id()).id;
    for _ in 0..round % 4 {
        store.find(&nobodys).await.unwrap();
    }
}

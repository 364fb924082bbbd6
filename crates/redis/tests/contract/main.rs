//! The contract suites and the adapter's own promises, over a real Redis: the one that `TEST_REDIS_URL` names, and
//! servers of the tests' own (`redis-server` must be installed) where they are counted on, or maltreated.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on says so by a panic"
)]

mod costs;
mod directory;
mod endings;
mod facts;
mod failovers;
mod keys;
mod limits;
mod logs;
mod outage;
mod raw;
mod suites;
mod unreadable;
mod writes;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Creation, SessionStore as _, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};
use markt_redis::{ConnectOptions, RedisStores};
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::Replicated;

use crate::raw::Raw;

/// As many sessions as a user likes.
const MANY: NonZeroU32 = NonZeroU32::MAX;

/// The stores of this Redis, by a clock that shows the present.
async fn stores(url: &str) -> RedisStores {
    stores_at(url, fixtures::now()).await
}

/// The stores of this Redis, by a clock that shows this time.
async fn stores_at(url: &str, now: Timestamp) -> RedisStores {
    stores_with(url, ConnectOptions::default(), Arc::new(MovableClock::at(now))).await
}

/// The stores of this Redis, by this clock.
async fn stores_with(url: &str, options: ConnectOptions, clock: Arc<MovableClock>) -> RedisStores {
    RedisStores::connect(&url.parse().unwrap(), options, clock).await.unwrap()
}

/// Creates a session of a new user, and returns it.
async fn create(stores: &RedisStores) -> Session {
    let session = Session { current_role: Role::Seller, ..fixtures::session(&fixtures::user_id()) };
    create_this(stores, &session).await;
    session
}

async fn create_this(stores: &RedisStores, session: &Session) {
    let creation = stores.sessions().create(session, UserVersion(3), MANY, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: Vec::new() });
}

/// The session with this one's id, which must be there.
async fn find(stores: &RedisStores, session: &Session) -> StoredSession {
    stores.sessions().find(&session.id).await.unwrap().expect("a session that is there")
}

/// A session that lives for so many milliseconds.
fn brief(user: &UserId, milliseconds: u64) -> Session {
    let session = fixtures::session(user);
    let idle_expires_at = session.created_at.plus(Duration::from_millis(milliseconds));
    Session { idle_expires_at, ..session }
}

/// A user's counters at the begin of this epoch.
fn epoch(epoch: i64) -> UserState {
    UserState { epoch: SessionEpoch(epoch), version: UserVersion(3 + epoch), ..UserState::default() }
}

fn session_key(session: &Session) -> String {
    format!("session:{}", session.id)
}

/// The key of the session with this id on these servers.
fn session_key_on(servers: &Replicated, id: &SessionId) -> String {
    match servers {
        Replicated::Sentinels(_) => format!("session:{id}"),
        Replicated::Cluster(_) => format!("session:{{{}}}{id}", &id.to_string()[..3]),
    }
}

fn ended_key(session: &Session) -> String {
    format!("ended:{}", &session.id.to_string()[..16])
}

fn index_key(user: &UserId) -> String {
    format!("user-sessions:{user}")
}

async fn until_gone(redis: &Raw, key: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while redis.exists(key).await {
        assert!(Instant::now() < deadline, "{key} outlives its end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

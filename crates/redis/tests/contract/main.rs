//! The contract suites and the adapter's own promises, over a real Redis: the one that `TEST_REDIS_URL` names, and
//! servers of the tests' own (`redis-server` must be installed) where they are counted on, or maltreated.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on says so by a panic"
)]

mod keys;
mod logs;
mod outage;
mod raw;
mod sentinel;
mod suites;
mod unreadable;

use std::sync::Arc;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Creation, SessionStore as _};
use markt_domain::role::Role;
use markt_domain::session::Session;
use markt_domain::user::UserVersion;
use markt_redis::{ConnectOptions, RedisStores};
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;

/// The stores of this Redis, by a clock that shows the present.
async fn stores(url: &str) -> RedisStores {
    stores_at(url, fixtures::now()).await
}

/// The stores of this Redis, by a clock that shows this time.
async fn stores_at(url: &str, now: Timestamp) -> RedisStores {
    let clock = Arc::new(MovableClock::at(now));
    RedisStores::connect(&url.parse().unwrap(), ConnectOptions::default(), clock).await.unwrap()
}

/// Creates a session of a new user, and returns it.
async fn create(stores: &RedisStores) -> Session {
    let session = Session { current_role: Role::Seller, ..fixtures::session(&fixtures::user_id()) };
    create_this(stores, &session).await;
    session
}

async fn create_this(stores: &RedisStores, session: &Session) {
    let creation = stores.sessions().create(session, UserVersion(3)).await.unwrap();
    assert_eq!(creation, Creation::Created);
}

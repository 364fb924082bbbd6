//! The suites that every adapter passes.

use std::sync::Arc;

use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::invalidations::Invalidations;
use markt_domain::ports::rate_limiter::RateLimiter;
use markt_domain::ports::session_directory::SessionDirectory;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::session::{SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use markt_redis::{RedisInvalidations, RedisSessionStore, RedisStores};
use markt_test_support::contracts::code_store::CodeStoreFixture;
use markt_test_support::contracts::invalidations::InvalidationsFixture;
use markt_test_support::contracts::rate_limiter::RateLimiterFixture;
use markt_test_support::contracts::session_directory::SessionDirectoryFixture;
use markt_test_support::contracts::session_store::{SessionStoreFixture, UserCounters};
use markt_test_support::stores::redis_url;
use markt_test_support::{
    code_store_contract, fixtures, invalidations_contract, rate_limiter_contract, session_directory_contract,
    session_store_contract,
};

use crate::raw::Raw;

struct RedisFixture {
    stores: RedisStores,
    counters: UserCounters,
}

/// Sessions that a cache could be kept over.
struct TrackedFixture {
    plain: RedisFixture,
    sessions: Arc<RedisSessionStore>,
    invalidations: Arc<RedisInvalidations>,
}

impl TrackedFixture {
    async fn start() -> Self {
        let plain = RedisFixture::start().await;
        let (sessions, invalidations) = plain.stores.tracked_sessions();
        Self { plain, sessions: Arc::new(sessions), invalidations: Arc::new(invalidations) }
    }
}

#[async_trait::async_trait]
impl SessionStoreFixture for TrackedFixture {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.sessions) as _
    }

    async fn new_user(&self) -> (UserId, UserState) {
        self.plain.counters.new_user()
    }

    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        self.plain.counters.begin_epoch(user, keep)
    }

    async fn change_user(&self, user: &UserId) -> UserVersion {
        self.plain.counters.change_user(user)
    }
}

impl InvalidationsFixture for TrackedFixture {
    fn invalidations(&self) -> Arc<dyn Invalidations> {
        Arc::clone(&self.invalidations) as _
    }

    fn other(&self) -> Arc<dyn SessionStore> {
        SessionStoreFixture::store(&self.plain)
    }
}

impl RedisFixture {
    async fn start() -> Self {
        Self { stores: super::stores(&redis_url()).await, counters: UserCounters::default() }
    }
}

#[async_trait::async_trait]
impl SessionStoreFixture for RedisFixture {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.stores.sessions())
    }

    async fn new_user(&self) -> (UserId, UserState) {
        self.counters.new_user()
    }

    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        self.counters.begin_epoch(user, keep)
    }

    async fn change_user(&self, user: &UserId) -> UserVersion {
        self.counters.change_user(user)
    }
}

#[async_trait::async_trait]
impl SessionDirectoryFixture for RedisFixture {
    fn directory(&self) -> Arc<dyn SessionDirectory> {
        Arc::new(self.stores.directory())
    }

    async fn spoil(&self, id: &SessionId) {
        let redis = Raw::connect(&redis_url()).await;
        let _: () = redis.send(["SET", &format!("session:{id}"), "garbage", "EX", "60"]).await;
    }
}

#[async_trait::async_trait]
impl CodeStoreFixture for RedisFixture {
    fn store(&self) -> Arc<dyn CodeStore> {
        Arc::new(self.stores.codes())
    }

    async fn new_user(&self) -> UserId {
        fixtures::user_id()
    }
}

impl RateLimiterFixture for RedisFixture {
    fn store(&self) -> Arc<dyn RateLimiter> {
        Arc::new(self.stores.limits())
    }
}

session_store_contract!(sessions, RedisFixture::start());
session_directory_contract!(directory, RedisFixture::start());
invalidations_contract!(invalidations, TrackedFixture::start());
code_store_contract!(codes, RedisFixture::start());
rate_limiter_contract!(limits, RedisFixture::start());

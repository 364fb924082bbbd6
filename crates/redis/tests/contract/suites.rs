//! The suites that every adapter passes.

use std::sync::Arc;

use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::rate_limiter::RateLimiter;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::session::SessionFamily;
use markt_domain::user::{UserId, UserState, UserVersion};
use markt_redis::RedisStores;
use markt_test_support::contracts::code_store::CodeStoreFixture;
use markt_test_support::contracts::rate_limiter::RateLimiterFixture;
use markt_test_support::contracts::session_store::{SessionStoreFixture, UserCounters};
use markt_test_support::stores::redis_url;
use markt_test_support::{code_store_contract, fixtures, rate_limiter_contract, session_store_contract};

struct RedisFixture {
    stores: RedisStores,
    counters: UserCounters,
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
code_store_contract!(codes, RedisFixture::start());
rate_limiter_contract!(limits, RedisFixture::start());

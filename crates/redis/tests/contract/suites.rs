//! The suites that every adapter passes.

use std::sync::Arc;

use markt_domain::Timestamp;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::invalidations::Invalidations;
use markt_domain::ports::rate_limiter::RateLimiter;
use markt_domain::ports::session_directory::SessionDirectory;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::session::{SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use markt_redis::{ConnectOptions, RedisInvalidations, RedisSessionStore, RedisStores, keys};
use markt_test_support::contracts::code_store::CodeStoreFixture;
use markt_test_support::contracts::invalidations::InvalidationsFixture;
use markt_test_support::contracts::rate_limiter::RateLimiterFixture;
use markt_test_support::contracts::session_directory::SessionDirectoryFixture;
use markt_test_support::contracts::session_store::{SessionStoreFixture, UserCounters};
use markt_test_support::stores::{Replicated, redis_url};
use markt_test_support::{
    code_store_contract, fixtures, invalidations_contract, rate_limiter_contract, session_directory_contract,
    session_store_contract,
};
use tokio::sync::Mutex;

use crate::raw::Raw;
use crate::session_key_on;

struct RedisFixture {
    stores: RedisStores,
    counters: UserCounters,
    /// The servers, if it has its own.
    servers: Option<Mutex<Replicated>>,
}

/// Sessions that a cache could be kept over.
struct TrackedFixture {
    plain: RedisFixture,
    sessions: Arc<RedisSessionStore>,
    invalidations: Arc<RedisInvalidations>,
}

impl TrackedFixture {
    fn over(plain: RedisFixture) -> Self {
        let (sessions, invalidations) = plain.stores.tracked_sessions();
        Self { plain, sessions: Arc::new(sessions), invalidations: Arc::new(invalidations) }
    }
}

/// The machine's clock.
struct Present;

impl Clock for Present {
    fn now(&self) -> Timestamp {
        fixtures::now()
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
        Self { stores: super::stores(&redis_url()).await, counters: UserCounters::default(), servers: None }
    }

    async fn on(servers: Replicated) -> Self {
        // One that goes on, since all promises of a suite are held against the same servers.
        let clock = Arc::new(Present);
        let stores = RedisStores::connect(&servers.url().parse().unwrap(), ConnectOptions::default(), clock).await;
        let stores = stores.unwrap();
        Self { stores, counters: UserCounters::default(), servers: Some(Mutex::new(servers)) }
    }

    async fn behind_sentinels() -> Self {
        Self::on(Replicated::behind_sentinels().await).await
    }

    async fn on_a_cluster() -> Self {
        fixtures::suit_ids_by(keys::suit_on_a_cluster);
        Self::on(Replicated::as_cluster().await).await
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
        let (key, url) = match &self.servers {
            Some(servers) => {
                let mut servers = servers.lock().await;
                let key = session_key_on(&servers, id);
                let url = servers.url_of(&key).await;
                (key, url)
            }
            None => (format!("session:{id}"), redis_url()),
        };
        let redis = Raw::connect(&url).await;
        let _: () = redis.send(["SET", &key, "garbage", "EX", "60"]).await;
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
invalidations_contract!(invalidations, async { TrackedFixture::over(RedisFixture::start().await) });
code_store_contract!(codes, RedisFixture::start());
rate_limiter_contract!(limits, RedisFixture::start());

session_store_contract!(sessions_behind_sentinels, RedisFixture::behind_sentinels(), in_turn);
session_directory_contract!(directory_behind_sentinels, RedisFixture::behind_sentinels(), in_turn);
invalidations_contract!(
    invalidations_behind_sentinels,
    async { TrackedFixture::over(RedisFixture::behind_sentinels().await) },
    in_turn
);
code_store_contract!(codes_behind_sentinels, RedisFixture::behind_sentinels(), in_turn);
rate_limiter_contract!(limits_behind_sentinels, RedisFixture::behind_sentinels(), in_turn);

session_store_contract!(sessions_on_a_cluster, RedisFixture::on_a_cluster(), in_turn);
session_directory_contract!(directory_on_a_cluster, RedisFixture::on_a_cluster(), in_turn);
invalidations_contract!(
    invalidations_on_a_cluster,
    async { TrackedFixture::over(RedisFixture::on_a_cluster().await) },
    in_turn
);
code_store_contract!(codes_on_a_cluster, RedisFixture::on_a_cluster(), in_turn);
rate_limiter_contract!(limits_on_a_cluster, RedisFixture::on_a_cluster(), in_turn);

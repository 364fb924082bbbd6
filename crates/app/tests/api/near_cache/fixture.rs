//! A near cache that is kept true, and the same store as another process has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use markt_domain::client::Network;
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::invalidations::Invalidations;
use markt_domain::ports::session_store::{SessionStore, StoredSession};
use markt_domain::ports::user_store::UserStore as _;
use markt_domain::session::{Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use markt_near_cache::{NearCache, Options};
use markt_redis::{ConnectOptions, RedisStores};
use markt_seaorm::{Database, SeaOrmSessionStore, SeaOrmUserStore, SqliteInvalidations, migrate};
use markt_test_support::clock::MovableClock;
use markt_test_support::contracts::session_store::{SessionStoreFixture, UserCounters};
use markt_test_support::fixtures;
use markt_test_support::stores::{SqliteDatabase, redis_url};
use tokio::task::JoinHandle;

use super::held_back::{HeldBack, Holding};

/// Longer than it takes until anything is told.
const PATIENCE: Duration = Duration::from_secs(20);

/// What tests configure.
pub const OPTIONS: Options =
    Options { capacity: 10_000, max_staleness: Duration::from_secs(1), flush_interval: Duration::from_secs(3600) };

/// What has a near cache over some store.
#[async_trait]
pub trait Cache: SessionStore {
    async fn flush_touches(&self) -> Result<(), StoreError>;
}

#[async_trait]
impl<S: SessionStore + 'static> Cache for NearCache<S> {
    async fn flush_touches(&self) -> Result<(), StoreError> {
        self.flush().await
    }
}

/// A near cache, which writes touches only when it is told to.
pub struct Near {
    pub cache: Arc<dyn Cache>,
    /// The same sessions, by way of another process.
    pub other: Arc<dyn SessionStore>,
    users: Users,
    upkeep: JoinHandle<()>,
}

enum Users {
    Counted(UserCounters),
    /// In a file, which goes with this.
    Kept(SeaOrmUserStore, #[expect(dead_code, reason = "holds the file")] SqliteDatabase),
}

impl Drop for Near {
    fn drop(&mut self) {
        self.upkeep.abort();
    }
}

impl Near {
    pub async fn over_redis() -> Self {
        Self::over_redis_at(&redis_url(), OPTIONS).await
    }

    pub async fn over_redis_at(url: &str, options: Options) -> Self {
        let url = url.parse().unwrap();
        let connect = || RedisStores::connect(&url, ConnectOptions::default(), clock());
        let other = Arc::new(connect().await.unwrap().sessions());
        let (store, invalidations) = connect().await.unwrap().tracked_sessions();
        Self::over(store, invalidations, other, Users::Counted(UserCounters::default()), options).await
    }

    pub async fn over_sqlite() -> Self {
        Self::over_sqlite_held_back(Holding::default()).await
    }

    /// The same, over a store whose answers can be held back.
    pub async fn over_sqlite_held_back(holding: Holding) -> Self {
        let file = SqliteDatabase::create();
        let (here, there) =
            (Database::connect(file.url()).await.unwrap(), Database::connect(file.url()).await.unwrap());
        migrate(&here).await.unwrap();
        let users = SeaOrmUserStore::new(here.clone(), clock());
        let store = HeldBack { store: SeaOrmSessionStore::new(here.clone(), clock()), holding };
        let other = Arc::new(SeaOrmSessionStore::new(there, clock()));
        let invalidations = SqliteInvalidations::of(&here).unwrap();
        Self::over(store, invalidations, other, Users::Kept(users, file), OPTIONS).await
    }

    async fn over<S: SessionStore + 'static>(
        store: S,
        invalidations: impl Invalidations + 'static,
        other: Arc<dyn SessionStore>,
        users: Users,
        options: Options,
    ) -> Self {
        let cache = NearCache::new(store, options);
        let running = cache.clone();
        let upkeep = tokio::spawn(async move { running.run(&invalidations).await });
        let near = Self { cache: Arc::new(cache), other, users, upkeep };
        near.until_trusted().await;
        near
    }

    /// A session that is held.
    pub async fn held(&self) -> Session {
        let session = self.created().await;
        self.hold(&session.id).await;
        session
    }

    /// A session that was created just now.
    pub async fn created(&self) -> Session {
        let (user, state) = self.new_user().await;
        let session = Session { epoch: state.epoch, ..fixtures::session(&user) };
        self.create(&session, state.version).await;
        session
    }

    pub async fn create(&self, session: &Session, version: UserVersion) {
        let creation = self.cache.create(session, version, std::num::NonZeroU32::MAX, &[]).await.unwrap();
        assert_eq!(creation, markt_domain::ports::session_store::Creation::Created { evicted: Vec::new() });
    }

    /// Has this session held: finds it, and again should something have come in between.
    pub async fn hold(&self, id: &SessionId) -> Arc<StoredSession> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(self.cache.find(id).await.unwrap().is_some(), "there is no such session");
            if let Some(held) = self.cache.peek(id) {
                return held;
            }
            assert!(Instant::now() < deadline, "{id} isn't held");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn holds(&self, id: &SessionId) -> bool {
        self.cache.peek(id).is_some()
    }

    pub async fn until_not_held(&self, id: &SessionId) {
        let deadline = Instant::now() + PATIENCE;
        while self.holds(id) {
            assert!(Instant::now() < deadline, "{id} is still held");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until the store answers both processes, all of whose connections may have been lost.
    async fn until_answered(&self) {
        let deadline = Instant::now() + PATIENCE;
        let nobodys = fixtures::session(&fixtures::user_id()).id;
        while self.cache.find(&nobodys).await.is_err() || self.other.find(&nobodys).await.is_err() {
            assert!(Instant::now() < deadline, "the store doesn't answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until something can be held, and goes on being held.
    pub async fn until_trusted(&self) {
        self.until_answered().await;
        let session = self.created().await;
        let deadline = Instant::now() + PATIENCE;
        let mut held_before = false;
        loop {
            self.hold(&session.id).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
            let is_held = self.holds(&session.id);
            if is_held && held_before {
                return;
            }
            held_before = is_held;
            assert!(Instant::now() < deadline, "nothing goes on being held");
        }
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(MovableClock::at_present())
}

#[async_trait]
impl SessionStoreFixture for Near {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.cache) as _
    }

    async fn new_user(&self) -> (UserId, UserState) {
        match &self.users {
            Users::Counted(counters) => counters.new_user(),
            Users::Kept(users, _) => {
                let new = fixtures::new_buyer();
                let account = users.create(&new).await.unwrap();
                (new.id, account.state)
            }
        }
    }

    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        match &self.users {
            Users::Counted(counters) => counters.begin_epoch(user, keep),
            Users::Kept(users, _) => users.begin_session_epoch(user, keep).await.unwrap(),
        }
    }

    async fn change_user(&self, user: &UserId) -> UserVersion {
        match &self.users {
            Users::Counted(counters) => counters.change_user(user),
            Users::Kept(users, _) => {
                let network = Network::of([192, 0, 2, 7].into());
                users.record_login(user, network, fixtures::now()).await.unwrap().unwrap()
            }
        }
    }
}

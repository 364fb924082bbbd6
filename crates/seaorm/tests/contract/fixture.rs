//! A database of the test's own, and the stores in it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use async_trait::async_trait;
use markt_domain::client::Network;
use markt_domain::ports::audit_log::AuditTrail;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::invalidations::Invalidations;
use markt_domain::ports::rate_limiter::RateLimiter;
use markt_domain::ports::session_directory::SessionDirectory;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::ports::spent_tokens::SpentTokens;
use markt_domain::ports::user_store::UserStore;
use markt_domain::session::{SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use markt_seaorm::{
    Database, SeaOrmAuditTrail, SeaOrmCodeStore, SeaOrmRateLimiter, SeaOrmSessionDirectory, SeaOrmSessionStore,
    SeaOrmSpentTokens, SeaOrmUserStore, SqliteInvalidations, migrate,
};
use markt_test_support::clock::MovableClock;
use markt_test_support::contracts::audit_trail::AuditTrailFixture;
use markt_test_support::contracts::code_store::CodeStoreFixture;
use markt_test_support::contracts::invalidations::InvalidationsFixture;
use markt_test_support::contracts::rate_limiter::RateLimiterFixture;
use markt_test_support::contracts::session_directory::SessionDirectoryFixture;
use markt_test_support::contracts::session_store::SessionStoreFixture;
use markt_test_support::contracts::spent_tokens::SpentTokensFixture;
use markt_test_support::contracts::user_store::UserStoreFixture;
use markt_test_support::fixtures;
use markt_test_support::stores::{PostgresDatabase, SqliteDatabase};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, QueryResult, Statement};

/// An empty database. Dropped with this value.
pub(crate) enum Server {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

impl Server {
    pub(crate) async fn both() -> [Self; 2] {
        [Self::Sqlite(SqliteDatabase::create()), Self::Postgres(PostgresDatabase::create().await)]
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Sqlite(database) => database.url(),
            Self::Postgres(database) => database.url(),
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A connection past the adapter.
    pub(crate) async fn raw(&self) -> Raw {
        let mut options = sea_orm::ConnectOptions::new(self.url());
        options.max_connections(1).sqlx_logging(false);
        Raw(sea_orm::Database::connect(options).await.unwrap())
    }
}

/// A connection past the adapter.
pub(crate) struct Raw(DatabaseConnection);

impl Raw {
    pub(crate) async fn execute(&self, sql: &str) {
        self.0.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        self.0.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.rows(&format!("SELECT COUNT(*) AS n FROM {table}")).await[0].try_get("", "n").unwrap()
    }
}

/// A migrated database.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) server: Server,
    /// What the stores go by.
    pub(crate) clock: Arc<MovableClock>,
    categories: AtomicI32,
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        Self::over(Server::Sqlite(SqliteDatabase::create())).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::over(Server::Postgres(PostgresDatabase::create().await)).await
    }

    pub(crate) async fn both() -> [Self; 2] {
        [Self::sqlite().await, Self::postgres().await]
    }

    async fn over(server: Server) -> Self {
        let database = Database::connect(server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        let clock = Arc::new(MovableClock::at_present());
        Self { database, server, clock, categories: AtomicI32::new(0) }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    pub(crate) fn users(&self) -> SeaOrmUserStore {
        SeaOrmUserStore::new(self.database.clone(), self.clock())
    }

    pub(crate) fn sessions(&self) -> SeaOrmSessionStore {
        SeaOrmSessionStore::new(self.database.clone(), self.clock())
    }

    pub(crate) fn codes(&self) -> SeaOrmCodeStore {
        SeaOrmCodeStore::new(self.database.clone())
    }

    pub(crate) fn limits(&self) -> SeaOrmRateLimiter {
        SeaOrmRateLimiter::new(self.database.clone())
    }
}

impl AuditTrailFixture for Fixture {
    fn trail(&self) -> Arc<dyn AuditTrail> {
        Arc::new(SeaOrmAuditTrail::new(self.database.clone()))
    }
}

impl SpentTokensFixture for Fixture {
    fn store(&self) -> Arc<dyn SpentTokens> {
        Arc::new(SeaOrmSpentTokens::new(self.database.clone()))
    }
}

#[async_trait]
impl UserStoreFixture for Fixture {
    fn store(&self) -> Arc<dyn UserStore> {
        Arc::new(self.users())
    }

    async fn new_category(&self) -> i32 {
        let id = self.categories.fetch_add(1, Ordering::Relaxed) + 1;
        let category = format!(
            "INSERT INTO categories (id, name, created_at, updated_at)
             VALUES ({id}, 'category {id}', '2025-01-02 03:04:05', '2025-01-02 03:04:05')"
        );
        self.server.raw().await.execute(&category).await;
        id
    }
}

#[async_trait]
impl SessionStoreFixture for Fixture {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.sessions())
    }

    async fn new_user(&self) -> (UserId, UserState) {
        let new = fixtures::new_buyer();
        let account = self.users().create(&new).await.unwrap();
        (new.id, account.state)
    }

    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        self.users().begin_session_epoch(user, keep).await.unwrap()
    }

    async fn change_user(&self, user: &UserId) -> UserVersion {
        self.users().record_login(user, network(), fixtures::now()).await.unwrap().unwrap()
    }
}

#[async_trait]
impl SessionDirectoryFixture for Fixture {
    fn directory(&self) -> Arc<dyn SessionDirectory> {
        Arc::new(SeaOrmSessionDirectory::new(self.database.clone(), self.clock()))
    }

    async fn spoil(&self, id: &SessionId) {
        let literal = if self.server.is_postgres() { format!("'\\x{id}'") } else { format!("x'{id}'") };
        let update = format!("UPDATE auth_sessions SET \"current_role\" = 'king' WHERE id = {literal}");
        self.server.raw().await.execute(&update).await;
    }
}

/// A database that another process has open, too.
pub(crate) struct SharedFixture {
    here: Fixture,
    there: Database,
}

impl SharedFixture {
    pub(crate) async fn sqlite() -> Self {
        let here = Fixture::sqlite().await;
        let there = Database::connect(here.server.url()).await.unwrap();
        Self { here, there }
    }
}

#[async_trait]
impl SessionStoreFixture for SharedFixture {
    fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.here.sessions())
    }

    async fn new_user(&self) -> (UserId, UserState) {
        SessionStoreFixture::new_user(&self.here).await
    }

    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        SeaOrmUserStore::new(self.there.clone(), self.here.clock()).begin_session_epoch(user, keep).await.unwrap()
    }

    async fn change_user(&self, user: &UserId) -> UserVersion {
        let users = SeaOrmUserStore::new(self.there.clone(), self.here.clock());
        users.record_login(user, network(), fixtures::now()).await.unwrap().unwrap()
    }
}

impl InvalidationsFixture for SharedFixture {
    fn invalidations(&self) -> Arc<dyn Invalidations> {
        Arc::new(SqliteInvalidations::of(&self.here.database).unwrap())
    }

    fn other(&self) -> Arc<dyn SessionStore> {
        Arc::new(SeaOrmSessionStore::new(self.there.clone(), self.here.clock()))
    }
}

#[async_trait]
impl CodeStoreFixture for Fixture {
    fn store(&self) -> Arc<dyn CodeStore> {
        Arc::new(self.codes())
    }

    async fn new_user(&self) -> UserId {
        fixtures::user_id()
    }
}

#[async_trait]
impl RateLimiterFixture for Fixture {
    fn store(&self) -> Arc<dyn RateLimiter> {
        Arc::new(self.limits())
    }
}

/// A clock for stores that no [`Fixture`] makes.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(MovableClock::at_present())
}

/// Where somebody logs in from.
pub(crate) fn network() -> Network {
    Network::of([192, 0, 2, 7].into())
}

/// More sessions than any user has.
pub(crate) const NO_LIMIT: NonZeroU32 = NonZeroU32::MAX;

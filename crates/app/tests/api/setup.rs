//! What a server is made of: its stores, its configuration, its time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use markt_auth::application::{Application, StartError};
use markt_auth::config::{Config, Sources};
use markt_auth::system::SystemClock;
use markt_auth::wiring::Surroundings;
use markt_domain::ports::clock::Clock;
use markt_test_support::clock::MovableClock;
use markt_test_support::entropy::MachineEntropy;
use markt_test_support::stores::{OwnRedis, PostgresDatabase, SqliteDatabase, execute_sql, query_texts, redis_url};
use tempfile::TempDir;

use crate::server::{Deployment, Server};

/// What limits are set by.
const LIMITS: [&str; 3] =
    ["MARKT_LIMITS__LOGIN_PER_ACCOUNT", "MARKT_LIMITS__LOGIN_PER_IP", "MARKT_LIMITS__CODES_PER_ACCOUNT"];

enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// A database of its own, a folder for mail, and what is configured on top of the defaults.
#[derive(Clone)]
pub struct Setup {
    pub clock: Arc<MovableClock>,
    database: Arc<Database>,
    folder: Arc<TempDir>,
    redis: Option<Arc<OwnRedis>>,
    variables: Vec<(String, String)>,
    demo_accounts: bool,
    real_time: bool,
}

impl Setup {
    /// The defaults, but that ports are free ones and hashes cheap, and that nothing is limited where that would be
    /// counted in the Redis that tests share: they share the demo accounts, too.
    pub async fn of(deployment: Deployment) -> Self {
        let database = match deployment {
            Deployment::Embedded => Database::Sqlite(SqliteDatabase::create()),
            Deployment::Full => Database::Postgres(PostgresDatabase::create().await),
        };
        let (database, folder) = (Arc::new(database), Arc::new(tempfile::tempdir().unwrap()));
        let outbox = folder.path().join("outbox").display().to_string();
        let clock = Arc::new(MovableClock::at_present());
        let setup =
            Self { clock, database, folder, redis: None, variables: Vec::new(), demo_accounts: true, real_time: false };
        let url = setup.database_url().to_owned();
        let setup = setup
            .with("MARKT_BIND", "127.0.0.1:0")
            .with("MARKT_ADMIN_BIND", "127.0.0.1:0")
            .with("MARKT_DATABASE_URL", url)
            .with("MARKT_MAIL__DIR", outbox)
            .with("MARKT_PASSWORD__MEMORY_KIB", "64")
            .with("MARKT_PASSWORD__ITERATIONS", "1");
        match deployment {
            Deployment::Embedded => setup,
            Deployment::Full => {
                let setup = setup.with("MARKT_REDIS_URL", redis_url());
                LIMITS.iter().fold(setup, |setup, name| setup.with(name, "off"))
            }
        }
    }

    /// The same, with a Redis of its own if there is to be one, and the limits of the defaults.
    pub async fn limited(mut self) -> Self {
        self.variables.retain(|(name, _)| !LIMITS.contains(&name.as_str()));
        if !self.variables.iter().any(|(name, _)| name == "MARKT_REDIS_URL") {
            return self;
        }
        let redis = Arc::new(OwnRedis::start().await);
        let url = redis.url();
        self.redis = Some(redis);
        self.with("MARKT_REDIS_URL", url)
    }

    /// The same, with this variable set; the last one counts.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The same, by the machine's clock, which nobody moves.
    pub fn in_real_time(self) -> Self {
        Self { real_time: true, ..self }
    }

    /// The same, for production: mail goes to this server, and there are no demo accounts. No load balancer is given
    /// time to notice the end.
    pub fn in_production(mut self, smtp_url: &str) -> Self {
        self.demo_accounts = false;
        self.with("MARKT_ENV", "production")
            .with("MARKT_HTTP__DRAIN", "0s")
            .with("MARKT_MAIL__TRANSPORT", "smtp")
            .with("MARKT_MAIL__SMTP_URL", smtp_url)
    }

    pub fn config(&self) -> Config {
        Config::load(&Sources { environment: self.variables.clone(), ..Sources::default() }).unwrap()
    }

    /// The configuration as environment variables.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// A folder of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The URL of its Redis, whatever the server is configured to go through.
    pub fn redis_url(&self) -> String {
        self.redis.as_ref().map_or_else(redis_url, |redis| redis.url())
    }

    pub async fn build(&self) -> Result<Application, StartError> {
        let clock: Arc<dyn Clock> = if self.real_time { Arc::new(SystemClock) } else { self.clock.clone() };
        let surroundings = Surroundings { clock, entropy: Arc::new(MachineEntropy) };
        Application::build(&self.config(), &surroundings, self.demo_accounts).await
    }

    pub async fn start(self) -> Server {
        let application = self.build().await.unwrap();
        Server::run(self, application)
    }

    /// The database's URL, whatever the server is configured to go through.
    pub fn database_url(&self) -> &str {
        match &*self.database {
            Database::Sqlite(database) => database.url(),
            Database::Postgres(database) => database.url(),
        }
    }

    /// Changes something past the service.
    pub async fn execute_sql(&self, statements: &str) {
        execute_sql(self.database_url(), statements).await;
    }

    pub async fn query_texts(&self, query: &str) -> Vec<String> {
        query_texts(self.database_url(), query).await
    }

    /// How many rows these tables have.
    pub async fn count_rows(&self, tables: &[&str]) -> Vec<(String, String)> {
        let mut counts = Vec::new();
        for table in tables {
            let count = self.query_texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await;
            counts.push(((*table).to_owned(), count.concat()));
        }
        counts
    }

    /// The texts of the mails to this address, in the order they were written in.
    pub fn mails_to(&self, email: &str) -> Vec<String> {
        let recipient = format!("To: {email}");
        let mails = mails_in(&self.folder.path().join("outbox"));
        mails.into_iter().filter(|text| text.lines().any(|line| line == recipient)).collect()
    }
}

fn mails_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

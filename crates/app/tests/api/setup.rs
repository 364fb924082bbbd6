//! What a server is made of: its stores, its configuration, its time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use markt_auth::application::{Application, StartError};
use markt_auth::config::{Config, Sources};
use markt_auth::wiring::Surroundings;
use markt_test_support::clock::MovableClock;
use markt_test_support::entropy::MachineEntropy;
use markt_test_support::stores::{PostgresDatabase, SqliteDatabase, execute_sql, query_texts, redis_url};
use tempfile::TempDir;

use crate::server::{Deployment, Server};

enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// A database of its own, a folder for mail, and what is configured on top of the defaults.
pub struct Setup {
    pub clock: Arc<MovableClock>,
    database: Database,
    folder: TempDir,
    variables: Vec<(String, String)>,
    demo_accounts: bool,
}

impl Setup {
    /// The defaults, but that ports are free ones and hashes cheap.
    pub async fn of(deployment: Deployment) -> Self {
        let database = match deployment {
            Deployment::Embedded => Database::Sqlite(SqliteDatabase::create()),
            Deployment::Full => Database::Postgres(PostgresDatabase::create().await),
        };
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().join("outbox").display().to_string();
        let clock = Arc::new(MovableClock::at_present());
        let setup = Self { clock, database, folder, variables: Vec::new(), demo_accounts: true };
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
            Deployment::Full => setup.with("MARKT_REDIS_URL", redis_url()),
        }
    }

    /// The same, with this variable set; the last one counts.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// The same, for production: mail goes to this server, and there are no demo accounts.
    pub fn in_production(mut self, smtp_url: &str) -> Self {
        self.demo_accounts = false;
        self.with("MARKT_ENV", "production")
            .with("MARKT_MAIL__TRANSPORT", "smtp")
            .with("MARKT_MAIL__SMTP_URL", smtp_url)
    }

    pub fn config(&self) -> Config {
        Config::load(&Sources { environment: self.variables.clone(), ..Sources::default() }).unwrap()
    }

    pub async fn build(&self) -> Result<Application, StartError> {
        let surroundings = Surroundings { clock: self.clock.clone(), entropy: Arc::new(MachineEntropy) };
        Application::build(&self.config(), &surroundings, self.demo_accounts).await
    }

    pub async fn start(self) -> Server {
        let application = self.build().await.unwrap();
        Server::run(self, application)
    }

    /// The database's URL, whatever the server is configured to go through.
    pub fn database_url(&self) -> &str {
        match &self.database {
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

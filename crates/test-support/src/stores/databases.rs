//! Databases that last as long as the test that made them.

use std::thread;
use std::time::Duration;

use markt_domain::ports::entropy::Entropy as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::runtime;
use tokio::time::timeout;
use url::Url;

use super::postgres_server_url;
use crate::entropy::MachineEntropy;

/// How long a database may take to be dropped before it is left behind: a test that has passed must not hang on it.
const DROP_LIMIT: Duration = Duration::from_secs(10);

/// An empty PostgreSQL database with a name of its own, dropped with this value.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// Makes one on the server that `TEST_DATABASE_URL` names.
    ///
    /// # Panics
    ///
    /// If the variable is unset, the server can't be reached, or its user may not create databases.
    pub async fn create() -> Self {
        let server = postgres_server_url();
        let name = random_name();
        // template0, because nobody can be connected to it: tests that start together would find template1 in use.
        let statement = format!(r#"CREATE DATABASE "{name}" TEMPLATE template0"#);
        execute(&server, statement)
            .await
            .unwrap_or_else(|error| panic!("can't create a database on {server}: {error}"));
        let url = with_database(&server, &name);
        Self { server, name, url }
    }

    /// The database's URL, `postgres://user@host:port/markt_test_…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!(r#"DROP DATABASE IF EXISTS "{}" WITH (FORCE)"#, self.name);
        // Drop can't await, and may run inside a runtime, which must not be blocked on: hence a thread with its own.
        let dropped = thread::spawn(move || execute_blocking(&server, statement)).join();
        // A second panic while a test's own unwinds would hide that one.
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("the database {} was left behind: {dropped:?}", self.name);
        }
    }
}

fn execute_blocking(server: &str, statement: String) -> Result<(), String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    match runtime.block_on(async { timeout(DROP_LIMIT, execute(server, statement)).await }) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the server didn't answer within {DROP_LIMIT:?}")),
    }
}

async fn execute(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

fn random_name() -> String {
    let mut bytes = [0; 8];
    MachineEntropy.fill(&mut bytes);
    format!("markt_test_{:016x}", u64::from_be_bytes(bytes))
}

fn with_database(server: &str, name: &str) -> String {
    let mut url = Url::parse(server).expect("the server was reached by this URL");
    url.set_path(name);
    url.into()
}

/// An empty SQLite database in a folder of its own, removed with this value.
#[derive(Debug)]
pub struct SqliteDatabase {
    // Held for its Drop.
    _folder: TempDir,
    url: String,
}

impl SqliteDatabase {
    /// Makes one in the machine's folder for temporary files.
    ///
    /// # Panics
    ///
    /// If that folder can't be written to.
    #[must_use]
    pub fn create() -> Self {
        let folder = tempfile::Builder::new().prefix("markt-test-").tempdir().unwrap();
        let url = format!("sqlite://{}/markt.db?mode=rwc", folder.path().display());
        Self { _folder: folder, url }
    }

    /// The database's URL, `sqlite://…/markt.db?mode=rwc`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::Row as _;

    use super::*;

    async fn count_named(name: &str) -> i64 {
        let mut server = PgConnection::connect(&postgres_server_url()).await.unwrap();
        let query = sqlx::query("SELECT count(*) FROM pg_database WHERE datname = $1").bind(name);
        query.fetch_one(&mut server).await.unwrap().get(0)
    }

    #[tokio::test]
    async fn a_postgres_database_is_gone_with_its_value_even_while_it_is_in_use() {
        let database = PostgresDatabase::create().await;
        let name = database.name.clone();
        let mut user = PgConnection::connect(database.url()).await.unwrap();
        user.execute("CREATE TABLE things (id integer)").await.unwrap();
        assert_eq!(count_named(&name).await, 1);

        drop(database);

        assert_eq!(count_named(&name).await, 0);
    }

    #[tokio::test]
    async fn two_postgres_databases_are_apart() {
        let (one, other) = tokio::join!(PostgresDatabase::create(), PostgresDatabase::create());

        assert_ne!(one.url(), other.url());
    }

    #[test]
    fn a_sqlite_databases_folder_is_gone_with_its_value() {
        let database = SqliteDatabase::create();
        let file = database.url().strip_prefix("sqlite://").unwrap().strip_suffix("?mode=rwc").unwrap().to_owned();
        let folder = Path::new(&file).parent().unwrap().to_owned();
        std::fs::write(&file, "").unwrap();

        drop(database);

        assert!(!folder.exists());
    }
}

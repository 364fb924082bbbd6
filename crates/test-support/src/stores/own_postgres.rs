//! A PostgreSQL of a test's own, to be maltreated.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;
use tokio::time::timeout;

use super::own_process::OwnProcess;
use crate::programs::{User, free_port, postgres, postgres_server, postgres_url, unprivileged_user};

/// How long it may take until it answers. It makes its cluster in that time too.
const START_LIMIT: Duration = Duration::from_secs(60);

/// What is committed is there again after a `kill -9`.
const OPTIONS: [&str; 1] = ["synchronous_commit=on"];

/// An empty PostgreSQL on a free port, which dies with this value.
pub struct OwnPostgres {
    // Before the folder: it is dropped first.
    process: OwnProcess,
    port: u16,
    program: PathBuf,
    user: Option<User>,
    folder: TempDir,
}

impl OwnPostgres {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If PostgreSQL isn't installed on this machine, or doesn't start.
    pub async fn start() -> Self {
        let program = postgres().next().expect("PostgreSQL's programs are on this machine");
        let port = free_port().unwrap();
        let folder = tempfile::Builder::new().prefix("markt-test-").tempdir().unwrap();
        let user = unprivileged_user(folder.path(), "postgres").unwrap();
        if let Some(User { id, group }) = user {
            chown(folder.path(), Some(id), Some(group)).unwrap();
        }
        let process = OwnProcess::start(folder.path(), user, &postgres_server(&program, port, &OPTIONS));
        let own = Self { process, port, program, user, folder };
        own.wait().await;
        own
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        postgres_url(self.port)
    }

    /// Stops it as it is, as if the machine had no time for it: see [`thaw`](Self::thaw).
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Shuts it down in order.
    pub fn stop(&mut self) {
        // TERM would wait until every client has left.
        self.process.end("INT");
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on its port, with what it had, after it was stopped or killed.
    ///
    /// # Panics
    ///
    /// If it doesn't start.
    pub async fn restart(&mut self) {
        let command = postgres_server(&self.program, self.port, &OPTIONS);
        self.process = OwnProcess::start(self.folder.path(), self.user, &command);
        self.wait().await;
    }

    async fn wait(&self) {
        let deadline = Instant::now() + START_LIMIT;
        let url = self.url();
        let answers = async || {
            let mut connection = PgConnection::connect(&url).await?;
            connection.execute("SELECT 1").await?;
            connection.close().await
        };
        while !matches!(timeout(Duration::from_secs(5), answers()).await, Ok(Ok(()))) {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL didn't start: {}", log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(connection: &mut PgConnection) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM things").fetch_one(connection).await.unwrap()
    }

    #[tokio::test]
    async fn frozen_it_answers_nobody_and_killed_it_keeps_what_was_committed() {
        let mut own = OwnPostgres::start().await;
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        connection.execute("CREATE TABLE things (id integer)").await.unwrap();

        own.freeze();
        let a_while = Duration::from_millis(200);
        assert!(timeout(a_while, connection.ping()).await.is_err(), "a connection that was there");
        assert!(timeout(a_while, PgConnection::connect(&own.url())).await.is_err(), "a new connection");
        own.thaw();
        let mut connection = PgConnection::connect(&own.url()).await.unwrap();
        connection.execute("INSERT INTO things VALUES (1)").await.unwrap();
        assert_eq!(count(&mut connection).await, 1);

        for end in [OwnPostgres::kill, OwnPostgres::stop] {
            end(&mut own);
            PgConnection::connect(&own.url()).await.unwrap_err();
            own.restart().await;
            let mut connection = PgConnection::connect(&own.url()).await.unwrap();
            assert_eq!(count(&mut connection).await, 1);
        }
    }

    #[tokio::test]
    async fn it_is_gone_with_its_value_even_frozen() {
        let mut own = OwnPostgres::start().await;
        let (url, folder) = (own.url(), own.folder.path().to_owned());
        own.freeze();

        drop(own);

        PgConnection::connect(&url).await.unwrap_err();
        assert!(!folder.exists());
    }
}

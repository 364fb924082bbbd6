//! The connection to the database: one handle for both kinds.

mod postgres;
#[cfg(test)]
mod recorded;
mod sqlite;
mod traced;

use std::fmt;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::StoreError;
use markt_domain::store_guard::StoreGuard;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, TransactionOptions};

#[cfg(test)]
pub(crate) use recorded::Recording;

pub(crate) use postgres::CONNECTIONS as POSTGRES_CONNECTIONS;
pub(crate) use sqlite::absent_file;
pub(crate) use traced::{Connection, Transaction};

use crate::errors::{is_answer, store_error};
use traced::{Place, Traced};

/// How many operations may wait for the database at once, for one of the pool's connections above all: what it gets
/// done within the time that one of them may take. SQLx itself bounds nothing.
const PLACES: usize = 1024;

/// How often a database that isn't asked any more is asked whether it is back.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// A pool of connections to the database. Cheap to clone; the clones share the pool.
#[derive(Clone)]
pub struct Database {
    reader: Connection,
    /// The same as `reader` with PostgreSQL. With SQLite, which has one writer at a time, a pool of one connection:
    /// writers wait for it in the order of their coming, instead of polling the file's lock.
    writer: Connection,
    /// How long an operation may take at most.
    deadline: Duration,
    guard: Arc<StoreGuard>,
}

/// Why the database could not be connected at the start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL names neither of the two databases. The text is its scheme.
    #[error("the database URL begins with {0:?}: it must be sqlite:// or postgres://")]
    UnknownScheme(String),
    /// The URL is of a known database, but wrong.
    #[error("the database URL can't be understood: {0}")]
    Malformed(String),
    /// SQLite in memory would forget everything at each restart.
    #[error("the database URL names no file: SQLite in memory would forget every user and session")]
    InMemory,
    /// The folder for SQLite's file can't be made.
    #[error("the folder {} for the database can't be made", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database doesn't answer, or refuses. The text is the driver's.
    #[error("the database can't be connected: {0}")]
    Unreachable(String),
}

impl Database {
    /// Connects to `sqlite://path` or `postgres://…` (`postgresql://…`), and makes sure that it answers.
    ///
    /// Doesn't wait for a database that isn't there: whoever starts the service sees at once what is wrong. Once
    /// connected, a database may go and come back; a task of the present Tokio runtime looks out for that, until the
    /// pool is [closed](Self::close).
    ///
    /// # Errors
    /// If the URL is wrong, or the database doesn't answer within two seconds.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => sqlite::connect(url).await,
            Some(("postgres" | "postgresql", _)) => postgres::connect(url).await,
            Some((scheme, _)) => Err(ConnectError::UnknownScheme(scheme.to_owned())),
            None => Err(ConnectError::UnknownScheme(String::new())),
        }
    }

    /// The two pools, which may be one, and what stands before them.
    fn new(reader: DatabaseConnection, writer: DatabaseConnection, deadline: Duration, place: Place) -> Self {
        let (guard, place) = (Arc::new(StoreGuard::new("database", PLACES)), Arc::new(place));
        let writer = Traced::new(writer, Arc::clone(&place));
        Self { reader: Traced::new(reader, place), writer, deadline, guard }
    }

    /// Whether the database answers, for the readiness check: it is asked even if it didn't answer lately.
    ///
    /// # Errors
    /// If it doesn't, in time.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.watched("ping database", self.reader.inner().ping()).await
    }

    /// Finds out when a database that isn't asked any more is back. (In a box, since it asks by the way that starts it.)
    fn until_answered(self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            while self.guard.is_open() {
                tokio::time::sleep(PROBE_INTERVAL).await;
                // The guard has seen what came of it.
                let _ = self.ping().await;
            }
        })
    }

    /// Closes the pool, once what is under way is done. Everything later is *unavailable*.
    pub async fn close(&self) {
        self.guard.close();
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.inner().close_by_ref().await {
                tracing::warn!(error = %store_error("close database", &error), "the database was not closed in order");
            }
        }
    }

    /// What reads go through.
    pub(crate) fn reader(&self) -> &Connection {
        &self.reader
    }

    /// What writes of a single statement go through.
    pub(crate) fn writer(&self) -> &Connection {
        &self.writer
    }

    /// Which of the two databases it is.
    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Begins a transaction that writes. Dropped without `commit`, it is rolled back.
    pub(crate) async fn begin(&self) -> Result<Transaction, DbErr> {
        // A transaction that begins as a reader can't become a writer once another process has written: IMMEDIATE
        // waits for the lock instead (PostgreSQL knows no such mode, and ignores it).
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.writer.begin(options).await
    }

    /// Waits for an operation, but no longer than a caller should; not at all if the database can't be asked now.
    pub(crate) async fn bounded<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, StoreError> {
        self.guard.run(operation, self.watched(operation, work)).await
    }

    /// What stands before the database: it tells how that is doing.
    #[must_use]
    pub fn guard(&self) -> Arc<StoreGuard> {
        Arc::clone(&self.guard)
    }

    /// The same, even if the database is known not to answer.
    async fn watched<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, StoreError> {
        let result = tokio::time::timeout(self.deadline, pin!(work)).await;
        if self.guard.see(result.as_ref().is_ok_and(|result| result.as_ref().err().is_none_or(is_answer))) {
            tokio::spawn(self.clone().until_answered());
        }
        match result {
            Ok(result) => result.map_err(|error| store_error(operation, &error)),
            Err(elapsed) => Err(StoreError::unavailable(operation, elapsed)),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

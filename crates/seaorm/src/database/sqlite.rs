//! How SQLite is opened.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::traced::Place;
use super::{ConnectError, Database};
use crate::errors::describe;

/// Readers don't wait for the writer in WAL mode; more of them than this gain nothing from one file.
const READERS: u32 = 4;

/// How long a writer waits for another process (the command line beside the service), and for its turn in this one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// How long an operation may take, waiting included.
const DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn connect(url: &str) -> Result<Database, ConnectError> {
    let options: SqliteConnectOptions = url.parse().map_err(|error| ConnectError::Malformed(describe(&error)))?;
    if is_in_memory(url, &options) {
        return Err(ConnectError::InMemory);
    }
    if has_mode(url, "rwc") {
        make_folder(options.get_filename())?;
    }
    let options = options
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL would do against a crash of the process, but a power cut takes the last commits with it then: a
        // logout would be undone, and the session it ended alive again. FULL waits for the disk at each commit.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();

    let file = options.get_filename().file_name().unwrap_or_default().to_string_lossy();
    let place = Place { namespace: file.into_owned(), server: None };
    // The writer first: it makes the file, and turns WAL on.
    let writer = open(1, options.clone()).await?;
    let reader = open(READERS, options).await?;
    Ok(Database::new(reader, writer, DEADLINE, place))
}

/// The file of this URL, if it would be made because it isn't there.
pub(crate) fn absent_file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.starts_with("sqlite:").then(|| url.parse().ok())??;
    let file = options.get_filename();
    (has_mode(url, "rwc") && !is_in_memory(url, &options) && !file.exists()).then(|| file.to_owned())
}

fn is_in_memory(url: &str, options: &SqliteConnectOptions) -> bool {
    // SQLx gives a database in memory a file name of its own making.
    url.contains(":memory:") || has_mode(url, "memory") || options.get_filename().as_os_str().is_empty()
}

fn has_mode(url: &str, mode: &str) -> bool {
    let Some((_, query)) = url.split_once('?') else { return false };
    query.split('&').any(|pair| pair.strip_prefix("mode=") == Some(mode))
}

fn make_folder(file: &Path) -> Result<(), ConnectError> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            std::fs::create_dir_all(folder).map_err(|source| ConnectError::Folder { folder: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

async fn open(connections: u32, options: SqliteConnectOptions) -> Result<DatabaseConnection, ConnectError> {
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        // A file doesn't go away: a connection to it stays good.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .map_err(|error| ConnectError::Unreachable(describe(&error)))?;
    Ok(DatabaseConnection::from(pool))
}

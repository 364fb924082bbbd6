//! What a database is like, told to whoever is about to keep users in it. Nothing in it is changed, and none is made.

use std::path::PathBuf;

use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, QueryResult, Statement};

use crate::database::{POSTGRES_CONNECTIONS, absent_file};
use crate::{ConnectError, Database, pending_migrations};

/// What PostgreSQL says of itself; by its own clock, not by that at which the transaction began.
const POSTGRES: &str = "
    SELECT current_setting('server_version') AS version,
           (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
           current_setting('max_connections')::bigint
               - current_setting('superuser_reserved_connections')::bigint AS allowed,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,
           pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
           current_setting('synchronous_commit') <> 'off' AS waits";

/// What a database says of itself, and what stands in it. What it doesn't tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// `15.14`
    pub version: Option<String>,
    /// The file that is to be SQLite's, if it isn't there yet. Nothing else is known then.
    pub absent: Option<PathBuf>,
    /// The names of the migrations that it lacks.
    pub pending: Vec<String>,
    /// Why that can't be told, if it can't.
    pub schema_unreadable: Option<String>,
    /// Why it takes no writes, if it doesn't.
    pub writes_refused: Option<String>,
    /// How much its clock is ahead of ours, in milliseconds.
    pub clock_ahead: Option<i64>,
    /// Its connections, if it bounds them.
    pub connections: Option<ConnectionFacts>,
    /// Whether it waits for the disk before it says that something is written.
    pub waits_for_disk: Option<bool>,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// That all clients may have together, ours included.
    pub allowed: i64,
    /// That are taken just now, the one included by which this was asked.
    pub taken: i64,
    /// That one process of the service takes at most.
    pub pool: i64,
}

impl DatabaseFacts {
    /// Looks at the database of this URL.
    ///
    /// # Errors
    /// If the URL is wrong, or the database doesn't answer within two seconds (five for SQLite).
    pub async fn gather(url: &str, clock: &dyn Clock) -> Result<Self, ConnectError> {
        if let Some(file) = absent_file(url) {
            return Ok(Self { absent: Some(file), ..Self::default() });
        }
        let database = Database::connect(url).await?;
        let facts = match database.backend() {
            DbBackend::Postgres => of_postgres(&database, clock).await,
            _ => of_sqlite(&database).await,
        };
        let pending = pending_migrations(&database).await;
        database.close().await;
        let schema_unreadable = pending.as_ref().err().map(cause);
        Ok(Self { pending: pending.unwrap_or_default(), schema_unreadable, ..facts })
    }
}

async fn of_postgres(database: &Database, clock: &dyn Clock) -> DatabaseFacts {
    let before = clock.now().unix_milliseconds();
    let Ok(row) = ask(database, POSTGRES).await else { return DatabaseFacts::default() };
    let ours = before.midpoint(clock.now().unix_milliseconds());
    let number = |name: &str| row.try_get::<i64>("", name).ok();
    let flag = |name: &str| row.try_get::<bool>("", name).ok();
    let read_only = flag("read_only") == Some(true);
    DatabaseFacts {
        version: row.try_get("", "version").ok(),
        writes_refused: read_only.then(|| "it is a standby, or its transactions are read-only".to_owned()),
        clock_ahead: number("now").map(|theirs| theirs - ours),
        connections: number("allowed").zip(number("taken")).map(|(allowed, taken)| ConnectionFacts {
            allowed,
            taken,
            pool: POSTGRES_CONNECTIONS.into(),
        }),
        waits_for_disk: flag("waits"),
        ..DatabaseFacts::default()
    }
}

async fn of_sqlite(database: &Database) -> DatabaseFacts {
    let version = ask(database, "SELECT sqlite_version() AS version").await;
    // Takes the lock of a writer, which it doesn't get where it may not write, and gives it back.
    let writes = async { database.begin().await?.rollback().await };
    DatabaseFacts {
        version: version.ok().and_then(|row| row.try_get("", "version").ok()),
        writes_refused: database.bounded("try to write", writes).await.err().map(|error| cause(&error)),
        ..DatabaseFacts::default()
    }
}

async fn ask(database: &Database, query: &str) -> Result<QueryResult, StoreError> {
    let statement = Statement::from_string(database.backend(), query);
    let row = async {
        let row = database.reader().query_one_raw(statement).await?;
        row.ok_or_else(|| DbErr::RecordNotFound("an answer".into()))
    };
    database.bounded("ask what it is like", row).await
}

/// What the driver says, without values.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

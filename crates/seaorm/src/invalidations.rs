//! What tells a cache over the sessions in SQLite that another process wrote to the file: the command line beside the
//! service, say.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use markt_domain::ports::StoreError;
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations};
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, Statement};

use crate::Database;

/// How long the file may have been changed at most before that is noticed: asking is cheap.
const CLOSE_LOOK: Duration = Duration::from_millis(50);

/// The changes that other processes make to the file of a SQLite database.
///
/// What this process changes it needn't be told. SQLite doesn't say what another changed, so that everything counts as
/// changed.
pub struct SqliteInvalidations(Database);

impl SqliteInvalidations {
    /// The changes to this database; nothing if it isn't SQLite. Other databases don't tell.
    #[must_use]
    pub fn of(database: &Database) -> Option<Self> {
        (database.backend() == DbBackend::Sqlite).then(|| Self(database.clone()))
    }

    /// A number that another process's commits change, and this one's don't: asked over the one connection that this
    /// process writes through (<https://www.sqlite.org/pragma.html#pragma_data_version>).
    async fn version(&self) -> Result<i64, StoreError> {
        let version = async {
            let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA data_version");
            let row = self.0.writer().query_one_raw(statement).await?;
            row.ok_or_else(|| DbErr::RecordNotFound("data_version".into()))?.try_get_by_index::<i64>(0)
        };
        self.0.bounded("ask for changes by others", version).await
    }
}

#[async_trait]
impl Invalidations for SqliteInvalidations {
    async fn tell(&self, listener: &dyn InvalidationListener, heartbeat: Duration) {
        let mut known = None;
        loop {
            let asked_at = Instant::now();
            match self.version().await {
                Ok(version) => {
                    if known.replace(version) != Some(version) {
                        listener.lost();
                    }
                    listener.alive(asked_at);
                }
                Err(error) => tracing::warn!(%error, "the database can't be asked for changes by others"),
            }
            tokio::time::sleep(heartbeat.min(CLOSE_LOOK)).await;
        }
    }
}

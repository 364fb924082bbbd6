//! All the sessions, a page after the other in the order of their ids.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_directory::{Count, Cursor, IndexPage, Located, Page, PageError, SessionDirectory};
use markt_domain::ports::session_store::{SessionStore as _, StoredSession};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::session::{SessionFamily, SessionId};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityName as _, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement,
};

use super::row::{Found, StoredRow};
use super::{SeaOrmSessionStore, lookup};
use crate::Database;
use crate::entities::{ended_sessions, session_aliases, sessions};

/// How many rows are read at once, at most: some 300 kB.
const MOST_ROWS: u32 = 1000;

/// Looks over the sessions in the database. Their indexes are the database's own, which keeps them right.
#[derive(Clone)]
pub struct SeaOrmSessionDirectory {
    database: Database,
    sessions: SeaOrmSessionStore,
    clock: Arc<dyn Clock>,
}

impl SeaOrmSessionDirectory {
    /// A directory of the sessions in this database. By the clock, it tells which have expired.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        let sessions = SeaOrmSessionStore::new(database.clone(), Arc::clone(&clock));
        Self { database, sessions, clock }
    }

    /// The rows whose ids don't begin as `after` says, but come after those that do.
    async fn rows(&self, after: Option<SessionFamily>, size: u64) -> Result<Vec<Found>, DbErr> {
        let after = after.map_or_else(Vec::new, last_of);
        let page = lookup::with_state().filter(sessions::Column::Id.gt(after)).order_by_asc(sessions::Column::Id);
        let page = page.limit(size);
        let rows: Vec<StoredRow> = page.into_partial_model().all(self.database.reader()).await?;
        Ok(rows.into_iter().map(Found::from).collect())
    }

    async fn number(&self) -> Result<u64, DbErr> {
        let now = self.clock.now().unix_milliseconds();
        let alive = sessions::Entity::find()
            .filter(sessions::Column::IdleExpiresAt.gt(now))
            .filter(sessions::Column::ExpiresAt.gt(now));
        alive.count(self.database.reader()).await
    }

    async fn size(&self) -> Result<Option<u64>, DbErr> {
        let tables =
            [sessions::Entity.table_name(), session_aliases::Entity.table_name(), ended_sessions::Entity.table_name()];
        let tables = tables.map(|table| format!("'{table}'")).join(", ");
        let backend = self.database.backend();
        let query = match backend {
            DbBackend::Postgres => format!(
                "SELECT CAST(SUM(pg_total_relation_size(name::regclass)) AS BIGINT) AS bytes \
                 FROM unnest(ARRAY[{tables}]) AS name"
            ),
            _ => format!(
                "SELECT SUM(pgsize) AS bytes FROM dbstat \
                 WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name IN ({tables}))"
            ),
        };
        let row = self.database.reader().query_one_raw(Statement::from_string(backend, query)).await?;
        let bytes: Option<i64> = row.map(|row| row.try_get("", "bytes")).transpose()?;
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()))
    }

    fn name(&self) -> &'static str {
        match self.database.backend() {
            DbBackend::Postgres => "PostgreSQL",
            _ => "SQLite",
        }
    }
}

impl fmt::Debug for SeaOrmSessionDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmSessionDirectory").field("database", &self.database).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionDirectory for SeaOrmSessionDirectory {
    /// A cursor is the beginning of the last id of the page before. Should two ids ever agree in these 64 bits, and a page
    /// end between them, the second is on none.
    async fn page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Page, PageError> {
        let not_a_cursor = |cursor: &Cursor| PageError::NotACursor(cursor.as_str().to_owned());
        let after = cursor.map(|cursor| cursor.as_str().parse().map_err(|_| not_a_cursor(cursor))).transpose()?;
        let size = size.get().min(MOST_ROWS);
        let rows = self.database.bounded("page sessions", self.rows(after, size.into())).await?;
        let is_last = rows.len() < usize::try_from(size).unwrap_or(usize::MAX);
        let last = rows.last().and_then(Found::beginning).filter(|_| !is_last);
        let mut page = Page { next: last.map(|last| Cursor::new(last.to_string())), ..Page::default() };
        for row in rows {
            match row.into_stored() {
                Ok(stored) => page.sessions.push(stored),
                Err(_) => page.unreadable += 1,
            }
        }
        Ok(page)
    }

    async fn locate(&self, id: &SessionId) -> Result<Option<Located>, StoreError> {
        let located = |stored: Option<StoredSession>| {
            let place = sessions::Entity.table_name().to_owned();
            Located { stored, store: self.name(), place, time_to_live: None }
        };
        match self.sessions.find(id).await {
            Ok(stored) => Ok(stored.map(|stored| located(Some(stored)))),
            Err(error) if error.kind == StoreErrorKind::Unreadable => Ok(Some(located(None))),
            Err(error) => Err(error),
        }
    }

    async fn estimated_count(&self) -> Result<Count, StoreError> {
        let sessions = self.database.bounded("count sessions", self.number()).await?;
        Ok(Count { sessions, is_estimate: false })
    }

    async fn bytes(&self) -> Result<Option<u64>, StoreError> {
        self.database.bounded("weigh sessions", self.size()).await
    }

    async fn index_page(&self, _: Option<&Cursor>, _: NonZeroU32) -> Result<Option<IndexPage>, PageError> {
        Ok(None)
    }
}

/// The last id that begins so.
fn last_of(beginning: SessionFamily) -> Vec<u8> {
    let mut id = vec![u8::MAX; 32];
    id[..8].copy_from_slice(&beginning.to_bytes());
    id
}

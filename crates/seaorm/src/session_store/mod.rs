//! Sessions in the database.
//!
//! The users' counters lie beside them, so that a session's user version is always the present one: whoever reads a
//! session of an epoch that has ended, deleted or not, sees that the user is to be read anew.

mod change;
mod create;
mod directory;
mod end;
mod lookup;
mod row;
mod state;

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore, StoredSession};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};

use crate::Database;

pub use directory::SeaOrmSessionDirectory;

/// Keeps sessions in the database.
#[derive(Clone)]
pub struct SeaOrmSessionStore {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SeaOrmSessionStore {
    /// A store in this database. By the clock, it tells which ids are still honoured, and when sessions ended.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Forgets, `batch` rows (at least one) in each statement, so that nobody waits long for it:
    ///
    /// - the sessions that expired, and how others ended, `retention` before `now` or earlier;
    /// - the ids that were rotated away and are not honoured any more by `now`.
    ///
    /// Of several sweepers at once, each does a part. Returns how many rows there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was swept until then stays so.
    pub async fn delete_expired(&self, now: Timestamp, retention: Duration, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_sessions(&self.database, now, retention, batch).await
    }
}

impl fmt::Debug for SeaOrmSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmSessionStore").field("database", &self.database).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for SeaOrmSessionStore {
    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError> {
        let now = self.clock.now();
        let create = create::create(&self.database, session, user_version, max_per_user, replaces, now);
        self.database.bounded("create session", create).await
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let now = self.clock.now();
        let row = self.database.bounded("find session", lookup::find(&self.database, id, now)).await?;
        row.map(row::Found::into_stored).transpose().map_err(|error| StoreError::unreadable("find session", error))
    }

    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        const OPERATION: &str = "find the ending of a session";
        let ending = self.database.bounded(OPERATION, lookup::ending(&self.database, id, self.clock.now())).await?;
        // One that only a later version knows says nothing here, while nodes are replaced one by one.
        Ok(ending.and_then(|ending| ending.parse().ok()))
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        let rows = self.database.bounded("list sessions", lookup::list(&self.database, user)).await?;
        let sessions: Result<_, _> = rows.into_iter().map(row::Found::into_stored).collect();
        sessions.map_err(|error| StoreError::unreadable("list sessions", error))
    }

    async fn touch(
        &self,
        id: &SessionId,
        last_activity: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let touch = change::touch(&self.database, id, last_activity, idle_expires_at);
        self.database.bounded("touch session", touch).await
    }

    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError> {
        let update = change::update(&self.database, session, revision, self.clock.now());
        self.database.bounded("update session", update).await
    }

    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError> {
        let rotate = change::rotate(&self.database, old, revision, successor, honoured_until, self.clock.now());
        self.database.bounded("rotate session", rotate).await
    }

    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError> {
        let delete = end::delete(&self.database, id, ending, self.clock.now());
        self.database.bounded("delete session", delete).await
    }

    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError> {
        let delete = end::delete_before_epoch(&self.database, user, state, keep, ending, self.clock.now());
        self.database.bounded("delete sessions of a user", delete).await
    }

    /// Writes only if the user store of another database told of the change: in this one, sessions are joined with
    /// their user's counters when they are found.
    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        let changed = state::user_changed(&self.database, user, version);
        self.database.bounded("take notice of a change of the user", changed).await
    }
}

/// An id as the tables have it.
fn key(id: &SessionId) -> Vec<u8> {
    id.digest().as_bytes().to_vec()
}

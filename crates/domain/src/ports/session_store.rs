//! Where sessions are kept.
//!
//! # Writing an adapter
//!
//! - `create` never overwrites; nothing but `create` and `rotate` brings a session into being, `update` and `touch`
//!   never (ADR 3). Each write is conditional on what the store holds at that moment, in one step with it.
//! - A write that touches several records (the session, the index of the user's, the memory of its end) is atomic.
//! - Each write to a session counts its revision up, but not that its user was changed.
//! - An id that was rotated away leads to the successor for as long as [`StoredSession::honoured_until`] says, by
//!   however many steps, and is then forgotten. It takes no part in listings and counts.
//! - What a session's clocks say counts for the reader, by the reader's clock: an adapter may return an expired session
//!   until it gets round to forgetting it, and never forgets one early.
//! - How a session ended is remembered for [`ENDING_REMEMBERED_FOR`](crate::session::ENDING_REMEMBERED_FOR), or less if
//!   the adapter is told so.
//! - The secret never comes here. Ids are drawn so that the store [`suits`](SessionStore::suits) them to their users.
//! - The suite `markt_test_support::contracts::session_store` passes.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::session::{Ending, Session, SessionFamily, SessionId};
use crate::user::{UserId, UserState, UserVersion};

/// Counts the changes made to a session, so that none overwrites one that it doesn't know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// A session as a store returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session.
    pub session: Session,
    /// The version that its user has at least: an older copy of the user is stale.
    pub user_version: UserVersion,
    /// The session's revision.
    pub revision: Revision,
    /// Set if it was looked up by an id that was rotated away: until when that is honoured.
    pub honoured_until: Option<Timestamp>,
}

/// What became of a session to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is kept.
    Created {
        /// The user's oldest sessions, which gave way to it.
        evicted: Vec<SessionId>,
    },
    /// There is a session with its id, or the id leads to one; that one was left alone.
    IdTaken,
    /// All of the user's sessions were ended meanwhile, those of this epoch too.
    Superseded,
}

/// What became of a change that depends on what the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Made,
    /// The session was changed or rotated meanwhile: look again.
    Conflict,
    /// There is no session (any more).
    Gone,
}

/// A use of a session, to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The session's id.
    pub id: SessionId,
    /// When it was used.
    pub last_activity: Timestamp,
    /// When it ends unless it is used again.
    pub idle_expires_at: Timestamp,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a new session, and the version of its user that was read for it, in the place of those that the ids in
    /// `replaces` lead to, whosever they are: these end as [`Ending::Replaced`]. With it, the user has `max_per_user`
    /// sessions at most: those that were created first end as [`Ending::Evicted`], never the new one. The user's other
    /// sessions need not hear of the version: that is for [`user_changed`](Self::user_changed).
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError>;

    /// Whether a session of this user's may have this id. A store that is spread over several servers keeps what belongs
    /// to one user on one of them, so that it can be changed in one step, and finds that server by an id alone. One id
    /// in some thousands suits at least.
    fn suits(&self, id: &SessionId, user: &UserId) -> bool {
        let _all_is_in_one_place = (id, user);
        true
    }

    /// The session with this very id as far as it is known without asking anybody, and can be relied on. Nothing says
    /// nothing: the session may be there. Only a cache over a store knows anything.
    fn peek(&self, id: &SessionId) -> Option<Arc<StoredSession>> {
        let _nothing_is_known_here = id;
        None
    }

    /// The session with this id, or the one that the id was rotated to, as the store has it now.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// How the session ended that had this id and isn't there any more, as far as that is still known. Also for an id
    /// that is still honoured in place of another.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError>;

    /// The user's sessions, in any order; expired ones may be among them.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError>;

    /// Writes down that the session was used, unless it says so of that time or a later one already. Returns whether
    /// there is a session with this very id: one that was rotated away doesn't slide.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn touch(
        &self,
        id: &SessionId,
        last_activity: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Touches many sessions at once, each by itself. Returns for each whether there is such a session.
    ///
    /// # Errors
    /// If the store can't be reached or read. Some may have been touched then; to touch them again does no harm.
    async fn touch_all(&self, touches: &[Touch]) -> Result<Vec<bool>, StoreError> {
        let mut found = Vec::with_capacity(touches.len());
        for touch in touches {
            let Touch { id, last_activity, idle_expires_at } = touch;
            found.push(self.touch(id, *last_activity, *idle_expires_at).await?);
        }
        Ok(found)
    }

    /// Replaces what is kept of a session, if its revision is still this one. Its id, family and user are the same.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError>;

    /// Puts `successor`, of the same family under a new id, in the place of the session with the id `old`, if that one's
    /// revision is still this one. Until `honoured_until`, `old` leads to the successor; where that is past already, it
    /// is gone at once. Of many callers at once, one succeeds; for the others, and for an `old` that was rotated before,
    /// it is a conflict while `old` leads anywhere. A successor's id that is taken is a conflict, too, and changes
    /// nothing.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError>;

    /// Deletes a session, by its own id or one that was rotated away and still leads to it; all ids that lead to it are
    /// dead then. Remembers how it ended. Returns whether there was one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError>;

    /// Deletes the user's sessions of epochs before `state.epoch`, but raises those of the family `keep` to that epoch;
    /// and keeps sessions of earlier epochs from being created from now on. Remembers how they ended. Returns how many
    /// were deleted.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError>;

    /// Takes notice that the user was changed: from now on, the user's sessions are returned with this version or a
    /// later one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError>;
}

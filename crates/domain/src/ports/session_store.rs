//! Where sessions are kept.
//!
//! # Writing an adapter
//!
//! - `create` never overwrites; nothing but `create` brings a session into being (ADR 3).
//! - A write that touches several records (the session and the index of the user's) is atomic.
//! - What a session's clocks say counts for the reader, by the reader's clock: an adapter may return an expired session
//!   until it gets round to forgetting it, and never forgets one early.
//! - The secret never comes here.
//! - The suite `markt_test_support::contracts::session_store` passes.

use async_trait::async_trait;

use super::StoreError;
use crate::session::{Session, SessionId};
use crate::user::{UserId, UserState, UserVersion};

/// A session as a store returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session.
    pub session: Session,
    /// The version that its user has at least: an older copy of the user is stale.
    pub user_version: UserVersion,
}

/// What became of a session to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is kept.
    Created,
    /// There is a session with its id; that one was left alone.
    IdTaken,
    /// All of the user's sessions were ended meanwhile, those of this epoch too.
    Superseded,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a new session, and the version of its user that was read for it.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn create(&self, session: &Session, user_version: UserVersion) -> Result<Creation, StoreError>;

    /// The session with this id.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// Deletes a session. Returns whether there was one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn delete(&self, id: &SessionId) -> Result<bool, StoreError>;

    /// Deletes the user's sessions of epochs before `state.epoch`, and keeps sessions of those epochs from being
    /// created from now on. Returns how many there were.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn delete_before_epoch(&self, user: &UserId, state: UserState) -> Result<u64, StoreError>;

    /// Takes notice that the user was changed: from now on, the user's sessions are returned with this version or a
    /// later one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError>;
}

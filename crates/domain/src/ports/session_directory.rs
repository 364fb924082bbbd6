//! Looks over all the sessions of a store, whosever they are: for operators, never on the way of a request.
//!
//! # Writing an adapter
//!
//! - No call holds the store up: each looks at a bounded number of records, and what goes through all of them leaves the
//!   store time for others between one call and the next.
//! - A session that is there from the first page to the last is on one of them at least, whatever comes, goes and is
//!   changed meanwhile. It may be on several. One that was rotated meanwhile may be on none, or on two under its two ids.
//! - Ids that were rotated away aren't sessions; a session that has expired may be on a page until it is forgotten.
//! - What can't be read is counted, and hides nothing else.
//! - The suite `markt_test_support::contracts::session_directory` passes.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use super::session_store::StoredSession;
use crate::session::SessionId;

/// Where a page begins: a short text of the adapter's own, without white space or `:`, to be printed and handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Takes what an adapter made, or an operator hands back.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The cursor is none of this store's.
    #[error("{0:?} is no cursor of this store")]
    NotACursor(String),
    /// The store didn't do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A part of a store's sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sessions, in any order. There may be none although others follow.
    pub sessions: Vec<StoredSession>,
    /// How many records in the place of sessions can't be read.
    pub unreadable: u64,
    /// Where the next page begins; nothing after the last.
    pub next: Option<Cursor>,
}

/// A session, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The session, also by an id that was rotated away and is honoured still; nothing if what is there can't be read.
    pub stored: Option<StoredSession>,
    /// What keeps it: `Redis`.
    pub store: &'static str,
    /// The key or the table where it stands.
    pub place: String,
    /// When the store forgets it by itself; nothing if it is forgotten some time after its end.
    pub time_to_live: Option<Duration>,
}

/// How many sessions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// So many.
    pub sessions: u64,
    /// Whether that was concluded from a sample.
    pub is_estimate: bool,
}

/// What a look at a part of the index of users' sessions showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// How many ids stand in the index.
    pub entries: u64,
    /// How many of these are of sessions that have ended since; they leave at the user's next write.
    pub ended: u64,
    /// How many are of sessions that ought to be there and aren't: they were removed past this service.
    pub dangling: u64,
    /// How many sessions aren't in their user's index: a logout everywhere ends them by the epoch alone.
    pub missing: u64,
    /// How many records in the place of users' indexes can't be read.
    pub unreadable: u64,
    /// Where the next page begins; nothing after the last.
    pub next: Option<Cursor>,
}

/// Looks over sessions.
#[async_trait]
pub trait SessionDirectory: Send + Sync {
    /// The page that begins there; without a cursor, the first. About `size` records are looked at, or fewer: that many
    /// sessions may be on it, and hardly more.
    ///
    /// # Errors
    /// If the cursor is none, or the store can't be reached or read.
    async fn page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Page, PageError>;

    /// The session that this id finds, and where it is kept.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn locate(&self, id: &SessionId) -> Result<Option<Located>, StoreError>;

    /// How many sessions there are that have not expired. Cheap enough to be asked every minute.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn estimated_count(&self) -> Result<Count, StoreError>;

    /// How many bytes the sessions take, with what is remembered of ended ones and all indexes, about; nothing if the
    /// store can't tell.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn bytes(&self) -> Result<Option<u64>, StoreError>;

    /// The part that begins there of the index of users' sessions, and of the sessions that ought to be in it. Nothing
    /// if the store keeps no index that could be wrong.
    ///
    /// # Errors
    /// If the cursor is none, or the store can't be reached or read.
    async fn index_page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Option<IndexPage>, PageError>;
}

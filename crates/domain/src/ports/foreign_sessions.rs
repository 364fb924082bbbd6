//! The sessions of the system that this service takes the place of: what their cookies lead to.
//!
//! # Writing an adapter
//!
//! - [`recognize`](ForeignSessions::recognize) asks nobody. What is signed is verified there, before it is read.
//! - Cookies are written by anybody: what can't be read is *nothing*, never an error. An error says that a store can't be
//!   asked.
//! - The successor's secret follows from the cookie, by a key that no client has: all who take the same session over, on
//!   whichever node, come to the same one.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::StoreError;
use crate::Timestamp;
use crate::client::Client;
use crate::digest::Digest;
use crate::role::Role;
use crate::session::SessionSecret;
use crate::user::UserId;

/// A cookie that is of that system's form, and genuine as far as that can be told from itself. Never shown, wiped when
/// dropped.
#[derive(Clone)]
pub struct ForeignCookie {
    identity: Zeroizing<String>,
    successor: SessionSecret,
}

impl ForeignCookie {
    /// A cookie of the session that this text tells from all others; the session that takes its place is to have this
    /// secret.
    #[must_use]
    pub fn new(identity: &str, successor: SessionSecret) -> Self {
        Self { identity: Zeroizing::new(identity.to_owned()), successor }
    }

    /// What tells its session from all others, for the adapter that made it.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The secret of the session that takes its place.
    #[must_use]
    pub const fn successor(&self) -> &SessionSecret {
        &self.successor
    }

    /// What is remembered of its session, for whoever doesn't know that system: this, in connection with it.
    #[must_use]
    pub fn digest(&self, what: &str) -> Digest {
        Digest::of(format!("foreign session\n{what}\n{}", self.identity()).as_bytes())
    }
}

impl fmt::Debug for ForeignCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignCookie(…)")
    }
}

/// A session of that system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignSession {
    /// Whose it is.
    pub user_id: UserId,
    /// What the user acts as in it, if it says so.
    pub role: Option<Role>,
    /// Whether its cookie outlives the browser.
    pub remember: bool,
    /// When it was last written down.
    pub last_used_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it began at this client, by that system's own judgement.
    pub is_of_this_client: bool,
}

/// Knows the sessions of the system before.
#[async_trait]
pub trait ForeignSessions: Send + Sync {
    /// The session's cookie, if this value is one.
    fn recognize(&self, value: &str) -> Option<ForeignCookie>;

    /// The session of this cookie, if there is one and somebody is logged in there. It may have expired.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn find(
        &self,
        cookie: &ForeignCookie,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<ForeignSession>, StoreError>;

    /// Has the session end after so long, wherever it is kept, unless that system goes on using it.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn end_after(&self, cookie: &ForeignCookie, grace: Duration) -> Result<(), StoreError>;

    /// Deletes the session, wherever it is kept. Returns whether there may have been one.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn delete(&self, cookie: &ForeignCookie) -> Result<bool, StoreError>;

    /// How long such a session lives at most, unless it is used again.
    fn lifetime(&self) -> Duration;
}

/// What that system's store holds of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRecord {
    /// As it stands there, but no more than [`MAX_RECORD`] bytes of it.
    pub bytes: Vec<u8>,
    /// How long it will stand there; nothing if it has no end.
    pub time_to_live: Option<Duration>,
}

/// The most bytes of a record that are read.
pub const MAX_RECORD: usize = 64 * 1024;

/// The store that the system before keeps its sessions in.
#[async_trait]
pub trait ForeignRecords: Send + Sync {
    /// What is held under this id of that system's. Never what this service holds.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn get(&self, id: &str) -> Result<Option<ForeignRecord>, StoreError>;

    /// Has it vanish after so long, unless it is written again.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn expire(&self, id: &str, after: Duration) -> Result<(), StoreError>;

    /// Deletes it. Returns whether there was something.
    ///
    /// # Errors
    /// If the store can't be reached.
    async fn delete(&self, id: &str) -> Result<bool, StoreError>;
}

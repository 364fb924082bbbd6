//! Goes through all sessions that a selector picks: the step that an operator's commands share.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::ports::clock::Clock;
use crate::ports::device_recognizer::DeviceRecognizer;
use crate::ports::session_directory::{Cursor, PageError, SessionDirectory};
use crate::ports::session_store::{SessionStore, StoredSession};
use crate::selector::Selector;
use crate::session::SessionId;

/// How many records are looked at together.
pub const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// Told now and then how many sessions were looked at by then.
pub type OnProgress<'a> = &'a (dyn Fn(u64) + Sync);

/// Goes through sessions.
#[derive(Clone)]
pub struct WalkSessions {
    /// What looks over all of them.
    pub directory: Arc<dyn SessionDirectory>,
    /// What knows the sessions of one user.
    pub sessions: Arc<dyn SessionStore>,
    /// What tells devices by their user agents.
    pub devices: Arc<dyn DeviceRecognizer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// A walk that is under way.
pub struct Walk<'a> {
    over: &'a WalkSessions,
    selector: &'a Selector,
    /// Where the next batch begins.
    next: Next,
    /// A session may come twice while others come and go.
    seen: HashSet<SessionId>,
    looked_at: u64,
    expired: u64,
    unreadable: u64,
}

enum Next {
    Page(Option<Cursor>),
    Nothing,
}

impl WalkSessions {
    /// A walk through the sessions that this picks, from this page on. Where it picks one user's, these are all that is
    /// looked at, in one batch.
    #[must_use]
    pub fn begin<'a>(&'a self, selector: &'a Selector, from: Option<Cursor>) -> Walk<'a> {
        Walk {
            over: self,
            selector,
            next: Next::Page(from),
            seen: HashSet::new(),
            looked_at: 0,
            expired: 0,
            unreadable: 0,
        }
    }
}

impl Walk<'_> {
    /// The next batch of sessions that have not expired, in the order of their ids; nothing after the last. It may be
    /// empty.
    ///
    /// # Errors
    /// If the walk began at what is no cursor, or the store can't be reached or read.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredSession>>, PageError> {
        let Next::Page(cursor) = std::mem::replace(&mut self.next, Next::Nothing) else { return Ok(None) };
        let mut sessions = match &self.selector.user {
            Some(user) => self.over.sessions.list(user).await?,
            None => {
                let page = self.over.directory.page(cursor.as_ref(), PAGE_SIZE).await?;
                self.unreadable += page.unreadable;
                self.next = page.next.map_or(Next::Nothing, |next| Next::Page(Some(next)));
                page.sessions
            }
        };
        let now = self.over.clock.now();
        sessions.retain(|StoredSession { session, .. }| {
            if !self.seen.insert(session.id) {
                return false;
            }
            self.looked_at += 1;
            self.expired += u64::from(session.is_expired(now));
            !session.is_expired(now) && self.selector.picks(session, self.over.devices.as_ref())
        });
        sessions.sort_unstable_by_key(|stored| stored.session.id);
        Ok(Some(sessions))
    }

    /// Where the next batch begins, if there is one that doesn't begin the walk.
    #[must_use]
    pub const fn cursor(&self) -> Option<&Cursor> {
        match &self.next {
            Next::Page(cursor) => cursor.as_ref(),
            Next::Nothing => None,
        }
    }

    /// How many sessions were looked at, whether they were picked or not.
    #[must_use]
    pub const fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// How many of these have expired.
    #[must_use]
    pub const fn expired(&self) -> u64 {
        self.expired
    }

    /// How many records in the place of sessions can't be read.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

//! Shows sessions to an operator: a list of them, or one with all that is known of it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use crate::admission::Refusal;
use crate::ports::StoreError;
use crate::ports::session_directory::{Cursor, Located, PageError};
use crate::ports::session_store::StoredSession;
use crate::ports::user_store::UserStore;
use crate::selector::Selector;
use crate::session::{Ending, SessionFamily, SessionId};
use crate::use_cases::walk_sessions::{OnProgress, WalkSessions};
use crate::user::Account;

/// Shows sessions.
pub struct InspectSessions {
    /// What goes through all of them.
    pub walk: WalkSessions,
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
}

/// Where a list goes on: at a page of the directory and, as one may have more than there was room for, after the
/// session whose id begins so. Written as `<page>:<beginning of the id>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    page: Option<Cursor>,
    after: Option<SessionFamily>,
}

/// The text is no position in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that a list ended with")]
pub struct NotAPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.page.as_ref().map_or("", Cursor::as_str))?;
        self.after.map_or(Ok(()), |after| write!(f, ":{after}"))
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (page, after) = match text.split_once(':') {
            Some((page, after)) => (page, Some(after.parse().map_err(|_| NotAPosition)?)),
            None if text.is_empty() => return Err(NotAPosition),
            None => (text, None),
        };
        Ok(Self { page: (!page.is_empty()).then(|| Cursor::new(page.to_owned())), after })
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The sessions.
    pub sessions: Vec<StoredSession>,
    /// How many records in the place of sessions were met that can't be read.
    pub unreadable: u64,
    /// Where the list goes on; nothing at its end.
    pub next: Option<Position>,
}

/// What there is to show under an id.
#[derive(Debug)]
pub enum Shown {
    /// A session.
    Session(Box<Inspected>),
    /// Something that can't be read as one.
    Unreadable {
        /// What keeps it.
        store: &'static str,
        /// The key or the table where it stands.
        place: String,
    },
    /// Nothing, but it is known how the session ended.
    Ended(Ending),
    /// Nothing.
    Unknown,
}

/// A session with all that is known of it.
#[derive(Debug)]
pub struct Inspected {
    /// The session.
    pub stored: StoredSession,
    /// Where it was found.
    pub located: Located,
    /// Whose it is; nothing if the user is gone.
    pub account: Option<Account>,
    /// Why it would be refused now; nothing if it would be let in, by the client that it is bound to.
    pub refusal: Option<Refusal>,
}

impl InspectSessions {
    /// So many of the sessions that this picks and that have not expired, from this position on.
    ///
    /// # Errors
    /// If the position is none in this store, or the store can't be reached or read.
    pub async fn list(
        &self,
        selector: &Selector,
        position: Position,
        limit: NonZeroU32,
        progress: OnProgress<'_>,
    ) -> Result<Listing, PageError> {
        let limit = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let Position { mut page, mut after } = position;
        let mut walk = self.walk.begin(selector, page.clone());
        let mut listing = Listing::default();
        while let Some(mut batch) = walk.next().await? {
            progress(walk.looked_at());
            if let Some(after) = after.take() {
                batch.retain(|stored| stored.session.id.family() > after);
            }
            let room = limit - listing.sessions.len();
            let has_more = batch.len() > room;
            batch.truncate(room);
            listing.sessions.append(&mut batch);
            if has_more {
                let last = listing.sessions.last().map(|stored| stored.session.id.family());
                listing.next = Some(Position { page, after: last });
                break;
            }
            page = walk.cursor().cloned();
            if listing.sessions.len() == limit {
                listing.next = page.map(|page| Position { page: Some(page), after: None });
                break;
            }
        }
        listing.unreadable = walk.unreadable();
        Ok(listing)
    }

    /// The session that this id finds, where it is kept, and whether it would be let in now.
    ///
    /// # Errors
    /// If a store can't be reached or read.
    pub async fn show(&self, id: &SessionId) -> Result<Shown, StoreError> {
        let Some(located) = self.walk.directory.locate(id).await? else {
            return Ok(self.walk.sessions.ending(id).await?.map_or(Shown::Unknown, Shown::Ended));
        };
        let Some(stored) = located.stored.clone() else {
            return Ok(Shown::Unreadable { store: located.store, place: located.place });
        };
        let account = self.users.find(&stored.session.user_id).await?;
        let by_time = Refusal::by_time(&stored, self.walk.clock.now());
        let refusal = by_time.or_else(|| Refusal::by_user(&stored.session, account.as_ref()));
        Ok(Shown::Session(Box::new(Inspected { stored, located, account, refusal })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let after = Some("0123456789abcdef".parse().unwrap());
        for page in [None, Some(Cursor::new("1536".to_owned()))] {
            for after in [None, after] {
                let position = Position { page: page.clone(), after };
                if position != Position::default() {
                    assert_eq!(position.to_string().parse(), Ok(position));
                }
            }
        }
    }

    #[test]
    fn other_texts_are_no_positions() {
        for text in ["", ":", "1536:", "1536:abc", ":0123456789ABCDEF"] {
            assert_eq!(text.parse::<Position>(), Err(NotAPosition), "{text}");
        }
    }
}

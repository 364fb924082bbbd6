//! Following what becomes of sessions, on all nodes, from any place in the trail.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Timestamp;
use crate::ports::StoreError;
use crate::ports::audit_log::{AuditTrail, Position};
use crate::session_event::SessionEvent;

/// How many records are read at a time.
const PAGE: u64 = 500;

/// A place in the trail, and what stands there: another trail has something else there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bookmark {
    position: Position,
    key: u128,
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.position.0, self.key)
    }
}

/// The text is no bookmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the trail")]
pub struct NotABookmark;

impl FromStr for Bookmark {
    type Err = NotABookmark;

    fn from_str(text: &str) -> Result<Self, NotABookmark> {
        let (position, key) = text.split_once('-').filter(|(_, key)| key.len() == 32).ok_or(NotABookmark)?;
        let position = position.parse().ok().filter(|position| *position >= 0).ok_or(NotABookmark)?;
        Ok(Self { position: Position(position), key: u128::from_str_radix(key, 16).map_err(|_| NotABookmark)? })
    }
}

/// What happened, when, and the place behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub event: SessionEvent,
    /// When.
    pub at: Timestamp,
    /// From where to go on.
    pub bookmark: Bookmark,
}

/// What stands behind a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What became of sessions, in the order in which it was written down.
    pub told: Vec<Told>,
    /// From where to go on.
    pub bookmark: Bookmark,
    /// Whether that was all there is.
    pub is_last: bool,
}

/// Follows what becomes of sessions.
pub struct FollowSessions {
    /// Where it is written down.
    pub trail: Arc<dyn AuditTrail>,
}

impl FollowSessions {
    /// Where the trail ends now.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn end(&self) -> Result<Bookmark, StoreError> {
        let position = self.trail.last().await?;
        Ok(self.look_at(position).await?.unwrap_or_default())
    }

    /// Whether all that came after this place is still there, and the place is one of this trail.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn knows(&self, bookmark: &Bookmark) -> Result<bool, StoreError> {
        if *bookmark == Bookmark::default() {
            // The beginning, where the trail was empty: nothing is missing as long as the first position is there.
            let first = self.trail.after(Position::default(), 1).await?;
            return Ok(first.first().is_none_or(|(position, _)| *position == Position(1)));
        }
        Ok(self.look_at(bookmark.position).await? == Some(*bookmark))
    }

    /// What stands behind this place, if it is still there.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn after(&self, bookmark: &Bookmark) -> Result<Page, StoreError> {
        let entries = self.trail.after(bookmark.position, PAGE).await?;
        let is_last = u64::try_from(entries.len()).is_ok_and(|count| count < PAGE);
        let mut page = Page { told: Vec::new(), bookmark: *bookmark, is_last };
        for (position, entry) in entries {
            page.bookmark = Bookmark { position, key: entry.key };
            if let Some(event) = SessionEvent::of(&entry.record) {
                page.told.push(Told { event, at: entry.at, bookmark: page.bookmark });
            }
        }
        Ok(page)
    }

    async fn look_at(&self, position: Position) -> Result<Option<Bookmark>, StoreError> {
        let found = self.trail.after(Position(position.0.saturating_sub(1)), 1).await?;
        let found = found.into_iter().find(|(there, _)| *there == position);
        Ok(found.map(|(position, entry)| Bookmark { position, key: entry.key }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_is_read_as_it_is_written_and_nothing_else_is() {
        for bookmark in [Bookmark::default(), Bookmark { position: Position(i64::MAX), key: u128::MAX }] {
            assert_eq!(bookmark.to_string().parse(), Ok(bookmark));
        }
        let key = "0".repeat(32);
        for text in ["", "7", "-", "7-1", &format!("-7-{key}"), &format!("x-{key}"), &format!("7-{}g", &key[1..])] {
            assert_eq!(text.parse::<Bookmark>(), Err(NotABookmark), "{text}");
        }
    }
}

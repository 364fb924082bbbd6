//! What every [`SessionDirectory`] promises.
//!
//! ```ignore
//! session_directory_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! Tests that share a store look over the sessions of all the others, too.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::ports::session_directory::{Cursor, PageError, SessionDirectory};
use markt_domain::ports::session_store::StoredSession;
use markt_domain::session::{Ending, SessionId};

use super::session_store::{SessionStoreFixture, created_session, found, new_session, rotate};
use crate::fixtures;

/// A directory to be tested, and the store of its sessions.
#[async_trait]
pub trait SessionDirectoryFixture: SessionStoreFixture {
    /// The directory under test.
    fn directory(&self) -> Arc<dyn SessionDirectory>;

    /// Puts something that can't be read in the place of a session that is there.
    async fn spoil(&self, id: &SessionId);
}

type Fixture<'a> = &'a dyn SessionDirectoryFixture;

/// Makes a test of each promise of a session directory: `session_directory_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::session_directory`](crate::contracts::session_directory).
#[macro_export]
macro_rules! session_directory_contract {
    ($name:ident, $make:expr $(, $how:ident)?) => {
        $crate::contract_tests! { session_directory, $name, $make, [
            every_session_is_on_a_page_as_it_is_found,
            what_has_ended_or_was_rotated_away_is_on_none,
            a_session_is_found_whatever_comes_and_goes_meanwhile,
            what_cant_be_read_is_counted_and_hides_no_other,
            what_is_no_cursor_is_refused,
            a_session_is_located_by_each_id_that_finds_it,
            what_cant_be_read_is_located_and_what_isnt_there_is_not,
            the_sessions_are_counted_and_weighed,
        ] $(, $how)? }
    };
}

fn size(size: u32) -> NonZeroU32 {
    NonZeroU32::new(size).unwrap()
}

/// All that is on the pages, and how much there can't be read.
async fn walk(fixture: Fixture<'_>, size: NonZeroU32) -> (BTreeMap<SessionId, StoredSession>, u64) {
    let (mut sessions, mut unreadable, mut cursor) = (BTreeMap::new(), 0, None::<Cursor>);
    loop {
        let page = fixture.directory().page(cursor.as_ref(), size).await.unwrap();
        sessions.extend(page.sessions.into_iter().map(|stored| (stored.session.id, stored)));
        unreadable += page.unreadable;
        cursor = page.next;
        match &cursor {
            Some(cursor) => assert!(!cursor.as_str().contains(|c: char| c == ':' || c.is_whitespace()), "{cursor}"),
            None => return (sessions, unreadable),
        }
    }
}

async fn created_sessions(fixture: Fixture<'_>, count: usize) -> Vec<SessionId> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        ids.push(created_session(fixture).await.id);
    }
    ids
}

/// On pages of any size.
pub async fn every_session_is_on_a_page_as_it_is_found(fixture: Fixture<'_>) {
    let ids = created_sessions(fixture, 60).await;
    for size in [size(7), size(60), NonZeroU32::MAX] {
        let (mut sessions, _) = walk(fixture, size).await;
        for id in &ids {
            assert_eq!(sessions.remove(id), Some(found(fixture, id).await));
        }
    }
}

/// A successor is there in the place of what it succeeds.
pub async fn what_has_ended_or_was_rotated_away_is_on_none(fixture: Fixture<'_>) {
    let (deleted, rotated) = (created_session(fixture).await, created_session(fixture).await);
    assert!(fixture.store().delete(&deleted.id, Ending::LoggedOut).await.unwrap());
    let successor = rotate(fixture, &rotated.id).await;
    let (sessions, _) = walk(fixture, size(100)).await;
    assert!(!sessions.contains_key(&deleted.id) && !sessions.contains_key(&rotated.id));
    assert_eq!(sessions.get(&successor.id), Some(&found(fixture, &successor.id).await));
}

/// Between the first page and the last.
pub async fn a_session_is_found_whatever_comes_and_goes_meanwhile(fixture: Fixture<'_>) {
    let lasting = created_sessions(fixture, 40).await;
    let mut passing = created_sessions(fixture, 40).await;
    let (mut met, mut cursor) = (HashSet::new(), None::<Cursor>);
    loop {
        let page = fixture.directory().page(cursor.as_ref(), size(5)).await.unwrap();
        met.extend(page.sessions.iter().map(|stored| stored.session.id));
        if let Some(id) = passing.pop() {
            assert!(fixture.store().delete(&id, Ending::LoggedOut).await.unwrap());
            created_session(fixture).await;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(lasting.iter().all(|id| met.contains(id)));
}

/// It is neither an error nor a session.
pub async fn what_cant_be_read_is_counted_and_hides_no_other(fixture: Fixture<'_>) {
    let (spoilt, whole) = (created_sessions(fixture, 3).await, created_sessions(fixture, 3).await);
    for id in &spoilt {
        fixture.spoil(id).await;
    }
    let (sessions, unreadable) = walk(fixture, size(2)).await;
    assert!(unreadable >= 3, "{unreadable}");
    assert!(spoilt.iter().all(|id| !sessions.contains_key(id)));
    assert!(whole.iter().all(|id| sessions.contains_key(id)));
}

/// Rather than taken for the beginning.
pub async fn what_is_no_cursor_is_refused(fixture: Fixture<'_>) {
    for text in ["", "x", "-1", "0123456789abcdeg", "' OR 1=1", "184467440737095516160"] {
        let page = fixture.directory().page(Some(&Cursor::new(text.to_owned())), size(5)).await;
        assert!(matches!(page, Err(PageError::NotACursor(refused)) if refused == text), "{text}");
    }
}

/// And it is said where it is kept, and how long it is at most.
pub async fn a_session_is_located_by_each_id_that_finds_it(fixture: Fixture<'_>) {
    let (_, _, first) = new_session(fixture).await;
    let second = rotate(fixture, &first.id).await;
    for id in [first.id, second.id] {
        let located = fixture.directory().locate(&id).await.unwrap().unwrap();
        let stored = located.stored.unwrap();
        assert_eq!(stored, found(fixture, &id).await);
        assert_eq!((stored.session.id, stored.honoured_until.is_some()), (second.id, id == first.id));
        assert!(!located.place.contains(&first.id.to_string()) && !located.place.is_empty(), "{}", located.place);
        let remaining = second.ends_at().since(fixtures::now()) + Duration::from_secs(1);
        assert!(located.time_to_live.is_none_or(|ttl| ttl <= remaining), "{:?}", located.time_to_live);
    }
}

/// Which are different things.
pub async fn what_cant_be_read_is_located_and_what_isnt_there_is_not(fixture: Fixture<'_>) {
    let session = created_session(fixture).await;
    fixture.spoil(&session.id).await;
    let located = fixture.directory().locate(&session.id).await.unwrap().unwrap();
    assert_eq!(located.stored, None);
    let unknown = fixtures::session(&session.user_id).id;
    assert_eq!(fixture.directory().locate(&unknown).await.unwrap(), None);
    assert!(fixture.store().delete(&session.id, Ending::RevokedByOperator).await.unwrap());
    assert_eq!(fixture.directory().locate(&session.id).await.unwrap(), None);
}

/// At least those that are known to be there.
pub async fn the_sessions_are_counted_and_weighed(fixture: Fixture<'_>) {
    created_sessions(fixture, 20).await;
    let count = fixture.directory().estimated_count().await.unwrap();
    assert!(count.sessions >= 20 || count.is_estimate, "{count:?}");
    if let Some(bytes) = fixture.directory().bytes().await.unwrap() {
        assert!(bytes >= 20 * 200, "{bytes}");
    }
}

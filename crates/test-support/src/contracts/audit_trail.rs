//! What every [`AuditTrail`] promises.
//!
//! ```ignore
//! audit_trail_contract!(over_sqlite, SqliteFixture::start());
//! ```

use std::sync::Arc;
use std::time::Duration;

use markt_domain::audit::{AuditEntry, AuditEvent, AuditRecord};
use markt_domain::ports::audit_log::{AuditTrail, Position};
use markt_domain::ports::entropy::Entropy as _;
use markt_domain::session::Ending;
use tokio::task::JoinSet;

use crate::entropy::MachineEntropy;
use crate::fixtures;

/// A trail to be tested. What must stay alive for it to work (a temporary database) is held by the fixture.
pub trait AuditTrailFixture: Send + Sync {
    /// The trail under test; the same one each time, empty at first.
    fn trail(&self) -> Arc<dyn AuditTrail>;
}

type Fixture<'a> = &'a dyn AuditTrailFixture;

/// Makes a test of each promise of an audit trail: `audit_trail_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::audit_trail`](crate::contracts::audit_trail).
#[macro_export]
macro_rules! audit_trail_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { audit_trail, $name, $make, [
            every_event_is_read_as_it_was_written,
            entries_are_read_in_their_order_and_piece_by_piece,
            what_is_written_again_is_there_once,
            nothing_is_added_when_there_is_nothing_to_add,
            what_many_write_at_once_is_all_there,
            who_follows_while_many_write_misses_nothing,
            the_last_position_is_the_highest,
            the_place_of_a_time_is_behind_what_came_before_it,
            what_is_too_old_is_forgotten_and_no_more,
        ] }
    };
}

fn entry(record: AuditRecord) -> AuditEntry {
    let mut key = [0; 16];
    MachineEntropy.fill(&mut key);
    AuditEntry { key: u128::from_be_bytes(key), at: fixtures::now(), request_id: Some("req-1".into()), record }
}

fn numbered(number: u64) -> AuditRecord {
    AuditRecord::new(AuditEvent::LoggedOut).ended(Ending::LoggedOut, number)
}

async fn all(trail: &dyn AuditTrail) -> Vec<AuditEntry> {
    let entries = trail.after(Position::default(), 1000).await.unwrap();
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// With all that can be said of it, and with nothing.
pub async fn every_event_is_read_as_it_was_written(fixture: Fixture<'_>) {
    let (session, other) = (fixtures::session(&fixtures::user_id()), fixtures::session(&fixtures::user_id()));
    let mut entries = Vec::new();
    for event in AuditEvent::ALL {
        let bare = AuditRecord::new(event);
        let full = bare.clone().of_session(&session).related_to(other.id).by(&session.client);
        entries.push(entry(full.because("for \"good\" reasons, 'tis said; ü").ended(Ending::Evicted, 3)));
        entries.push(AuditEntry { request_id: None, ..entry(bare) });
    }
    fixture.trail().append(&entries).await.unwrap();
    assert_eq!(all(&*fixture.trail()).await, entries);
}

/// By positions that grow.
pub async fn entries_are_read_in_their_order_and_piece_by_piece(fixture: Fixture<'_>) {
    let trail = fixture.trail();
    let entries: Vec<_> = (0..7).map(|n| entry(numbered(n))).collect();
    trail.append(&entries[..3]).await.unwrap();
    trail.append(&entries[3..]).await.unwrap();
    let (mut read, mut position) = (Vec::new(), Position::default());
    loop {
        let piece = trail.after(position, 2).await.unwrap();
        assert!(piece.len() <= 2 && piece.iter().all(|(its, _)| *its > position));
        let Some((last, _)) = piece.last() else { break };
        position = *last;
        read.extend(piece.into_iter().map(|(_, entry)| entry));
    }
    assert_eq!(read, entries);
}

/// As after an outage in the middle of which it was written, though nobody heard of that.
pub async fn what_is_written_again_is_there_once(fixture: Fixture<'_>) {
    let entries: Vec<_> = (0..3).map(|number| entry(numbered(number))).collect();
    for again in [&entries[..2], &entries[..2], &entries[1..], &entries] {
        fixture.trail().append(again).await.unwrap();
    }
    assert_eq!(all(&*fixture.trail()).await, entries);
}

/// Not an error.
pub async fn nothing_is_added_when_there_is_nothing_to_add(fixture: Fixture<'_>) {
    fixture.trail().append(&[]).await.unwrap();
    assert_eq!(all(&*fixture.trail()).await, []);
}

/// Several nodes.
pub async fn what_many_write_at_once_is_all_there(fixture: Fixture<'_>) {
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let trail = fixture.trail();
        writers.spawn(async move {
            for n in 0..10 {
                let record = numbered(writer * 10 + n);
                trail.append(&[entry(record)]).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let mut numbers: Vec<_> = all(&*fixture.trail()).await.iter().filter_map(|entry| entry.record.count).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..80).collect::<Vec<_>>());
}

/// Who has read up to a position doesn't look behind it any more.
pub async fn who_follows_while_many_write_misses_nothing(fixture: Fixture<'_>) {
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let trail = fixture.trail();
        writers.spawn(async move {
            for n in 0..15 {
                let entries: Vec<_> = (0..writer + 1).map(|_| entry(numbered(n))).collect();
                trail.append(&entries).await.unwrap();
            }
        });
    }
    let (trail, mut position, mut seen) = (fixture.trail(), Position::default(), 0);
    loop {
        let all_written = writers.is_empty();
        let page = trail.after(position, 1000).await.unwrap();
        position = page.last().map_or(position, |(last, _)| *last);
        seen += page.len();
        if all_written {
            break;
        }
        while writers.try_join_next().is_some() {}
    }
    assert_eq!(seen, 15 * (1..=8).sum::<usize>());
}

/// And the beginning where there is nothing.
pub async fn the_last_position_is_the_highest(fixture: Fixture<'_>) {
    let trail = fixture.trail();
    assert_eq!(trail.last().await.unwrap(), Position::default());
    let mut entries = minutes_apart(3);
    entries.reverse();
    trail.append(&entries).await.unwrap();
    let read = trail.after(Position::default(), 10).await.unwrap();
    assert_eq!(trail.last().await.unwrap(), read[2].0);
}

/// So that it can be looked at from then on.
pub async fn the_place_of_a_time_is_behind_what_came_before_it(fixture: Fixture<'_>) {
    let trail = fixture.trail();
    let entries = minutes_apart(3);
    assert_eq!(trail.position_before(entries[0].at).await.unwrap(), Position::default());
    trail.append(&entries).await.unwrap();
    let position = trail.position_before(entries[1].at).await.unwrap();
    let behind = trail.after(position, 10).await.unwrap();
    assert_eq!(behind.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(), entries[1..]);
    assert_eq!(trail.position_before(entries[0].at).await.unwrap(), Position::default());
}

/// What is exactly as old as it may be stays.
pub async fn what_is_too_old_is_forgotten_and_no_more(fixture: Fixture<'_>) {
    let trail = fixture.trail();
    let entries = minutes_apart(10);
    trail.append(&entries).await.unwrap();
    assert_eq!(trail.delete_before(entries[7].at, 3).await.unwrap(), 7);
    assert_eq!(all(&*trail).await, entries[7..]);
    assert_eq!(trail.delete_before(entries[7].at, 3).await.unwrap(), 0);
}

/// So many entries, of which each happened a minute after the one before.
fn minutes_apart(count: u64) -> Vec<AuditEntry> {
    let now = fixtures::now();
    let at = |minutes| now.plus(Duration::from_secs(60 * minutes));
    (0..count).map(|minutes| AuditEntry { at: at(minutes), ..entry(numbered(minutes)) }).collect()
}

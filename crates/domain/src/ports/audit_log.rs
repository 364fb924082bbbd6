//! Where it is written down what happened.
//!
//! # Writing an adapter
//!
//! - [`AuditLog::record`] is called in the middle of requests: it neither waits nor fails. What can't be kept is lost, and
//!   counted.
//! - An [`AuditTrail`] only grows, but for what is older than it is to be kept. Positions grow with it, from 1 on; one may be
//!   skipped. Entries become visible in the order of their positions, whoever writes them: who has read up to one of them
//!   has missed none.
//! - The suite `markt_test_support::contracts::audit_trail` passes.

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::audit::{AuditEntry, AuditRecord};

/// Takes notice of what happens.
pub trait AuditLog: Send + Sync {
    /// This has just happened.
    fn record(&self, record: AuditRecord);
}

/// An entry's place in the trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

/// Keeps what happened.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Adds these, all or none, but for those that are there already: whoever got no answer may write them again.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError>;

    /// The entries behind this position, the first ones first; at most so many. An event that only a later version knows is
    /// [`RecordsLost`](crate::audit::AuditEvent::RecordsLost) here: who follows is told that there is something.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn after(&self, position: Position, limit: u64) -> Result<Vec<(Position, AuditEntry)>, StoreError>;

    /// The highest position that there is; the beginning if there is none.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn last(&self) -> Result<Position, StoreError>;

    /// The position of the last entry that happened before this time; the beginning if there is none.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn position_before(&self, time: Timestamp) -> Result<Position, StoreError>;

    /// Forgets all entries from before this time, `batch` of them (at least one) at a time. Returns how many there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was forgotten until then stays so.
    async fn delete_before(&self, time: Timestamp, batch: u64) -> Result<u64, StoreError>;
}

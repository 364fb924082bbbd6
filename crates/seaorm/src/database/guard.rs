//! What stands between callers and the database, so that nobody waits for what won't be answered soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use markt_domain::breaker::Breaker;
use markt_domain::bulkhead::{Bulkhead, Place};
use markt_domain::ports::StoreError;
use tokio::sync::Notify;

/// How many operations may wait for the database at once, for one of the pool's connections above all: what it gets
/// done within the time that one of them may take. SQLx itself bounds nothing.
const PLACES: usize = 1024;

/// Refuses what the database can't be asked now, and sees what comes of the rest.
pub(super) struct Guard {
    breaker: Breaker,
    bulkhead: Bulkhead,
    opened: Notify,
    closing: AtomicBool,
}

impl Guard {
    pub(super) const fn new() -> Self {
        Self {
            breaker: Breaker::new("database"),
            bulkhead: Bulkhead::new(PLACES),
            opened: Notify::const_new(),
            closing: AtomicBool::new(false),
        }
    }

    /// Lets an operation through, for as long as the place is held.
    pub(super) fn enter(&self, operation: &'static str) -> Result<Place<'_>, StoreError> {
        self.breaker.check().map_err(|refusal| StoreError::unavailable(operation, refusal))?;
        self.bulkhead.enter().map_err(|refusal| StoreError::unavailable(operation, refusal))
    }

    /// Sees whether an operation was answered, be it with an error.
    pub(super) fn see(&self, is_answered: bool) {
        if is_answered {
            self.breaker.answered();
        } else if self.breaker.unanswered(Instant::now()) {
            self.opened.notify_one();
        }
    }

    /// Waits until somebody has to find out whether the database is back. False once it's closed.
    pub(super) async fn opened(&self) -> bool {
        self.opened.notified().await;
        !self.closing.load(Ordering::Relaxed)
    }

    /// Whether operations are refused until the database is found to be back.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.is_open() && !self.closing.load(Ordering::Relaxed)
    }

    /// From now on nobody needs to find out.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.opened.notify_one();
    }
}

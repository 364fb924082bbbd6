//! What stands between callers and a store, so that nobody waits for what won't be answered soon: a
//! [breaker](crate::breaker) and a [bulkhead](crate::bulkhead), for adapters to put before the one place that all they ask
//! goes through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::breaker::Breaker;
use crate::bulkhead::{Bulkhead, Place};
use crate::ports::StoreError;

/// Refuses what the store can't be asked now, and sees what comes of the rest.
#[derive(Debug)]
pub struct StoreGuard {
    breaker: Breaker,
    bulkhead: Bulkhead,
    closing: AtomicBool,
}

impl StoreGuard {
    /// Before a store of this name (for the log), which so many may wait for at once.
    #[must_use]
    pub const fn new(store: &'static str, places: usize) -> Self {
        let (breaker, bulkhead) = (Breaker::new(store), Bulkhead::new(places));
        Self { breaker, bulkhead, closing: AtomicBool::new(false) }
    }

    /// Lets an operation through, for as long as the place is held.
    ///
    /// # Errors
    /// If the store is known not to answer, or too many wait for it already.
    pub fn enter(&self, operation: &'static str) -> Result<Place<'_>, StoreError> {
        self.breaker.check().map_err(|refusal| StoreError::unavailable(operation, refusal))?;
        self.bulkhead.enter().map_err(|refusal| StoreError::unavailable(operation, refusal))
    }

    /// Sees whether an operation was answered, be it with an error. Returns whether nothing is let through from now on:
    /// then the caller has to see to it that the store is asked every now and then, as long as that [is
    /// so](Self::is_open).
    #[must_use]
    pub fn see(&self, is_answered: bool) -> bool {
        if is_answered {
            self.breaker.answered();
            return false;
        }
        self.breaker.unanswered(Instant::now())
    }

    /// Whether nothing is let through until the store is found to be back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.breaker.is_open() && !self.is_closing()
    }

    /// From now on nobody needs to find out.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether it was [closed](Self::close).
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::StoreErrorKind;

    #[test]
    fn who_is_refused_is_told_that_the_store_is_unavailable() {
        let guard = StoreGuard::new("test", 1);
        let place = guard.enter("first").unwrap();
        let refused = guard.enter("second").unwrap_err();
        assert_eq!((refused.kind, refused.operation), (StoreErrorKind::Unavailable, "second"));
        drop(place);
        assert!(guard.enter("third").is_ok());
    }
}

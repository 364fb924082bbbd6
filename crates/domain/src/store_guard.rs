//! What stands between callers and a store, so that nobody waits for what won't be answered soon: a
//! [breaker](crate::breaker) and a [bulkhead](crate::bulkhead), for adapters to put before the one place that all they ask
//! goes through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tracing::Instrument as _;

use crate::breaker::Breaker;
use crate::bulkhead::{Bulkhead, Place};
use crate::ports::StoreError;
use crate::ports::store_observer::StoreObserver;
use crate::trace;

/// Refuses what the store can't be asked now, and sees what comes of the rest.
pub struct StoreGuard {
    breaker: Breaker,
    bulkhead: Bulkhead,
    closing: AtomicBool,
    observer: OnceLock<Arc<dyn StoreObserver>>,
}

impl StoreGuard {
    /// Before a store of this name (for the log), which so many may wait for at once.
    #[must_use]
    pub const fn new(store: &'static str, places: usize) -> Self {
        let (breaker, bulkhead) = (Breaker::new(store), Bulkhead::new(places));
        Self { breaker, bulkhead, closing: AtomicBool::new(false), observer: OnceLock::new() }
    }

    /// From now on this one is told of each operation. Only the first observer counts.
    pub fn be_observed_by(&self, observer: Arc<dyn StoreObserver>) {
        let _observed_already = self.observer.set(observer);
    }

    /// Does this, unless the store can't be asked now, and [tells](Self::observe) what came of it.
    ///
    /// # Errors
    /// Those of the work; and if the store is known not to answer, or too many wait for it already.
    pub async fn run<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let entered = async {
            let _place = self.enter(operation)?;
            work.await
        };
        self.observe(operation, entered).await
    }

    /// Waits for this, and tells the observer, if there is one, and the trace what came of it.
    pub async fn observe<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (span, begun) = (trace::step(operation), Instant::now());
        let outcome = work.instrument(span.clone()).await;
        trace::see(&span, &outcome);
        if let Some(observer) = self.observer.get() {
            observer.observe(operation, begun.elapsed(), outcome.as_ref().err().map(|error| error.kind));
        }
        outcome
    }

    /// How many wait for the store now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bulkhead.taken()
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
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::ports::StoreErrorKind;

    struct Seen(Mutex<Vec<(&'static str, Option<StoreErrorKind>)>>);

    impl StoreObserver for Seen {
        fn observe(&self, operation: &'static str, _: Duration, error: Option<StoreErrorKind>) {
            self.0.lock().unwrap().push((operation, error));
        }
    }

    #[test]
    fn the_observer_is_told_of_what_is_done_and_of_what_is_refused() {
        let (guard, seen) = (StoreGuard::new("test", 1), Arc::new(Seen(Mutex::default())));
        guard.be_observed_by(Arc::clone(&seen) as _);
        let outer = guard.run("first", async {
            assert_eq!(guard.waiting(), 1);
            assert!(guard.run("second", async { Ok(()) }).await.is_err());
            Ok(())
        });
        let done = pin!(outer).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(done, Poll::Ready(Ok(()))));
        assert_eq!(guard.waiting(), 0);
        assert_eq!(*seen.0.lock().unwrap(), [("second", Some(StoreErrorKind::Unavailable)), ("first", None)]);
    }

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

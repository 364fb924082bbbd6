//! How much hashing there is to do, and whether more can be taken on.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::Statistics;

/// The longest that anybody is let wait for a thread: who would wait longer had better come back later.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How much one hash counts for the average: an eighth.
const WEIGHT: u64 = 8;

/// The hashes that wait or are being made, and how long one takes.
///
/// How long is measured as the hashes are made: it depends on the machine, and on what else its cores do just then.
pub(crate) struct Load {
    threads: usize,
    /// How many may wait.
    max_queued: usize,
    pending: AtomicUsize,
    /// The moving average, in nanoseconds; zero as long as none was made.
    hash_time: AtomicU64,
    refused: AtomicU64,
    observer: OnceLock<Observer>,
}

/// Is told how long each hash took.
pub(crate) type Observer = Box<dyn Fn(Duration) + Send + Sync>;

/// A place among the pending hashes, until it is dropped.
pub(crate) struct Place(Arc<Load>);

impl Load {
    pub(crate) fn new(threads: NonZeroUsize, max_queued: usize) -> Self {
        Self {
            threads: threads.get(),
            max_queued,
            pending: AtomicUsize::new(0),
            hash_time: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            observer: OnceLock::new(),
        }
    }

    /// From now on this one is told. Only the first observer counts.
    pub(crate) fn be_observed_by(&self, observer: Observer) {
        let _observed_already = self.observer.set(observer);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let pending = self.pending.load(Ordering::Relaxed);
        let running = pending.min(self.threads);
        Statistics { running, queued: pending - running, refused: self.refused.load(Ordering::Relaxed) }
    }

    /// A place for one more; none if too many would have to be waited for.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Place> {
        let one_more = |pending| self.has_room_behind(pending).then_some(pending + 1);
        if self.pending.try_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    /// While a thread is free there is always room: that is how a long hash time is found out to be so no more.
    fn has_room_behind(&self, pending: usize) -> bool {
        let before = (pending + 1).saturating_sub(self.threads);
        before <= self.max_queued && self.time_of(before) <= LONGEST_WAIT
    }

    /// How long all threads together take for so many.
    fn time_of(&self, hashes: usize) -> Duration {
        let nanoseconds = u128::from(self.hash_time.load(Ordering::Relaxed)) * hashes as u128 / self.threads as u128;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn learn(&self, hash_time: Duration) {
        let latest = u64::try_from(hash_time.as_nanos()).unwrap_or(u64::MAX);
        let average = |before: u64| if before == 0 { latest } else { before - before / WEIGHT + latest / WEIGHT };
        self.hash_time.update(Ordering::Relaxed, Ordering::Relaxed, average);
    }
}

impl Place {
    /// Gives the place back after the hash was made, which took so long.
    pub(crate) fn done(self, hash_time: Duration) {
        self.0.learn(hash_time);
        if let Some(observer) = self.0.observer.get() {
            observer(hash_time);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(threads: usize, max_queued: usize) -> Arc<Load> {
        Arc::new(Load::new(NonZeroUsize::new(threads).unwrap(), max_queued))
    }

    /// As many places as there are.
    fn all_places(load: &Arc<Load>) -> Vec<Place> {
        std::iter::from_fn(|| load.admit()).collect()
    }

    #[test]
    fn before_the_first_hash_only_the_number_is_bounded() {
        assert_eq!(all_places(&load(2, 256)).len(), 258);
    }

    #[test]
    fn nobody_is_let_wait_for_longer_than_two_seconds() {
        for (threads, hash_time, waiting) in [(1, 100, 20), (2, 100, 40), (4, 30, 256), (1, 1200, 1), (2, 5000, 0)] {
            let load = load(threads, 256);
            load.learn(Duration::from_millis(hash_time));
            assert_eq!(all_places(&load).len(), threads + waiting, "{threads} threads, {hash_time} ms");
        }
    }

    #[test]
    fn a_place_that_is_given_back_is_free_again() {
        let load = load(1, 256);
        load.learn(Duration::from_millis(600));
        let mut places = all_places(&load);
        drop(places.pop());
        places.pop().unwrap().done(Duration::from_millis(600));
        assert_eq!(all_places(&load).len(), 2);
    }

    #[test]
    fn a_single_slow_hash_is_not_taken_for_the_rule() {
        let load = load(1, 256);
        load.learn(Duration::from_millis(20));
        load.learn(Duration::from_millis(180));
        assert_eq!(all_places(&load).len(), 1 + 50, "the average is 40 ms");
    }

    #[test]
    fn what_was_slow_for_a_while_is_found_out_to_be_fast_again() {
        let load = load(1, 256);
        load.learn(Duration::from_secs(3600));
        for _ in 0..200 {
            load.admit().unwrap().done(Duration::from_millis(9));
        }
        assert_eq!(all_places(&load).len(), 1 + 222);
    }

    #[test]
    fn times_beyond_all_measure_overflow_nothing() {
        let load = load(1, usize::MAX);
        load.learn(Duration::MAX);
        load.learn(Duration::MAX);
        assert_eq!(all_places(&load).len(), 1);
    }
}

//! Whether what is held can be relied on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts the times that the channel was lost: what was learnt before the last one is worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incarnation(u64);

/// What is known of the channel that changes are told by. Read at each request, so without a lock.
pub(crate) struct Trust {
    start: Instant,
    max_staleness: Duration,
    /// Nanoseconds after `start`; zero while the channel is lost.
    trusted_until: AtomicU64,
    incarnation: AtomicU64,
}

impl Trust {
    /// Nothing is trusted until the channel is proven alive.
    pub(crate) fn new(max_staleness: Duration) -> Self {
        let (trusted_until, incarnation) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { start: Instant::now(), max_staleness, trusted_until, incarnation }
    }

    /// The present incarnation, if the channel was proven alive lately.
    pub(crate) fn present(&self) -> Option<Incarnation> {
        let now = nanoseconds(self.start.elapsed());
        // The incarnation after the time: should the channel be lost in between, the older one can't be taken for good.
        let is_alive = now < self.trusted_until.load(Ordering::Acquire);
        is_alive.then(|| Incarnation(self.incarnation.load(Ordering::Acquire)))
    }

    pub(crate) fn lose(&self) {
        self.trusted_until.store(0, Ordering::Release);
        self.incarnation.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn prove_alive(&self, at: Instant) {
        let until = nanoseconds((at + self.max_staleness).saturating_duration_since(self.start));
        self.trusted_until.fetch_max(until, Ordering::AcqRel);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALENESS: Duration = Duration::from_secs(3600);

    #[test]
    fn nothing_is_trusted_before_the_first_proof_nor_once_the_last_one_is_too_old() {
        let trust = Trust::new(STALENESS);
        assert_eq!(trust.present(), None);
        let long_ago = Instant::now().checked_sub(STALENESS).unwrap();
        trust.prove_alive(long_ago);
        assert_eq!(trust.present(), None);
        trust.prove_alive(Instant::now());
        assert!(trust.present().is_some());
    }

    #[test]
    fn a_late_proof_takes_nothing_back() {
        let trust = Trust::new(STALENESS);
        trust.prove_alive(Instant::now());
        trust.prove_alive(Instant::now().checked_sub(STALENESS).unwrap());
        assert!(trust.present().is_some());
    }

    #[test]
    fn after_a_loss_it_takes_a_new_proof_and_begins_anew() {
        let trust = Trust::new(STALENESS);
        trust.prove_alive(Instant::now());
        let before = trust.present();
        trust.lose();
        assert_eq!(trust.present(), None);
        trust.prove_alive(Instant::now());
        assert!(trust.present().is_some());
        assert_ne!(trust.present(), before);
    }
}

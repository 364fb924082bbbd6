//! A circuit breaker: a store that doesn't answer is left alone until it does.
//!
//! Without one, each request to a store that hangs waits until its time is up, and so do all that come meanwhile. With
//! it only those of the first moment wait; the others are told at once.
//!
//! The breaker knows neither the store nor a clock. Whoever asks the store looks first whether that is
//! [allowed](Breaker::check), and tells what came of it. While it is open, callers are refused; it is its owner who
//! goes on asking, now and then, and so finds out that the store is back. That no caller is sent ahead to try has two
//! reasons: none has to wait for it, and none that goes away in the middle can leave the breaker waiting.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many have to get no answer, one after the other and nobody else an answer in between, …
const ENOUGH: u32 = 5;

/// … and over how long a time. Whatever ends a connection, or holds the store up for a moment, takes many with it at
/// once; but when the store is there, somebody has got an answer before this has passed.
const LONG_ENOUGH: Duration = Duration::from_millis(100);

/// Tells whether it makes sense to ask a store.
#[derive(Debug)]
pub struct Breaker {
    store: &'static str,
    /// What `silence` comes to, to be seen without the lock: one of the constants below.
    state: AtomicU8,
    /// Since the last answer.
    silence: Mutex<Silence>,
}

/// The store answers.
const CLOSED: u8 = 0;
/// The store may be asked, but the last thing known of it is that it didn't answer.
const IN_DOUBT: u8 = 1;
/// The store isn't asked.
const OPEN: u8 = 2;

#[derive(Debug, Default)]
struct Silence {
    unanswered: u32,
    since: Option<Instant>,
}

/// Why a store isn't asked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the store didn't answer lately, and isn't asked until it does")]
pub struct NotAsked;

impl Breaker {
    /// A closed breaker. The store's name is for the log: `Redis`.
    #[must_use]
    pub const fn new(store: &'static str) -> Self {
        Self { store, state: AtomicU8::new(CLOSED), silence: Mutex::new(Silence { unanswered: 0, since: None }) }
    }

    /// Whether the store may be asked. Costs an atomic load.
    ///
    /// # Errors
    /// If the breaker is open.
    pub fn check(&self) -> Result<(), NotAsked> {
        if self.is_open() { Err(NotAsked) } else { Ok(()) }
    }

    /// Whether the store isn't to be asked, except to find out whether it is back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// The store answered, be it with an error: the breaker is closed from now on. If it was without a doubt, that
    /// costs an atomic load.
    pub fn answered(&self) {
        if self.state.load(Ordering::Relaxed) == CLOSED {
            return;
        }
        let mut silence = self.silence();
        *silence = Silence::default();
        if self.state.swap(CLOSED, Ordering::Relaxed) == OPEN {
            tracing::info!(store = self.store, "the store answers again");
        }
    }

    /// The store didn't answer, or can't be reached. Whether that opened the breaker: then its owner has to ask the
    /// store now and then, until the breaker is closed.
    #[must_use]
    pub fn unanswered(&self, now: Instant) -> bool {
        let mut silence = self.silence();
        silence.unanswered = silence.unanswered.saturating_add(1);
        let since = *silence.since.get_or_insert(now);
        let has_lasted = silence.unanswered >= ENOUGH && now.saturating_duration_since(since) >= LONG_ENOUGH;
        let opens = has_lasted && !self.is_open();
        if opens {
            self.state.store(OPEN, Ordering::Relaxed);
            tracing::warn!(store = self.store, "the store doesn't answer, and isn't asked until it does");
        } else if !self.is_open() {
            self.state.store(IN_DOUBT, Ordering::Relaxed);
        }
        opens
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker that opened after a silence that began at this time.
    fn opened_at(start: Instant) -> Breaker {
        let breaker = Breaker::new("test");
        assert!(!(1..ENOUGH).any(|_| breaker.unanswered(start)));
        assert!(breaker.unanswered(start + LONG_ENOUGH));
        breaker
    }

    #[test]
    fn it_opens_after_some_time_without_an_answer_and_says_so_once() {
        let start = Instant::now();
        let breaker = opened_at(start);
        assert!(breaker.is_open());
        assert!(breaker.check().is_err());
        assert!(!breaker.unanswered(start + LONG_ENOUGH * 2), "it is open already");
    }

    #[test]
    fn however_many_get_no_answer_in_one_moment_it_stays_closed() {
        let (breaker, start) = (Breaker::new("test"), Instant::now());
        for _ in 0..1_000 {
            assert!(!breaker.unanswered(start + LONG_ENOUGH / 2));
        }
        assert!(breaker.check().is_ok());
    }

    #[test]
    fn a_few_without_an_answer_however_long_ago_the_first_was_leave_it_closed() {
        let (breaker, start) = (Breaker::new("test"), Instant::now());
        for minute in 1..ENOUGH {
            assert!(!breaker.unanswered(start + Duration::from_secs(60) * minute));
        }
        assert!(breaker.check().is_ok());
    }

    #[test]
    fn an_answer_in_between_counts_for_all_that_went_before() {
        let (breaker, start) = (Breaker::new("test"), Instant::now());
        for round in 0..100 {
            assert!(!(1..ENOUGH).any(|_| breaker.unanswered(start + LONG_ENOUGH * round)));
            breaker.answered();
        }
        assert!(breaker.check().is_ok());
        assert!(!(1..ENOUGH).any(|_| breaker.unanswered(start + LONG_ENOUGH * 100)), "the silence begins anew");
    }

    #[test]
    fn the_first_answer_closes_it_and_it_can_open_again() {
        let start = Instant::now();
        let breaker = opened_at(start);
        breaker.answered();
        assert!(breaker.check().is_ok());
        let later = start + LONG_ENOUGH * 10;
        assert!(!(1..ENOUGH).any(|_| breaker.unanswered(later)));
        assert!(breaker.unanswered(later + LONG_ENOUGH));
    }

    #[test]
    fn of_many_threads_one_is_told_that_it_opened() {
        let (breaker, start) = (Breaker::new("test"), Instant::now());
        let opened = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..100).filter(|&n| breaker.unanswered(start + LONG_ENOUGH * n)).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(opened, 1);
    }
}

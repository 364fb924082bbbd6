//! A clock that tests move.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::clock::Clock;

/// Stands still until it is moved.
#[derive(Debug)]
pub struct MovableClock(AtomicI64);

impl MovableClock {
    /// A clock that stands at this time.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.unix_milliseconds()))
    }

    /// A clock that stands at the machine's time: what servers with clocks of their own (Redis) agree with.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where a test's time comes from")]
    pub fn at_present() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self(AtomicI64::new(i64::try_from(since_epoch.as_millis()).unwrap()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_milliseconds(self.0.load(Ordering::SeqCst))
    }
}

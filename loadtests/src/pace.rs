//! When a user's requests are due.
//!
//! A user who asks again once there is an answer asks a server that stalls less often, and hides its worst moments from
//! the percentiles: coordinated omission. Where a rate is asked for, every request has a time at which it is due, whatever
//! became of the one before. One that is late because its user still waited for an answer counts from when it was due.

use std::time::Duration;

use tokio::time::Instant;

/// The times at which one user's requests are due.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// Of the user `index` of so many, who make `rate` requests per second together, one after the other.
    pub(crate) fn new(rate: f64, index: usize, users: usize, start: Instant) -> Self {
        let apart = Duration::from_secs_f64(1.0 / rate);
        let apart = |users: usize| apart * u32::try_from(users).unwrap_or(u32::MAX);
        Self { interval: apart(users), next: start + apart(index) }
    }

    /// When the next request is due, which may be a while ago; then it is the turn of the one after it.
    pub(crate) fn next(&mut self) -> Instant {
        let due = self.next;
        self.next += self.interval;
        due
    }

    /// The same, but that it stays its turn.
    pub(crate) fn peek(&self) -> Instant {
        self.next
    }

    /// How many are due from now on and before this time.
    pub(crate) fn due_before(&self, end: Instant) -> usize {
        let left = end.saturating_duration_since(self.next);
        usize::try_from(left.as_nanos().div_ceil(self.interval.as_nanos().max(1))).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns_at_the_rate() {
        let start = Instant::now();
        let mut second = Pace::new(100.0, 1, 4, start);

        let due = [second.next(), second.next(), second.next()].map(|due| (due - start).as_millis());

        assert_eq!(due, [10, 50, 90]);
        assert_eq!(second.due_before(start + Duration::from_millis(200)), 2);
        assert_eq!(second.due_before(start + Duration::from_millis(210)), 2);
        assert_eq!(second.due_before(start + Duration::from_millis(211)), 3);
    }
}

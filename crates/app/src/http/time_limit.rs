//! How long a request may take.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Limits the time of requests that come one after the other, as those of a connection do.
///
/// They use one timer in turn: to put it off costs next to nothing, where setting up another takes a lock that all
/// connections share and a piece of memory that allocators are slow at.
pub struct TimeLimit {
    limit: Duration,
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl TimeLimit {
    /// So long each.
    pub const fn new(limit: Duration) -> Self {
        Self { limit, timer: Mutex::new(None) }
    }

    /// The same for requests that have nothing to do with these.
    pub const fn another(&self) -> Self {
        Self::new(self.limit)
    }

    /// Waits for this; nothing if it takes too long.
    pub async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        // What is there at once needs no timer.
        if let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            return Some(outcome);
        }
        let mut timer = self.take_timer();
        let outcome = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => timer.as_mut().poll(context).map(|()| None),
        });
        let outcome = outcome.await;
        *self.timer.lock().unwrap_or_else(PoisonError::into_inner) = Some(timer);
        outcome
    }

    fn take_timer(&self) -> Pin<Box<Sleep>> {
        let end = Instant::now() + self.limit;
        let timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match timer {
            Some(mut timer) => {
                timer.as_mut().reset(end);
                timer
            }
            None => Box::pin(sleep_until(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    /// The timer is the runtime's, whose time can't be moved without building all of it a second time.
    const LIMIT: Duration = Duration::from_secs(1);
    const MOST_OF_IT: Duration = Duration::from_millis(600);

    #[tokio::test]
    async fn each_has_the_whole_time_whatever_the_one_before_it_took() {
        let limit = TimeLimit::new(LIMIT);
        for _ in 0..2 {
            assert!(limit.wait_for(sleep(MOST_OF_IT)).await.is_some());
        }
    }

    #[tokio::test]
    async fn what_takes_longer_is_given_up_and_the_next_has_its_time_again() {
        let limit = TimeLimit::new(LIMIT);
        let start = Instant::now();
        assert_eq!(limit.wait_for(pending::<()>()).await, None);
        assert!(start.elapsed() >= LIMIT);
        assert!(limit.wait_for(sleep(MOST_OF_IT)).await.is_some());
    }

    #[tokio::test]
    async fn work_that_is_dropped_takes_no_time_from_the_next() {
        let limit = TimeLimit::new(LIMIT);
        assert!(tokio::time::timeout(MOST_OF_IT, limit.wait_for(pending::<()>())).await.is_err());
        assert!(limit.wait_for(sleep(MOST_OF_IT)).await.is_some());
    }
}

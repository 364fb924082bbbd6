//! The time that is measured: it opens when all users are there, and closes when the last one has stopped.
//!
//! Nobody is under way at either edge, so that what a server says of itself at both is about these requests alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::driver::Driver;

/// How often a user who waits looks whether the run is given up.
const LOOK: Duration = Duration::from_millis(100);

/// The window of one attack.
pub(crate) struct Window {
    users: usize,
    length: Duration,
    entered: AtomicUsize,
    left: AtomicUsize,
    opened: watch::Sender<Option<Instant>>,
    driver: Driver,
}

impl Window {
    pub(crate) fn new(users: usize, length: Duration, driver: Driver) -> Self {
        Self {
            users,
            length,
            entered: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            opened: watch::Sender::new(None),
            driver,
        }
    }

    /// Waits until all are there. The last one opens it, when whoever drives this says so. Nothing if the run is given up
    /// before.
    pub(crate) async fn enter(&self) -> Option<Instant> {
        let mut opened = self.opened.subscribe();
        if self.entered.fetch_add(1, Ordering::Relaxed) + 1 == self.users {
            self.driver.ready().await;
            self.opened.send_replace(Some(Instant::now()));
        }
        loop {
            if let Ok(Ok(opened)) = timeout(LOOK, opened.wait_for(Option::is_some)).await {
                return *opened;
            }
            if goose::is_killswitch_triggered() {
                return None;
            }
        }
    }

    /// Whether it is open now.
    pub(crate) fn is_open(&self) -> bool {
        self.contains(Instant::now())
    }

    /// Whether it is open at this time.
    pub(crate) fn contains(&self, time: Instant) -> bool {
        self.end().is_some_and(|end| time < end)
    }

    /// Whether it has been closed for as long as it was open: whatever is late by then is given up.
    pub(crate) fn is_long_over(&self) -> bool {
        self.end().is_some_and(|end| Instant::now() > end + self.length)
    }

    /// How long it is open.
    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// When it closes, once it has opened.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.opened().map(|opened| opened + self.length)
    }

    /// When it opened, once it has.
    pub(crate) fn opened(&self) -> Option<Instant> {
        *self.opened.borrow()
    }

    /// Tells that a user has stopped. The last one closes it, and ends the attack when whoever drives this says so.
    pub(crate) async fn leave(&self) {
        if self.left.fetch_add(1, Ordering::Relaxed) + 1 == self.users {
            self.driver.done().await;
            goose::trigger_killswitch("what was to be measured is measured");
        }
    }
}

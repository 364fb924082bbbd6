//! What stands between callers and Redis, so that nobody waits for what won't be answered soon.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use fred::error::{Error, ErrorKind};
use markt_domain::breaker::Breaker;
use markt_domain::bulkhead::{Bulkhead, Place};
use markt_domain::ports::StoreError;
use tokio::sync::Notify;

/// How many commands may wait for Redis at once: what it answers in some 40 milliseconds, at 100,000 a second. fred
/// itself bounds nothing.
const PLACES: usize = 4096;

/// Refuses what Redis can't be asked now, and sees what comes of the rest.
pub(crate) struct Guard {
    breaker: Breaker,
    bulkhead: Bulkhead,
    opened: Notify,
    closing: AtomicBool,
}

impl Guard {
    pub(crate) const fn new() -> Self {
        Self {
            breaker: Breaker::new("Redis"),
            bulkhead: Bulkhead::new(PLACES),
            opened: Notify::const_new(),
            closing: AtomicBool::new(false),
        }
    }

    /// Lets a command through, for as long as the place is held.
    pub(crate) fn enter(&self, operation: &'static str) -> Result<Place<'_>, StoreError> {
        self.breaker.check().map_err(|refusal| StoreError::unavailable(operation, refusal))?;
        self.bulkhead.enter().map_err(|refusal| StoreError::unavailable(operation, refusal))
    }

    /// Sees what came of a command.
    pub(crate) fn see<T>(&self, result: &Result<T, Error>) {
        match result {
            Err(error) if !is_answer(error) => {
                if self.breaker.unanswered(Instant::now()) {
                    self.opened.notify_one();
                }
            }
            _ => self.breaker.answered(),
        }
    }

    /// Waits until somebody has to find out whether Redis is back. False once the connections are closed.
    pub(crate) async fn opened(&self) -> bool {
        self.opened.notified().await;
        !self.is_closing()
    }

    /// Whether commands are refused until Redis is found to be back.
    pub(crate) fn is_open(&self) -> bool {
        self.breaker.is_open() && !self.is_closing()
    }

    /// From now on nobody needs to find out.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.opened.notify_one();
    }

    /// Whether it was [closed](Self::close).
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// Whether Redis said it, and not fred for want of an answer. A Redis that answers that it is full or loads its data
/// keeps nobody waiting, and may do one thing when it can't do another.
fn is_answer(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Auth | ErrorKind::Cluster | ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::Parse => {
            true
        }
        // Redis' own begin with a word in capitals: "OOM command not allowed".
        ErrorKind::Unknown => {
            let first = error.details().split_whitespace().next().unwrap_or_default();
            !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_uppercase())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_is_an_answer_and_what_fred_says_is_not() {
        for (kind, details, expected) in [
            (ErrorKind::Unknown, "OOM command not allowed when used memory > 'maxmemory'.", true),
            (ErrorKind::Unknown, "LOADING Redis is loading the dataset in memory", true),
            (ErrorKind::Unknown, "ERR user_script:3: attempt", true),
            (ErrorKind::InvalidArgument, "WRONGTYPE Operation", true),
            (ErrorKind::Auth, "NOAUTH Authentication required.", true),
            (ErrorKind::Parse, "Could not convert to string.", true),
            (ErrorKind::Timeout, "Request timed out.", false),
            (ErrorKind::IO, "Connection closed.", false),
            (ErrorKind::Canceled, "Connection closed unexpectedly.", false),
            (ErrorKind::Unknown, "Failed to route command.", false),
            (ErrorKind::Unknown, "", false),
        ] {
            assert_eq!(is_answer(&Error::new(kind, details)), expected, "{details}");
        }
    }
}

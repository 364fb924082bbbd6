//! How long a revoked session is still let in, measured all the time: the service's promise, watched by itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::ports::StoreError;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::http::health::Dependency;

/// From a tenth of a millisecond to what is far out of bounds, in seconds.
const BUCKETS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// The time from a revocation to the moment from which no request is answered by the revoked session any more.
#[derive(Clone)]
pub struct RevocationTime {
    bound: Duration,
    seconds: Histogram,
    is_kept: Arc<AtomicBool>,
}

impl RevocationTime {
    /// Nothing has been measured yet; more than `bound` is too long.
    #[must_use]
    pub fn new(bound: Duration) -> Self {
        Self { bound, seconds: Histogram::new(BUCKETS), is_kept: Arc::new(AtomicBool::new(true)) }
    }

    /// What is too long.
    #[must_use]
    pub const fn bound(&self) -> Duration {
        self.bound
    }

    /// A revocation took this long.
    pub fn observe(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
        self.is_kept.store(time < self.bound, Ordering::Relaxed);
    }

    /// Nothing is held in memory now, so that a revocation takes no time at all.
    pub fn nothing_held(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// Has it shown as `markt_revocation_seconds`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Time from a session's revocation to the last moment at which this process lets it in";
        registry.register_with_unit("markt_revocation", help, Unit::Seconds, self.seconds.clone());
    }
}

#[async_trait]
impl Dependency for RevocationTime {
    fn name(&self) -> &'static str {
        "revocation"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        if self.is_kept.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StoreError::unavailable("see revocations in time", io::Error::from(io::ErrorKind::TimedOut)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_ready(time: &RevocationTime) -> bool {
        time.ping().await.is_ok()
    }

    #[tokio::test]
    async fn readiness_fails_while_the_last_revocation_took_too_long() {
        let time = RevocationTime::new(Duration::from_secs(1));
        assert!(is_ready(&time).await);
        time.observe(Duration::from_millis(999));
        assert!(is_ready(&time).await);
        time.observe(Duration::from_secs(1));
        assert!(!is_ready(&time).await);
        time.observe(Duration::from_millis(1));
        assert!(is_ready(&time).await);
    }

    #[tokio::test]
    async fn what_is_not_held_in_memory_is_revoked_in_time() {
        let time = RevocationTime::new(Duration::from_secs(1));
        time.observe(Duration::from_secs(2));
        time.nothing_held();
        assert!(is_ready(&time).await);
    }
}

//! Limits on how often something may happen.
//!
//! # Writing an adapter
//!
//! - The algorithm is GCRA: a bucket is one point in time, its theoretical arrival time `tat` (0 if there is none). At
//!   `now` it is exhausted if `max(tat, now) - now > rate.tolerance()`; counting moves `tat` to
//!   `max(tat, now) + rate.interval()`. So `rate.count` events pass at once, and one more with each interval.
//! - Looking at several buckets and counting them is atomic: of any number of callers at once, as many as the rate
//!   allows are let pass.
//! - Time is the caller's. A bucket whose `tat` has passed is as good as none, and is forgotten.
//! - The suite `markt_test_support::contracts::rate_limiter` passes.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::digest::Digest;

/// So many events in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub period: Duration,
}

impl Rate {
    /// How long it takes until one more event is allowed; at least a millisecond.
    #[must_use]
    pub fn interval(&self) -> Duration {
        (self.period / self.count.get()).max(Duration::from_millis(1))
    }

    /// How far ahead of the time a bucket may be.
    #[must_use]
    pub fn tolerance(&self) -> Duration {
        self.interval() * (self.count.get() - 1)
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name in the stores: what it is for, and a digest of whom it is about, so that no store lists addresses.
    pub key: String,
    /// How much it holds.
    pub rate: Rate,
}

impl Bucket {
    /// The bucket of this kind for this subject.
    #[must_use]
    pub fn new(kind: &str, subject: &str, rate: Rate) -> Self {
        Self { key: format!("{kind}:{}", Digest::of(subject.as_bytes())), rate }
    }
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There was, in all of the buckets.
    Left,
    /// One of them is exhausted, and will be for so long.
    None {
        /// Until there is room again.
        retry_after: Duration,
    },
}

/// Counts what is limited.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Whether there is room in all of these buckets. Counts nothing.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn look(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError>;

    /// Counts an event in all of these buckets, if there is room in all of them; in none otherwise.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn count(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError>;
}

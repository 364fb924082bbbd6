//! The limits.

use std::time::Duration;

use async_trait::async_trait;
use fred::types::Value;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::rate_limiter::{Bucket, RateLimiter, Room};

use crate::scripts;
use crate::servers::Servers;
use crate::time_to_live::milliseconds;

/// Counts in Redis, as told in [`keys`](crate::keys), so that all processes share the limits.
#[derive(Clone)]
pub struct RedisRateLimiter {
    servers: Servers,
}

impl RedisRateLimiter {
    pub(crate) fn new(servers: Servers) -> Self {
        Self { servers }
    }

    async fn run(
        &self,
        operation: &'static str,
        buckets: &[Bucket],
        now: Timestamp,
        events: i64,
    ) -> Result<Room, StoreError> {
        if buckets.is_empty() {
            return Ok(Room::Left);
        }
        let mut arguments: Vec<Value> = vec![now.unix_milliseconds().into(), events.into()];
        for Bucket { rate, .. } in buckets {
            // Whole milliseconds here too, so that no more than `rate.count` events pass at once.
            let interval = milliseconds(rate.interval());
            arguments.push(interval.saturating_mul(i64::from(rate.count.get() - 1)).into());
            arguments.push(interval.into());
        }
        let keys = buckets.iter().map(|bucket| self.servers.keys().limit(bucket)).collect();
        let wait: u64 = scripts::run(&self.servers, operation, &scripts::COUNT, keys, arguments).await?;
        Ok(if wait == 0 { Room::Left } else { Room::None { retry_after: Duration::from_millis(wait) } })
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn look(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError> {
        self.run("look at limits", buckets, now, 0).await
    }

    async fn count(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError> {
        self.run("count in limits", buckets, now, 1).await
    }
}

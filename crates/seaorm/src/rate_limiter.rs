//! Limits in the database.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter, Room};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, TryInsertResult,
};

use crate::Database;
use crate::entities::limits::{ActiveModel, Column, Entity};

/// Counts what is limited in the database.
#[derive(Clone, Debug)]
pub struct SeaOrmRateLimiter {
    database: Database,
}

impl SeaOrmRateLimiter {
    /// A limiter in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Forgets the buckets whose time has passed by `now`, `batch` of them (at least one) in each statement. Returns how
    /// many there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was swept until then stays so.
    pub async fn delete_expired(&self, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_limits(&self.database, microseconds(now), batch).await
    }

    async fn try_look(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, DbErr> {
        if buckets.is_empty() {
            return Ok(Room::Left);
        }
        let keys = buckets.iter().map(|bucket| bucket.key.as_str());
        let rows = Entity::find().filter(Column::Key.is_in(keys)).all(self.database.reader()).await?;
        let tats: HashMap<String, i64> = rows.into_iter().map(|row| (row.key, row.tat)).collect();
        let waits = buckets.iter().filter_map(|bucket| {
            let latest = Limit::of(bucket.rate).latest(microseconds(now));
            tats.get(&bucket.key)?.checked_sub(latest).filter(|wait| *wait > 0)
        });
        Ok(waits
            .max()
            .map_or(Room::Left, |wait| Room::None { retry_after: Duration::from_micros(wait.unsigned_abs()) }))
    }

    async fn try_count(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, DbErr> {
        if buckets.is_empty() {
            return Ok(Room::Left);
        }
        // Everybody locks them in the same order: nobody waits for another who waits in turn.
        let mut in_order: Vec<_> = buckets.iter().collect();
        in_order.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let transaction = self.database.begin().await?;
        for bucket in in_order {
            if !count(&transaction, bucket, microseconds(now)).await? {
                transaction.rollback().await?;
                // At this time, what is exhausted stays so: nobody takes a count back.
                return self.try_look(buckets, now).await;
            }
        }
        transaction.commit().await?;
        Ok(Room::Left)
    }
}

#[async_trait]
impl RateLimiter for SeaOrmRateLimiter {
    async fn look(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError> {
        self.database.bounded("look at limits", self.try_look(buckets, now)).await
    }

    async fn count(&self, buckets: &[Bucket], now: Timestamp) -> Result<Room, StoreError> {
        self.database.bounded("count towards limits", self.try_count(buckets, now)).await
    }
}

/// A rate in microseconds: rounded up, and the tolerance by the same measure, so that as many pass at once as it says.
struct Limit {
    interval: i64,
    tolerance: i64,
}

impl Limit {
    fn of(rate: Rate) -> Self {
        let interval = rate.interval().as_nanos().div_ceil(1000);
        let interval = i64::try_from(interval).unwrap_or(i64::MAX);
        Self { interval, tolerance: interval.saturating_mul(i64::from(rate.count.get()) - 1) }
    }

    /// The latest arrival time that leaves room now.
    const fn latest(&self, now: i64) -> i64 {
        now.saturating_add(self.tolerance)
    }

    /// The arrival time after one more event, if it is not after this time before it.
    const fn next(&self, time: i64) -> i64 {
        time.saturating_add(self.interval)
    }
}

/// Counts an event in the bucket, if there is room in it. Locks it for the rest of the transaction if so.
async fn count(connection: &impl ConnectionTrait, bucket: &Bucket, now: i64) -> Result<bool, DbErr> {
    let limit = Limit::of(bucket.rate);
    let tat = || Expr::col((Entity, Column::Tat));
    let row = ActiveModel { key: Set(bucket.key.clone()), tat: Set(limit.next(now)) };
    let later = Expr::case(tat().gt(now), tat().add(limit.interval)).finally(limit.next(now));
    let one_more = OnConflict::column(Column::Key)
        .value(Column::Tat, later)
        .action_and_where(tat().lte(limit.latest(now)))
        .to_owned();
    let counted = Entity::insert(row).on_conflict(one_more).try_insert().exec_without_returning(connection).await?;
    Ok(matches!(counted, TryInsertResult::Inserted(1..)))
}

fn microseconds(time: Timestamp) -> i64 {
    time.unix_milliseconds().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// As many as the rate says, and no more, where rounding could let more or fewer pass.
    #[test]
    fn fast_and_odd_rates_are_not_bent() {
        for (count, period) in [(30, 45_000), (1000, 1_500_000), (7777, 10_000_000), (7, 60_000_000), (3, 1)] {
            let rate = Rate { count: NonZeroU32::new(count).unwrap(), period: Duration::from_micros(period) };
            let (limit, now) = (Limit::of(rate), 1_768_473_000_123_000);
            let mut tat = now;
            let mut passed = 0;
            while tat <= limit.latest(now) {
                tat = limit.next(tat);
                passed += 1;
            }
            assert_eq!(passed, count, "of {count} in {period} µs");
            let bent = limit.interval.abs_diff(i64::try_from(rate.interval().as_nanos() / 1000).unwrap());
            assert!(bent <= 1);
        }
    }
}

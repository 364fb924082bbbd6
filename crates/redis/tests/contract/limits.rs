//! The limits' keys.

use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::ports::StoreErrorKind;
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter as _, Room};
use markt_test_support::fixtures;
use markt_test_support::stores::redis_url;

use crate::raw::Raw;
use crate::stores;

#[tokio::test]
async fn a_bucket_lives_until_it_is_full_again() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let (bucket, now) = (bucket(), fixtures::now());
    let key = format!("limit:{}", bucket.key);
    let buckets = [bucket];
    assert_eq!(stores.limits().look(&buckets, now).await.unwrap(), Room::Left);
    assert!(!redis.exists(&key).await);
    for (event, tat) in [(1, 12_000), (2, 24_000), (3, 36_000)] {
        assert_eq!(stores.limits().count(&buckets, now).await.unwrap(), Room::Left, "{event}");
        let kept: i64 = redis.send(["GET", &key]).await;
        assert_eq!(kept, now.unix_milliseconds() + tat);
        let left = redis.ttl(&key).await;
        assert!((tat - 10_000..=tat).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn a_bucket_that_cant_be_read_is_unreadable_and_none_is_counted() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let (buckets, now) = ([bucket(), bucket()], fixtures::now());
    let broken = format!("limit:{}", buckets[1].key);
    for is_text in [true, false] {
        let _: () = redis.send(["DEL", &broken]).await;
        if is_text {
            let _: () = redis.send(["SET", &broken, "garbage"]).await;
        } else {
            let _: () = redis.send(["LPUSH", &broken, "1"]).await;
        }
        let _: () = redis.send(["EXPIRE", &broken, "60"]).await;
        let error = stores.limits().count(&buckets, now).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unreadable, "{error:?}");
        assert!(!redis.exists(&format!("limit:{}", buckets[0].key)).await);
    }
}

/// A bucket that nobody else uses.
pub(crate) fn bucket() -> Bucket {
    let rate = Rate { count: NonZeroU32::new(5).unwrap(), period: Duration::from_secs(60) };
    Bucket::new("test", fixtures::user_id().as_str(), rate)
}

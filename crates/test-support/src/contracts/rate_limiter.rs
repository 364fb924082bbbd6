//! What every [`RateLimiter`] promises.
//!
//! ```ignore
//! rate_limiter_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_redis`, in the way of
//! [`session_store`](crate::contracts::session_store).
//!
//! Time is the caller's, but a store with a clock of its own may forget a bucket by that: no rate here is so fast that
//! its buckets could run out while a test lasts.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter, Room};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixtures;

/// A store to be tested. What must stay alive for it to work (a temporary database) is held by the fixture, and goes
/// with it.
#[async_trait]
pub trait RateLimiterFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn RateLimiter>;
}

/// Makes a test of each promise of a rate limiter: `rate_limiter_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::rate_limiter`](crate::contracts::rate_limiter).
#[macro_export]
macro_rules! rate_limiter_contract {
    ($name:ident, $make:expr $(, $how:ident)?) => {
        $crate::contract_tests! { rate_limiter, $name, $make, [
            as_many_as_the_rate_says_pass_at_once_and_no_more,
            a_refusal_says_when_there_is_room_again,
            with_each_interval_one_more_passes,
            a_refused_event_does_not_count,
            looking_counts_nothing,
            looking_sees_what_counting_would,
            of_several_buckets_all_are_counted_or_none,
            the_wait_is_for_the_slowest_of_several_buckets,
            without_a_bucket_there_is_always_room,
            buckets_keep_apart,
            a_bucket_whose_time_has_passed_is_fresh,
            a_bucket_left_for_half_its_time_has_half_its_room,
            a_clock_that_is_behind_gives_no_more_room,
            odd_rates_let_as_many_pass_as_they_say,
            of_many_callers_as_many_pass_as_the_rate_says,
            many_callers_of_several_buckets_in_any_order_overdraw_none_and_all_are_answered,
        ] $(, $how)? }
    };
}

type Fixture<'a> = &'a dyn RateLimiterFixture;

const MINUTE: Duration = Duration::from_secs(60);

/// And no fewer.
pub async fn as_many_as_the_rate_says_pass_at_once_and_no_more(fixture: Fixture<'_>) {
    let now = fixtures::now();
    for allowed in [1, 2, 10] {
        let bucket = bucket(allowed, MINUTE);
        assert_eq!(burst(fixture, &bucket, now).await, allowed);
    }
}

/// To the millisecond.
pub async fn a_refusal_says_when_there_is_room_again(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(5, MINUTE));
    burst(fixture, &bucket, now).await;
    for (later, wait) in [(0, 12_000), (1, 11_999), (5_000, 7_000), (11_999, 1)] {
        assert_eq!(count(fixture, &bucket, after(now, later)).await, none_for(wait));
        assert_eq!(look(fixture, &bucket, after(now, later)).await, none_for(wait));
    }
    assert_eq!(count(fixture, &bucket, after(now, 12_000)).await, Room::Left);
    assert_eq!(count(fixture, &bucket, after(now, 12_000)).await, none_for(12_000));
}

/// For as long as anybody tries.
pub async fn with_each_interval_one_more_passes(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(6, MINUTE));
    burst(fixture, &bucket, now).await;
    for interval in 1..20 {
        let then = after(now, interval * 10_000);
        assert_eq!(count(fixture, &bucket, after(then, 0)).await, Room::Left);
        assert_eq!(count(fixture, &bucket, after(then, 9_999)).await, none_for(1));
    }
}

/// Who goes on trying doesn't wait longer than who doesn't.
pub async fn a_refused_event_does_not_count(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(3, MINUTE));
    burst(fixture, &bucket, now).await;
    for _ in 0..10 {
        assert_eq!(count(fixture, &bucket, now).await, none_for(20_000));
    }
    assert_eq!(count(fixture, &bucket, after(now, 20_000)).await, Room::Left);
}

/// However often, and whether there is room or not.
pub async fn looking_counts_nothing(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(3, MINUTE));
    for _ in 0..5 {
        assert_eq!(look(fixture, &bucket, now).await, Room::Left);
    }
    assert_eq!(burst(fixture, &bucket, now).await, 3);
    for _ in 0..5 {
        assert_eq!(look(fixture, &bucket, now).await, none_for(20_000));
    }
    assert_eq!(look(fixture, &bucket, after(now, 20_000)).await, Room::Left);
}

/// One bucket or several.
pub async fn looking_sees_what_counting_would(fixture: Fixture<'_>) {
    let (now, buckets) = (fixtures::now(), [bucket(4, MINUTE), bucket(2, MINUTE)]);
    for moment in 0..40 {
        let then = after(now, moment * 7_000);
        let seen = fixture.store().look(&buckets, then).await.unwrap();
        assert_eq!(fixture.store().count(&buckets, then).await.unwrap(), seen);
    }
}

/// Whichever of them it is that is exhausted.
pub async fn of_several_buckets_all_are_counted_or_none(fixture: Fixture<'_>) {
    let now = fixtures::now();
    for exhausted in 0..3 {
        let buckets = [bucket(4, MINUTE), bucket(4, MINUTE), bucket(4, MINUTE)];
        for allowed in 0..2 {
            assert_eq!(fixture.store().count(&buckets, now).await.unwrap(), Room::Left, "{allowed}");
        }
        assert_eq!(burst(fixture, &buckets[exhausted], now).await, 2, "each was counted");
        for _ in 0..5 {
            assert_eq!(fixture.store().count(&buckets, now).await.unwrap(), none_for(15_000));
        }
        for (place, bucket) in buckets.iter().enumerate() {
            let left = if place == exhausted { 0 } else { 2 };
            assert_eq!(burst(fixture, bucket, now).await, left, "a refusal was counted");
        }
    }
}

/// Earlier, there is no room in all of them.
pub async fn the_wait_is_for_the_slowest_of_several_buckets(fixture: Fixture<'_>) {
    let (now, quick, slow) = (fixtures::now(), bucket(2, MINUTE), bucket(2, 10 * MINUTE));
    burst(fixture, &quick, now).await;
    burst(fixture, &slow, now).await;
    for buckets in [[quick.clone(), slow.clone()], [slow, quick]] {
        assert_eq!(fixture.store().look(&buckets, now).await.unwrap(), none_for(300_000));
        assert_eq!(fixture.store().count(&buckets, now).await.unwrap(), none_for(300_000));
    }
}

/// Nothing is limited.
pub async fn without_a_bucket_there_is_always_room(fixture: Fixture<'_>) {
    for _ in 0..3 {
        assert_eq!(fixture.store().look(&[], fixtures::now()).await.unwrap(), Room::Left);
        assert_eq!(fixture.store().count(&[], fixtures::now()).await.unwrap(), Room::Left);
    }
}

/// By the subject and by the kind.
pub async fn buckets_keep_apart(fixture: Fixture<'_>) {
    let (now, subject, rate) = (fixtures::now(), fixtures::user_id(), rate(2, MINUTE));
    let buckets = [
        Bucket::new("login", subject.as_str(), rate),
        Bucket::new("mail", subject.as_str(), rate),
        Bucket::new("login", fixtures::user_id().as_str(), rate),
    ];
    for bucket in &buckets {
        assert_eq!(burst(fixture, bucket, now).await, 2);
    }
}

/// All of its room is there again.
pub async fn a_bucket_whose_time_has_passed_is_fresh(fixture: Fixture<'_>) {
    let bucket = bucket(5, MINUTE);
    let mut now = fixtures::now();
    for _ in 0..3 {
        assert_eq!(burst(fixture, &bucket, now).await, 5);
        now = now.plus(MINUTE);
    }
    // No more than that, however long nobody came.
    assert_eq!(burst(fixture, &bucket, now.plus(1000 * MINUTE)).await, 5);
}

/// Room comes back bit by bit, not all at once.
pub async fn a_bucket_left_for_half_its_time_has_half_its_room(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(10, MINUTE));
    assert_eq!(burst(fixture, &bucket, now).await, 10);
    assert_eq!(burst(fixture, &bucket, now.plus(MINUTE / 2)).await, 5);
}

/// The nodes' clocks differ a little.
pub async fn a_clock_that_is_behind_gives_no_more_room(fixture: Fixture<'_>) {
    let (now, bucket) = (fixtures::now(), bucket(4, MINUTE));
    burst(fixture, &bucket, after(now, 3_000)).await;
    assert_eq!(count(fixture, &bucket, now).await, none_for(18_000));
    assert_eq!(count(fixture, &bucket, after(now, 18_000)).await, Room::Left);
}

/// Also where the interval is no whole number of milliseconds.
pub async fn odd_rates_let_as_many_pass_as_they_say(fixture: Fixture<'_>) {
    let now = fixtures::now();
    for (allowed, seconds) in [(1, 61), (3, 100), (7, 60), (13, 3_601), (59, 601), (7, 86_400), (1, 30 * 86_400)] {
        let bucket = bucket(allowed, Duration::from_secs(seconds));
        assert_eq!(burst(fixture, &bucket, now).await, allowed, "of {allowed} in {seconds} s");
        let Room::None { retry_after } = look(fixture, &bucket, now).await else { panic!("there is no room") };
        let exact = Duration::from_secs(seconds) / allowed;
        assert!(retry_after.abs_diff(exact) <= Duration::from_millis(1), "{retry_after:?} instead of {exact:?}");
        // Times are whole milliseconds: the first that is not before it.
        let wait = u64::try_from(retry_after.as_nanos().div_ceil(1_000_000)).unwrap();
        assert!(matches!(count(fixture, &bucket, after(now, wait - 1)).await, Room::None { .. }));
        assert_eq!(count(fixture, &bucket, after(now, wait)).await, Room::Left);
    }
}

/// A hundred at once.
pub async fn of_many_callers_as_many_pass_as_the_rate_says(fixture: Fixture<'_>) {
    let now = fixtures::now();
    for allowed in [1, 10, 99] {
        let bucket = bucket(allowed, 10 * MINUTE);
        let rooms = at_once(fixture, now, |_| vec![bucket.clone()]).await;
        assert_eq!(passed(&rooms), allowed, "of a hundred");
        assert_eq!(burst(fixture, &bucket, now).await, 0);
    }
}

/// Nobody waits for another who waits in turn.
pub async fn many_callers_of_several_buckets_in_any_order_overdraw_none_and_all_are_answered(fixture: Fixture<'_>) {
    let now = fixtures::now();
    let (narrow, wide, widest) = (bucket(10, 10 * MINUTE), bucket(40, 10 * MINUTE), bucket(70, 10 * MINUTE));
    let rooms = at_once(fixture, now, |caller| match caller % 3 {
        0 => vec![narrow.clone(), wide.clone(), widest.clone()],
        1 => vec![widest.clone(), narrow.clone(), wide.clone()],
        _ => vec![wide.clone(), widest.clone(), narrow.clone()],
    })
    .await;
    assert_eq!(passed(&rooms), 10, "of a hundred");
    for (bucket, left) in [(&narrow, 0), (&wide, 30), (&widest, 60)] {
        assert_eq!(burst(fixture, bucket, now).await, left, "what was refused was counted");
    }
}

fn rate(count: u32, period: Duration) -> Rate {
    Rate { count: NonZeroU32::new(count).unwrap(), period }
}

/// A bucket that nobody has counted in.
fn bucket(count: u32, period: Duration) -> Bucket {
    Bucket::new("test", fixtures::user_id().as_str(), rate(count, period))
}

fn after(time: Timestamp, milliseconds: u64) -> Timestamp {
    time.plus(Duration::from_millis(milliseconds))
}

fn none_for(milliseconds: u64) -> Room {
    Room::None { retry_after: Duration::from_millis(milliseconds) }
}

async fn look(fixture: Fixture<'_>, bucket: &Bucket, now: Timestamp) -> Room {
    fixture.store().look(std::slice::from_ref(bucket), now).await.unwrap()
}

async fn count(fixture: Fixture<'_>, bucket: &Bucket, now: Timestamp) -> Room {
    fixture.store().count(std::slice::from_ref(bucket), now).await.unwrap()
}

/// How many events pass until one is refused.
async fn burst(fixture: Fixture<'_>, bucket: &Bucket, now: Timestamp) -> u32 {
    for passed in 0..=bucket.rate.count.get() {
        if count(fixture, bucket, now).await != Room::Left {
            return passed;
        }
    }
    panic!("{bucket:?} has no end");
}

/// What a hundred callers are told who all count in the same moment, each in its own buckets.
async fn at_once(fixture: Fixture<'_>, now: Timestamp, buckets: impl Fn(usize) -> Vec<Bucket>) -> Vec<Room> {
    const CALLERS: usize = 100;
    let start = Arc::new(Barrier::new(CALLERS));
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        let (store, buckets, start) = (fixture.store(), buckets(caller), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            store.count(&buckets, now).await.unwrap()
        });
    }
    tasks.join_all().await
}

fn passed(rooms: &[Room]) -> u32 {
    u32::try_from(rooms.iter().filter(|room| **room == Room::Left).count()).unwrap()
}

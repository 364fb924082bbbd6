//! What looks over all sessions, beside what its contract asks: what it costs Redis, and what it says of the index.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::ports::session_directory::{Count, Cursor, IndexPage, SessionDirectory as _};
use markt_domain::session::Session;
use markt_domain::user::UserId;
use markt_redis::{RedisStores, keys};
use markt_test_support::fixtures;
use markt_test_support::stores::OwnRedis;

use crate::costs::commands;
use crate::raw::Raw;
use crate::{brief, create, create_this, index_key, session_key, stores, until_gone};

const PAGE: NonZeroU32 = NonZeroU32::new(1000).unwrap();

/// Redis, with so many sessions in it, three of each user.
async fn filled(own: &OwnRedis, users: usize) -> (RedisStores, Raw, Vec<Session>) {
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let mut sessions = Vec::new();
    for user in std::iter::repeat_with(fixtures::user_id).take(users) {
        for _ in 0..3 {
            sessions.push(fixtures::session(&user));
            create_this(&stores, sessions.last().unwrap()).await;
        }
    }
    (stores, redis, sessions)
}

/// How the whole index agrees with the sessions.
async fn index(stores: &RedisStores, size: NonZeroU32) -> IndexPage {
    let (mut sum, mut cursor) = (IndexPage::default(), None::<Cursor>);
    loop {
        let page = stores.directory().index_page(cursor.as_ref(), size).await.unwrap().unwrap();
        sum.entries += page.entries;
        sum.ended += page.ended;
        sum.dangling += page.dangling;
        sum.missing += page.missing;
        sum.unreadable += page.unreadable;
        cursor = page.next;
        if cursor.is_none() {
            return sum;
        }
    }
}

#[tokio::test]
async fn no_look_asks_for_all_keys_or_for_more_than_it_says() {
    let own = OwnRedis::start().await;
    let (stores, redis, sessions) = filled(&own, 700).await;
    let directory = stores.directory();
    let _: () = redis.send(["CONFIG", "RESETSTAT"]).await;
    let (mut found, mut cursor, mut pages) = (0, None::<Cursor>, 0);
    loop {
        // More than a look may be about.
        let page = directory.page(cursor.as_ref(), NonZeroU32::MAX).await.unwrap();
        assert!(page.sessions.len() <= 1100, "{}", page.sessions.len());
        (found, pages, cursor) = (found + page.sessions.len(), pages + 1, page.next);
        if cursor.is_none() {
            break;
        }
    }
    assert!(found >= sessions.len());
    // 2,100 sessions, as many ends, and 700 indexes.
    assert!((4..=6).contains(&pages), "{pages}");
    let counts = commands(&redis).await;
    assert_eq!(counts.keys().collect::<BTreeSet<_>>(), ["mget", "scan"].map(ToOwned::to_owned).iter().collect());
    assert!(counts["mget"] <= pages * 6 && counts["scan"] == pages, "{counts:?}");
    directory.estimated_count().await.unwrap();
    directory.bytes().await.unwrap();
    index(&stores, PAGE).await;
    assert!(!commands(&redis).await.contains_key("keys"));
}

#[tokio::test]
async fn what_the_index_lacks_and_what_it_has_too_much_is_told_apart() {
    let own = OwnRedis::start().await;
    let (stores, redis, sessions) = filled(&own, 20).await;
    let whole = IndexPage { entries: 60, ..IndexPage::default() };
    for size in [PAGE, NonZeroU32::new(3).unwrap()] {
        assert_eq!(index(&stores, size).await, whole);
    }
    // Removed by hand; its key alone and its place in the index alone.
    let _: () = redis.send(["DEL", &session_key(&sessions[0])]).await;
    let lost = &sessions[3];
    let _: () = redis.send(["ZREM", &index_key(&lost.user_id), &lost.id.to_string()]).await;
    // Ended by itself, beside another of its user's.
    let ended = brief(&sessions[6].user_id, 50);
    create_this(&stores, &ended).await;
    until_gone(&redis, &session_key(&ended)).await;
    let _: () = redis.send(["SET", &index_key(&fixtures::user_id()), "garbage", "EX", "60"]).await;
    let expected = IndexPage { entries: 60, ended: 1, dangling: 1, missing: 1, unreadable: 1, next: None };
    assert_eq!(index(&stores, PAGE).await, expected);
}

#[tokio::test]
async fn a_probe_is_no_session() {
    let own = OwnRedis::start().await;
    let (stores, _redis, sessions) = filled(&own, 1).await;
    let probe = fixtures::session(&UserId::from_store(keys::PROBE_USER));
    stores.plant_probe(&probe, Duration::from_secs(60)).await.unwrap();
    let page = stores.directory().page(None, PAGE).await.unwrap();
    assert_eq!((page.sessions.len(), page.unreadable), (sessions.len(), 0));
    assert_eq!(index(&stores, PAGE).await.missing, 0);
}

#[tokio::test]
async fn keys_of_other_types_and_names_are_counted_as_unreadable() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let list = format!("session:{}", fixtures::session(&session.user_id).id);
    let _: () = redis.send(["LPUSH", &list, "1"]).await;
    let _: () = redis.send(["SET", "session:somebody's", "1"]).await;
    let page = stores.directory().page(None, PAGE).await.unwrap();
    assert_eq!((page.sessions.len(), page.unreadable), (1, 2));
}

#[tokio::test]
async fn a_session_that_stands_alone_is_said_to_live_as_long_as_its_key() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["PEXPIRE", &session_key(&session), "5000"]).await;
    let located = stores.directory().locate(&session.id).await.unwrap().unwrap();
    assert_eq!((located.store, located.place), ("Redis", session_key(&session)));
    let ttl = located.time_to_live.unwrap();
    assert!((Duration::from_secs(4)..=Duration::from_secs(5)).contains(&ttl), "{ttl:?}");
    let _: () = redis.send(["PERSIST", &session_key(&session)]).await;
    assert_eq!(stores.directory().locate(&session.id).await.unwrap().unwrap().time_to_live, None);
}

#[tokio::test]
async fn few_sessions_are_counted_and_weighed_exactly() {
    let own = OwnRedis::start().await;
    let (stores, redis, sessions) = filled(&own, 5).await;
    let _: () = redis.send(["SET", "of something else", "1"]).await;
    let _: () = redis.send(["SET", "session:garbage", "1"]).await;
    let count = stores.directory().estimated_count().await.unwrap();
    assert_eq!(count, Count { sessions: 15, is_estimate: false });
    let mut bytes = 0;
    for session in &sessions {
        let key = session_key(session);
        bytes += redis.send::<u64, 3>(["MEMORY", "USAGE", &key]).await;
    }
    let all = stores.directory().bytes().await.unwrap().unwrap();
    assert!((bytes..bytes * 2).contains(&all), "{all}, of which {bytes} are the sessions'");
}

/// Of a million keys, a sample is asked.
#[tokio::test]
async fn the_number_of_many_sessions_is_concluded_from_a_sample() {
    const SESSIONS: u64 = 60_000;
    const OTHERS: u64 = 60_000;
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let fill = format!(
        "for i = 1, {SESSIONS} do redis.call('SET', 'session:' .. redis.sha1hex(i) .. string.format('%024d', i), 'x') end
         for i = 1, {OTHERS} do redis.call('SET', 'other:' .. i, 'x') end"
    );
    let _: () = redis.send(["EVAL", &fill, "0"]).await;
    let _: () = redis.send(["CONFIG", "RESETSTAT"]).await;
    let count = stores.directory().estimated_count().await.unwrap();
    assert!(count.is_estimate);
    assert!(count.sessions.abs_diff(SESSIONS) < SESSIONS / 5, "{count:?}");
    let counts = commands(&redis).await;
    assert_eq!((counts["randomkey"], counts["dbsize"], counts.len()), (1000, 1, 2), "{counts:?}");
    let each: u64 = redis.send(["MEMORY", "USAGE", &some_key(&redis).await]).await;
    let bytes = stores.directory().bytes().await.unwrap().unwrap();
    assert!(bytes.abs_diff(each * SESSIONS) < each * SESSIONS / 5, "{bytes}, {each} each");
}

async fn some_key(redis: &Raw) -> String {
    loop {
        let key: String = redis.send(["RANDOMKEY"]).await;
        if key.starts_with("session:") {
            return key;
        }
    }
}

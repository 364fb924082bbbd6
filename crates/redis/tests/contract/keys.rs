//! What stands in Redis, and for how long.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use markt_domain::Timestamp;
use markt_domain::code::{CODE_LIFETIME, CodePurpose};
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::code_store::{CodeStore as _, StoredCode};
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter as _};
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore as _};
use markt_domain::session::{Ending, Session, SessionSecret};
use markt_domain::user::UserVersion;
use markt_redis::ConnectOptions;
use markt_test_support::clock::MovableClock;
use markt_test_support::entropy::MachineEntropy;
use markt_test_support::fixtures;
use markt_test_support::stores::{OwnRedis, redis_url};

use crate::raw::Raw;
use crate::{
    MANY, brief, create, create_this, ended_key, epoch, find, index_key, session_key, stores, stores_at, stores_with,
    until_gone,
};

const WEEK: i64 = 7 * 24 * 3600 * 1000;

#[tokio::test]
async fn a_session_is_one_json_text_with_all_its_fields_and_without_its_secret() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let secret = SessionSecret::generate(&MachineEntropy);
    let id = secret.id();
    let session = Session { id, family: id.family(), ..fixtures::session(&fixtures::user_id()) };
    create_this(&stores, &session).await;
    let json: String = redis.send(["GET", &session_key(&session)]).await;
    let time = |time: Timestamp| serde_json::to_string(&time).unwrap();
    let expected = format!(
        concat!(
            r#"{{"session_id":"{id}","user_id":"{user}","current_role":"buyer","last_activity":{now},"#,
            r#""ip_address":"192.0.2.7","user_agent":"Mozilla/5.0 \"quoted\" \\ 日本語","#,
            r#""created_at":{now},"authenticated_at":{now},"remember":true,"transport":"cookie","#,
            r#""idle_expires_at":{idle},"expires_at":{end},"revision":0,"epoch":0,"user_version":3}}"#
        ),
        id = session.id,
        user = session.user_id,
        now = time(session.created_at),
        idle = time(session.idle_expires_at),
        end = time(session.expires_at),
    );
    assert_eq!(json, expected);
    assert!(!json.contains(secret.expose()));
}

#[tokio::test]
async fn every_key_has_a_time_to_live() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let user = &session.user_id;
    let sessions = stores.sessions();
    assert_eq!(sessions.delete_before_epoch(user, epoch(0), None, Ending::LoggedOut).await.unwrap(), 0);
    sessions.user_changed(user, UserVersion(10)).await.unwrap();
    sessions.user_changed(&fixtures::user_id(), UserVersion(1)).await.unwrap();
    let old = fixtures::session(user);
    create_this(&stores, &old).await;
    let honoured_until = old.created_at.plus(Duration::from_secs(30));
    let successor = Session { id: fixtures::session(user).id, ..old.clone() };
    sessions.rotate(&old.id, Revision(0), &successor, honoured_until).await.unwrap();
    assert!(sessions.delete(&successor.id, Ending::LoggedOut).await.unwrap());
    let code = StoredCode {
        hash: PasswordHash::new("$hash".into()),
        expires_at: fixtures::now().plus(CODE_LIFETIME),
        tries_left: 5,
    };
    stores.codes().put(user, CodePurpose::VerifyEmail, &code).await.unwrap();
    stores.codes().take_try(user, CodePurpose::VerifyEmail, fixtures::now()).await.unwrap();
    let rate = Rate { count: NonZeroU32::new(6).unwrap(), period: Duration::from_secs(60) };
    let bucket = Bucket::new("login", "192.0.2.7", rate);
    let buckets = [bucket.clone()];
    stores.limits().count(&buckets, fixtures::now()).await.unwrap();

    let defaults = ConnectOptions::default();
    let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    for (key, ttl) in [
        (session_key(&session), WEEK),
        (session_key(&old), 30_000),
        (ended_key(&session), WEEK + milliseconds(defaults.endings_kept)),
        (ended_key(&successor), milliseconds(defaults.endings_kept)),
        (index_key(user), WEEK),
        (format!("user-state:{user}"), milliseconds(defaults.user_states_kept)),
        (format!("code:verify_email:{user}"), milliseconds(CODE_LIFETIME)),
        (format!("limit:{}", bucket.key), 10_000),
    ] {
        let left = redis.ttl(&key).await;
        // Our clock stands where it stood when the stores were made.
        assert!((ttl - 5_000..=ttl + 5_000).contains(&left), "{key}: {left}");
    }
    let keys: Vec<String> = redis.send(["KEYS", "*"]).await;
    assert_eq!(keys.len(), 9, "{keys:?}");
    for key in keys {
        redis.ttl(&key).await;
    }
}

#[tokio::test]
async fn the_index_names_the_users_sessions_and_goes_with_the_last_of_them() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let short = create(&stores).await;
    let index = index_key(&short.user_id);
    let long = Session {
        idle_expires_at: short.idle_expires_at.plus(Duration::from_millis(WEEK.unsigned_abs())),
        ..fixtures::session(&short.user_id)
    };
    create_this(&stores, &long).await;
    let members: Vec<String> = redis.send(["ZRANGE", &index, "0", "-1"]).await;
    assert_eq!(members, [short.id.to_string(), long.id.to_string()]);
    assert!(redis.ttl(&index).await > WEEK + 5_000);
    // The short one's turn comes with the long one's end.
    assert!(stores.sessions().delete(&long.id, Ending::LoggedOut).await.unwrap());
    let members: Vec<String> = redis.send(["ZRANGE", &index, "0", "-1"]).await;
    assert_eq!(members, [short.id.to_string()]);
    assert!(redis.ttl(&index).await <= WEEK + 5_000);
    assert!(stores.sessions().delete(&short.id, Ending::LoggedOut).await.unwrap());
    assert!(!redis.exists(&index).await);
}

#[tokio::test]
async fn the_end_of_an_epoch_leaves_no_session_and_no_index() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    let other = fixtures::session(&session.user_id);
    create_this(&stores, &other).await;
    let ending = Ending::LoggedOutEverywhere;
    let ended = stores.sessions().delete_before_epoch(&session.user_id, epoch(1), None, ending).await.unwrap();
    assert_eq!(ended, 2);
    let keys: BTreeSet<String> = redis.send(["KEYS", "*"]).await;
    let state = format!("user-state:{}", session.user_id);
    assert_eq!(keys, BTreeSet::from([ended_key(&session), ended_key(&other), state]));
}

#[tokio::test]
async fn an_expired_session_vanishes_and_leaves_the_index_with_the_users_next_write() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let long = create(&stores).await;
    let short = brief(&long.user_id, 300);
    create_this(&stores, &short).await;
    let index = index_key(&long.user_id);
    until_gone(&redis, &session_key(&short)).await;
    assert_eq!(stores.sessions().find(&short.id).await.unwrap(), None);
    create_this(&stores, &fixtures::session(&long.user_id)).await;
    let members: i64 = redis.send(["ZCARD", &index]).await;
    assert_eq!(members, 2);
}

#[tokio::test]
async fn nothing_is_left_of_a_user_whose_sessions_have_all_expired() {
    let own = OwnRedis::start().await;
    let kept = Duration::from_millis(100);
    let options = ConnectOptions { endings_kept: kept, user_states_kept: kept, ..ConnectOptions::default() };
    let clock = Arc::new(MovableClock::at_present());
    let (stores, redis) = (stores_with(&own.url(), options, clock).await, Raw::connect(&own.url()).await);
    let user = fixtures::user_id();
    for milliseconds in [100, 300, 200] {
        create_this(&stores, &brief(&user, milliseconds)).await;
    }
    stores.sessions().user_changed(&user, UserVersion(4)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while redis.send::<i64, 1>(["DBSIZE"]).await > 0 {
        assert!(Instant::now() < deadline, "something outlives its end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_idle_timeout_after_the_last_session_nothing_is_left_whatever_was_done() {
    let own = OwnRedis::start().await;
    let idle = Duration::from_millis(WEEK.unsigned_abs());
    let options = ConnectOptions { endings_kept: idle, ..ConnectOptions::default() };
    let clock = Arc::new(MovableClock::at_present());
    let stores = stores_with(&own.url(), options, Arc::clone(&clock)).await;
    let (redis, sessions) = (Raw::connect(&own.url()).await, stores.sessions());
    let user = fixtures::user_id();
    // Touched, rotated, updated, evicted, kept, ended by their users; and of the last an old secret is still honoured.
    let few = NonZeroU32::new(2).unwrap();
    for _ in 0..4 {
        sessions.create(&fixtures::session(&user), UserVersion(3), few, &[]).await.unwrap();
    }
    let last = fixtures::session(&user);
    sessions.create(&last, UserVersion(3), few, &[]).await.unwrap();
    clock.advance(Duration::from_secs(60));
    let now = clock.now();
    sessions.touch(&last.id, now, now.plus(idle)).await.unwrap();
    let successor = Session { idle_expires_at: now.plus(idle), ..fixtures::session(&user) };
    let honoured_until = now.plus(Duration::from_secs(30));
    assert_eq!(sessions.rotate(&last.id, Revision(1), &successor, honoured_until).await.unwrap(), Change::Made);
    let ending = Ending::PasswordChanged;
    assert_eq!(sessions.delete_before_epoch(&user, epoch(1), Some(successor.family), ending).await.unwrap(), 1);
    sessions.user_changed(&user, UserVersion(5)).await.unwrap();
    let kept = find(&stores, &successor).await;
    assert_eq!(sessions.update(&kept.session, kept.revision).await.unwrap(), Change::Made);

    // Left alone, it ends in a week; then another passes.
    assert!(longest_ttl(&redis).await <= 2 * WEEK);
    // Ended now, one week passes.
    assert!(sessions.delete(&successor.id, Ending::LoggedOut).await.unwrap());
    assert!(longest_ttl(&redis).await <= WEEK);
}

#[tokio::test]
async fn a_session_is_not_forgotten_early_whatever_the_clocks_show() {
    let redis = redis_url();
    let hour = 3_600_000;
    for skew in [-24 * hour, -hour, 0, hour] {
        let now = fixtures::now().unix_milliseconds() + skew;
        let now = Timestamp::from_unix_milliseconds(now);
        let stores = stores_at(&redis, now).await;
        let ends = now.plus(Duration::from_millis(600));
        let session = Session { expires_at: ends, ..fixtures::session(&fixtures::user_id()) };
        let session = Session { idle_expires_at: ends, ..session };
        let started = Instant::now();
        create_this(&stores, &session).await;
        loop {
            let found = stores.sessions().find(&session.id).await.unwrap();
            if started.elapsed() >= Duration::from_millis(600) {
                break;
            }
            assert!(found.is_some(), "forgotten after {:?} at {skew}", started.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        until_gone(&Raw::connect(&redis).await, &session_key(&session)).await;
    }
}

#[tokio::test]
async fn a_session_without_end_is_kept() {
    let stores = stores(&redis_url()).await;
    let end = Timestamp::from_unix_milliseconds(i64::MAX);
    let session = fixtures::session(&fixtures::user_id());
    let session = Session { idle_expires_at: end, expires_at: end, ..session };
    create_this(&stores, &session).await;
    assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
    assert!(stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
}

#[tokio::test]
async fn a_change_of_the_user_rewrites_the_version_alone_and_never_the_time_to_live() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = create(&stores).await;
    let key = session_key(&session);
    let before: String = redis.send(["GET", &key]).await;
    let _: () = redis.send(["PEXPIRE", &key, "60000"]).await;
    for version in [i64::MAX / 4096, 5] {
        stores.sessions().user_changed(&session.user_id, UserVersion(version)).await.unwrap();
        let after: String = redis.send(["GET", &key]).await;
        let expected = format!("\"user_version\":{}}}", i64::MAX / 4096);
        assert_eq!(after, before.replace("\"user_version\":3}", &expected));
        let left = redis.ttl(&key).await;
        assert!((50_000..=60_000).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn commands_take_turns_on_the_connections() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    let session = create(&stores).await;
    for _ in 0..40 {
        assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
    }
    let clients: String = redis.send(["CLIENT", "LIST"]).await;
    let found_last = clients.lines().filter(|client| client.contains(" cmd=get ")).count();
    assert_eq!(found_last, 4, "{clients}");
}

#[tokio::test]
async fn scripts_that_redis_has_forgotten_are_sent_again() {
    let own = OwnRedis::start().await;
    let (stores, redis) = (stores(&own.url()).await, Raw::connect(&own.url()).await);
    for _ in 0..3 {
        let session = create(&stores).await;
        let _: () = redis.send(["SCRIPT", "FLUSH"]).await;
        assert!(stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
    }
}

#[tokio::test]
async fn a_state_that_was_forgotten_in_time_bars_nothing() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = fixtures::session(&fixtures::user_id());
    let sessions = stores.sessions();
    let ended = sessions.delete_before_epoch(&session.user_id, epoch(1), None, Ending::LoggedOutEverywhere).await;
    assert_eq!(ended.unwrap(), 0);
    let creation = sessions.create(&session, UserVersion(3), MANY, &[]).await.unwrap();
    assert_eq!(creation, Creation::Superseded);
    let _: () = redis.send(["DEL", &format!("user-state:{}", session.user_id)]).await;
    create_this(&stores, &session).await;
}

/// Of all keys.
async fn longest_ttl(redis: &Raw) -> i64 {
    let mut longest = 0;
    for key in redis.send::<Vec<String>, 2>(["KEYS", "*"]).await {
        longest = longest.max(redis.ttl(&key).await);
    }
    longest
}

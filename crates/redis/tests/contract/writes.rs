//! What touching, changing and rotating a session does to its keys.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore as _};
use markt_domain::session::{Ending, Session};
use markt_domain::user::UserVersion;
use markt_redis::ConnectOptions;
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::redis_url;

use crate::raw::Raw;
use crate::{MANY, create, create_this, ended_key, epoch, find, index_key, session_key, stores, stores_with};

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[tokio::test]
async fn a_touch_slides_the_session_with_its_index_and_the_memory_of_its_end() {
    let clock = Arc::new(MovableClock::at_present());
    let stores = stores_with(&redis_url(), ConnectOptions::default(), Arc::clone(&clock)).await;
    let redis = Raw::connect(&redis_url()).await;
    let session = create(&stores).await;
    // From now on, the clock is two days ahead of Redis'.
    clock.advance(2 * DAY);
    let used = session.last_activity.plus(2 * DAY);
    assert!(stores.sessions().touch(&session.id, used, used.plus(WEEK)).await.unwrap());
    for (key, ttl) in
        [(session_key(&session), WEEK), (index_key(&session.user_id), WEEK), (ended_key(&session), WEEK + DAY)]
    {
        assert_left(&redis, &key, ttl).await;
    }
    let end: String = redis.send(["GET", &ended_key(&session)]).await;
    assert_eq!(end, used.plus(WEEK).unix_milliseconds().to_string());
    let found = find(&stores, &session).await;
    assert_eq!(found.session, Session { last_activity: used, idle_expires_at: used.plus(WEEK), ..session });
    assert_eq!((found.revision, found.user_version), (Revision(1), UserVersion(3)));
}

#[tokio::test]
async fn a_touch_lets_no_session_live_beyond_its_absolute_end() {
    // Leap days and the ends of years among them, where an end could be reckoned wrong.
    for text in ["2024-02-29T23:59:59.999Z", "2023-12-31T00:00:00.001Z", "2100-03-01T00:00:00.000Z"] {
        let expires_at: Timestamp = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        let now = Timestamp::from_unix_milliseconds(expires_at.unix_milliseconds() - 3_600_000);
        let clock = Arc::new(MovableClock::at(now));
        let stores = stores_with(&redis_url(), ConnectOptions::default(), clock).await;
        let redis = Raw::connect(&redis_url()).await;
        let begun = Session { idle_expires_at: now.plus(DAY / 48), ..fixtures::session(&fixtures::user_id()) };
        let session = Session { created_at: now, last_activity: now, expires_at, ..begun };
        create_this(&stores, &session).await;
        let used = now.plus(Duration::from_millis(1));
        assert!(stores.sessions().touch(&session.id, used, now.plus(WEEK)).await.unwrap());
        assert_left(&redis, &session_key(&session), DAY / 24).await;
        let end: String = redis.send(["GET", &ended_key(&session)]).await;
        assert_eq!(end, expires_at.unix_milliseconds().to_string(), "{text}");
    }
}

#[tokio::test]
async fn an_earlier_touch_that_comes_late_changes_nothing() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = create(&stores).await;
    let later = session.last_activity.plus(Duration::from_secs(60));
    assert!(stores.sessions().touch(&session.id, later, later.plus(WEEK)).await.unwrap());
    let before: String = redis.send(["GET", &session_key(&session)]).await;
    let earlier = session.last_activity.plus(Duration::from_millis(59_999));
    assert!(stores.sessions().touch(&session.id, earlier, earlier.plus(WEEK)).await.unwrap());
    let after: String = redis.send(["GET", &session_key(&session)]).await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_session_from_before_there_were_revisions_is_touched_changed_and_rotated() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let sessions = stores.sessions();
    for change in ["touch", "update", "rotate"] {
        let session = create(&stores).await;
        let json: String = redis.send(["GET", &session_key(&session)]).await;
        let older = json.replace("\"revision\":0,", "");
        assert_ne!(older, json);
        let _: () = redis.send(["SET", &session_key(&session), &older, "EX", "60"]).await;
        let now = session.last_activity;
        let successor = Session { id: fixtures::session(&session.user_id).id, ..session.clone() };
        match change {
            "touch" => assert!(sessions.touch(&session.id, now.plus(DAY), now.plus(WEEK)).await.unwrap()),
            "update" => assert_eq!(sessions.update(&session, Revision(0)).await.unwrap(), Change::Made),
            _ => {
                let made = sessions.rotate(&session.id, Revision(0), &successor, now.plus(DAY)).await.unwrap();
                assert_eq!(made, Change::Made);
            }
        }
        assert_eq!(find(&stores, &session).await.revision, Revision(1), "{change}");
    }
}

#[tokio::test]
async fn a_rotated_id_leads_on_for_its_grace_alone_and_is_in_no_index() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let old = create(&stores).await;
    let new = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
    let honoured_until = old.created_at.plus(Duration::from_secs(30));
    let rotation = stores.sessions().rotate(&old.id, Revision(0), &new, honoured_until).await.unwrap();
    assert_eq!(rotation, Change::Made);

    let alias: String = redis.send(["GET", &session_key(&old)]).await;
    let until = serde_json::to_string(&honoured_until).unwrap();
    let expected = format!(
        r#"{{"session_id":"{}","user_id":"{}","rotated_to":"{}","honoured_until":{until}}}"#,
        old.id, old.user_id, new.id
    );
    assert_eq!(alias, expected);
    assert_left(&redis, &session_key(&old), Duration::from_secs(30)).await;
    assert_left(&redis, &session_key(&new), WEEK).await;
    assert_left(&redis, &ended_key(&new), WEEK + DAY).await;
    assert!(!redis.exists(&ended_key(&old)).await);
    let members: Vec<String> = redis.send(["ZRANGE", &index_key(&old.user_id), "0", "-1"]).await;
    assert_eq!(members, [new.id.to_string()]);

    // Neither its use nor that of the successor lengthens the grace.
    assert!(!stores.sessions().touch(&old.id, honoured_until, honoured_until.plus(WEEK)).await.unwrap());
    assert!(stores.sessions().touch(&new.id, honoured_until, honoured_until.plus(WEEK)).await.unwrap());
    assert_left(&redis, &session_key(&old), Duration::from_secs(30)).await;
    let found = find(&stores, &old).await;
    assert_eq!((found.session.id, found.honoured_until), (new.id, Some(honoured_until)));
}

#[tokio::test]
async fn without_a_grace_nothing_is_left_of_the_old_id() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let old = create(&stores).await;
    let new = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
    let past = Timestamp::from_unix_milliseconds(0);
    let rotation = stores.sessions().rotate(&old.id, Revision(0), &new, past).await.unwrap();
    assert_eq!(rotation, Change::Made);
    assert!(!redis.exists(&session_key(&old)).await);
    assert!(!redis.exists(&ended_key(&old)).await);
}

#[tokio::test]
async fn a_rotated_id_whose_successor_has_ended_is_gone() {
    let stores = stores(&redis_url()).await;
    let (old, sessions) = (create(&stores).await, stores.sessions());
    let [new, other] = [(); 2].map(|()| Session { id: fixtures::session(&old.user_id).id, ..old.clone() });
    let until = old.created_at.plus(DAY);
    assert_eq!(sessions.rotate(&old.id, Revision(0), &new, until).await.unwrap(), Change::Made);
    assert_eq!(sessions.update(&old, Revision(0)).await.unwrap(), Change::Conflict);
    assert_eq!(sessions.rotate(&old.id, Revision(0), &other, until).await.unwrap(), Change::Conflict);
    assert!(sessions.delete(&new.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(sessions.update(&old, Revision(0)).await.unwrap(), Change::Gone);
    assert_eq!(sessions.rotate(&old.id, Revision(0), &other, until).await.unwrap(), Change::Gone);
    assert!(!sessions.touch(&old.id, until, until.plus(DAY)).await.unwrap());
}

#[tokio::test]
async fn a_chain_of_rotated_ids_is_honoured_as_long_as_its_shortest_link() {
    let stores = stores(&redis_url()).await;
    let sessions = stores.sessions();
    let first = create(&stores).await;
    let [second, third] = [(); 2].map(|()| Session { id: fixtures::session(&first.user_id).id, ..first.clone() });
    let [late, soon] = [2, 1].map(|days| first.created_at.plus(days * DAY));
    assert_eq!(sessions.rotate(&first.id, Revision(0), &second, late).await.unwrap(), Change::Made);
    assert_eq!(sessions.rotate(&second.id, Revision(1), &third, soon).await.unwrap(), Change::Made);
    assert_eq!(find(&stores, &first).await.honoured_until, Some(soon));
}

#[tokio::test]
async fn a_chain_of_rotated_ids_is_followed_as_far_as_sixteen() {
    let stores = stores(&redis_url()).await;
    let sessions = stores.sessions();
    let mut chain = vec![create(&stores).await];
    for revision in 0..17 {
        let old = &chain[chain.len() - 1];
        let new = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
        let until = old.created_at.plus(DAY);
        assert_eq!(sessions.rotate(&old.id, Revision(revision), &new, until).await.unwrap(), Change::Made);
        chain.push(new);
    }
    assert_eq!(sessions.find(&chain[0].id).await.unwrap(), None);
    assert!(!sessions.delete(&chain[0].id, Ending::LoggedOut).await.unwrap());
    assert_eq!(find(&stores, &chain[1]).await.session, chain[17]);
    assert!(sessions.delete(&chain[1].id, Ending::LoggedOut).await.unwrap());
    assert_eq!(sessions.find(&chain[17].id).await.unwrap(), None);
}

#[tokio::test]
async fn a_kept_session_keeps_its_time_to_live() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = create(&stores).await;
    let _: () = redis.send(["PEXPIRE", &session_key(&session), "60000"]).await;
    let (sessions, ending) = (stores.sessions(), Ending::LoggedOutEverywhere);
    let ended = sessions.delete_before_epoch(&session.user_id, epoch(1), Some(session.family), ending).await.unwrap();
    assert_eq!(ended, 0);
    assert_left(&redis, &session_key(&session), Duration::from_secs(60)).await;
    let found = find(&stores, &session).await;
    assert_eq!((found.session.epoch, found.revision), (epoch(1).epoch, Revision(1)));
    assert_eq!(found.user_version, epoch(1).version);
}

#[tokio::test]
async fn a_session_that_the_index_has_lost_is_neither_raised_nor_ended() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let lost = create(&stores).await;
    let _: () = redis.send(["DEL", &index_key(&lost.user_id)]).await;
    for keep in [Some(lost.family), None] {
        let ended = stores.sessions().delete_before_epoch(&lost.user_id, epoch(1), keep, Ending::LoggedOut).await;
        assert_eq!(ended.unwrap(), 0);
        assert_eq!(find(&stores, &lost).await.session.epoch, lost.epoch);
    }
}

#[tokio::test]
async fn what_the_index_names_but_is_not_there_makes_nobody_give_way() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let (first, sessions) = (create(&stores).await, stores.sessions());
    let second = fixtures::session(&first.user_id);
    create_this(&stores, &second).await;
    let _: () = redis.send(["DEL", &session_key(&second)]).await;
    let third = fixtures::session(&first.user_id);
    let two = std::num::NonZeroU32::new(2).unwrap();
    let creation = sessions.create(&third, UserVersion(3), two, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: Vec::new() });
    let listed = sessions.list(&first.user_id).await.unwrap();
    let ids: BTreeSet<_> = listed.iter().map(|listed| listed.session.id).collect();
    assert_eq!(ids, [first.id, third.id].into());
    assert_eq!(sessions.create(&first, UserVersion(3), MANY, &[]).await.unwrap(), Creation::IdTaken);
}

#[tokio::test]
async fn a_listing_takes_what_was_removed_out_of_the_index() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let (here, index) = (create(&stores).await, "ZRANGE");
    let removed = fixtures::session(&here.user_id);
    create_this(&stores, &removed).await;
    let _: () = redis.send(["DEL", &session_key(&removed)]).await;
    let listed = stores.sessions().list(&here.user_id).await.unwrap();
    assert_eq!(listed, [find(&stores, &here).await]);
    let members: Vec<String> = redis.send([index, &index_key(&here.user_id), "0", "-1"]).await;
    assert_eq!(members, [here.id.to_string()]);
}

/// The key's time to live is this, but for what the test took: its clock stands still.
async fn assert_left(redis: &Raw, key: &str, expected: Duration) {
    let expected = i64::try_from(expected.as_millis()).unwrap();
    let left = redis.ttl(key).await;
    assert!((expected - 10_000..=expected + 10_000).contains(&left), "{key}: {left}");
}

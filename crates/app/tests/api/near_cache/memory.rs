//! What is held, and what this process does to it itself: memory knows at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use markt_domain::ports::session_store::{Change, Creation};
use markt_domain::session::{Ending, Session};
use markt_test_support::contracts::session_store::SessionStoreFixture as _;
use markt_test_support::fixtures;
use markt_test_support::stores::OwnRedis;

use super::fixture::{Near, OPTIONS};
use super::over_both;
use crate::redis::redis;

const MINUTE: Duration = Duration::from_secs(60);

over_both!(
    what_was_found_is_held_as_it_was_found,
    what_is_not_there_is_not_held,
    what_is_ended_here_is_not_held_any_more,
    what_gives_way_here_is_not_held_any_more,
    what_is_rotated_here_is_not_held_any_more_and_its_successor_is_by_its_own_id_only,
    what_is_ended_here_by_a_former_id_is_not_held_any_more,
    what_is_changed_here_is_not_held_as_it_was,
    a_change_of_the_user_here_empties_the_places_of_that_users_sessions,
    a_login_leaves_the_places_of_that_users_other_sessions,
    the_end_of_an_epoch_here_empties_the_places_of_that_users_sessions,
    no_load_that_races_with_a_logout_here_leaves_the_session_held,
    no_load_that_races_with_a_change_of_the_user_here_leaves_an_older_version_held,
);

async fn what_was_found_is_held_as_it_was_found(near: Near) {
    let session = near.created().await;
    assert!(!near.holds(&session.id));
    let held = near.hold(&session.id).await;
    assert_eq!(held.session, session);
    assert_eq!(Some(&*held), near.cache.find(&session.id).await.unwrap().as_ref());
}

async fn what_is_not_there_is_not_held(near: Near) {
    let id = fixtures::session(&fixtures::user_id()).id;
    assert_eq!(near.cache.find(&id).await.unwrap(), None);
    assert!(!near.holds(&id));
}

async fn what_is_ended_here_is_not_held_any_more(near: Near) {
    let session = near.held().await;
    assert!(near.cache.delete(&session.id, Ending::LoggedOut).await.unwrap());
    assert!(!near.holds(&session.id));
}

async fn what_gives_way_here_is_not_held_any_more(near: Near) {
    let (old, planted) = (near.held().await, near.held().await);
    let most = std::num::NonZeroU32::MIN;
    let session = Session { epoch: old.epoch, ..fixtures::session(&old.user_id) };
    let version = near.hold(&old.id).await.user_version;
    let creation = near.cache.create(&session, version, most, &[planted.id]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: vec![old.id] });
    assert!(!near.holds(&old.id) && !near.holds(&planted.id));
}

/// Rotates the session, and returns its successor.
async fn rotate(near: &Near, old: &Session) -> Session {
    let successor = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
    let revision = near.cache.find(&old.id).await.unwrap().unwrap().revision;
    let until = fixtures::now().plus(MINUTE);
    assert_eq!(near.cache.rotate(&old.id, revision, &successor, until).await.unwrap(), Change::Made);
    successor
}

async fn what_is_rotated_here_is_not_held_any_more_and_its_successor_is_by_its_own_id_only(near: Near) {
    let old = near.held().await;
    let new = rotate(&near, &old).await;
    assert!(!near.holds(&old.id) && !near.holds(&new.id));
    let found = near.cache.find(&old.id).await.unwrap().unwrap();
    assert_eq!(found.session.id, new.id);
    assert!(!near.holds(&old.id) && !near.holds(&new.id));
    assert_eq!(near.hold(&new.id).await.session, new);
}

async fn what_is_ended_here_by_a_former_id_is_not_held_any_more(near: Near) {
    let old = near.held().await;
    let new = rotate(&near, &old).await;
    near.hold(&new.id).await;
    assert!(near.cache.delete(&old.id, Ending::LoggedOut).await.unwrap());
    assert!(!near.holds(&new.id));

    let old = near.held().await;
    let new = rotate(&near, &old).await;
    let version = near.hold(&new.id).await.user_version;
    let login = Session { epoch: old.epoch, ..fixtures::session(&old.user_id) };
    near.cache.create(&login, version, std::num::NonZeroU32::MAX, &[old.id]).await.unwrap();
    assert!(!near.holds(&new.id));
}

async fn what_is_changed_here_is_not_held_as_it_was(near: Near) {
    let session = near.held().await;
    let revision = near.hold(&session.id).await.revision;
    let changed = Session { current_role: session.current_role.other(), ..session };
    assert_eq!(near.cache.update(&changed, revision).await.unwrap(), Change::Made);
    assert!(!near.holds(&changed.id));
    assert_eq!(near.hold(&changed.id).await.session, changed);
}

async fn a_change_of_the_user_here_empties_the_places_of_that_users_sessions(near: Near) {
    let (session, strangers) = (near.held().await, near.held().await);
    let version = near.change_user(&session.user_id).await;
    near.cache.user_changed(&session.user_id, version).await.unwrap();
    assert!(!near.holds(&session.id));
    assert!(near.hold(&session.id).await.user_version >= version);
    near.hold(&strangers.id).await;
}

async fn a_login_leaves_the_places_of_that_users_other_sessions(near: Near) {
    let session = near.held().await;
    let version = near.change_user(&session.user_id).await;
    let login = Session { epoch: session.epoch, ..fixtures::session(&session.user_id) };
    let creation = near.cache.create(&login, version, std::num::NonZeroU32::MAX, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: Vec::new() });
    assert!(near.hold(&login.id).await.user_version >= version);
    assert!(near.holds(&session.id));
}

async fn the_end_of_an_epoch_here_empties_the_places_of_that_users_sessions(near: Near) {
    let session = near.held().await;
    let kept = Session { epoch: session.epoch, ..fixtures::session(&session.user_id) };
    near.create(&kept, near.hold(&session.id).await.user_version).await;
    near.hold(&kept.id).await;
    let state = near.begin_epoch(&session.user_id, Some(kept.family)).await;
    let deleted =
        near.cache.delete_before_epoch(&session.user_id, state, Some(kept.family), Ending::RevokedByUser).await;
    assert_eq!(deleted.unwrap(), 1);
    assert!(!near.holds(&session.id) && !near.holds(&kept.id));
    assert_eq!(near.hold(&kept.id).await.session.epoch, state.epoch);
}

/// Loads a session again and again while `change` goes on, and a little longer.
async fn loading<T>(near: &Near, session: &Session, change: impl Future<Output = T>) -> T {
    let stop = Arc::new(AtomicBool::new(false));
    let mut loaders = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (cache, id, stop) = (Arc::clone(&near.cache), session.id, Arc::clone(&stop));
        loaders.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                cache.find(&id).await.unwrap();
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    let outcome = change.await;
    stop.store(true, Ordering::Relaxed);
    outcome
}

async fn no_load_that_races_with_a_logout_here_leaves_the_session_held(near: Near) {
    for _ in 0..100 {
        let session = near.held().await;
        let end = async {
            near.cache.delete(&session.id, Ending::LoggedOut).await.unwrap();
            // From here on nobody may be let in, whatever was being read meanwhile.
            near.holds(&session.id)
        };
        assert!(!loading(&near, &session, end).await);
        assert!(!near.holds(&session.id));
    }
}

async fn no_load_that_races_with_a_change_of_the_user_here_leaves_an_older_version_held(near: Near) {
    for _ in 0..100 {
        let session = near.held().await;
        let change = async {
            let version = near.change_user(&session.user_id).await;
            near.cache.user_changed(&session.user_id, version).await.unwrap();
            (version, near.cache.peek(&session.id).map(|held| held.user_version))
        };
        let (version, held) = loading(&near, &session, change).await;
        assert!(held.is_none_or(|held| held >= version), "{held:?} is held after {version:?}");
    }
}

/// As many commands as Redis has carried out of this kind.
async fn count(url: &str, command: &str) -> u64 {
    let stats = redis(url, &["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))).unwrap_or("0");
    line.split(',').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_held_costs_redis_nothing() {
    let server = OwnRedis::start().await;
    let near = Near::over_redis_at(&server.url(), OPTIONS).await;
    let session = near.held().await;
    let before = count(&server.url(), "get").await;
    for _ in 0..1000 {
        assert!(near.holds(&session.id));
    }
    assert_eq!(count(&server.url(), "get").await, before);
    near.cache.find(&session.id).await.unwrap();
    assert_eq!(count(&server.url(), "get").await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_is_held_than_there_is_room_for() {
    let options = markt_near_cache::Options { capacity: 100, ..OPTIONS };
    let near = Near::over_redis_at(&markt_test_support::stores::redis_url(), options).await;
    let mut sessions = Vec::new();
    for _ in 0..500 {
        let session = near.created().await;
        near.cache.find(&session.id).await.unwrap();
        sessions.push(session);
    }
    let held = sessions.iter().filter(|session| near.holds(&session.id)).count();
    assert!((1..=150).contains(&held), "{held} are held");
}

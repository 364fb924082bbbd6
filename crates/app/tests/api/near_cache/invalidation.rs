//! What others do: memory is told, or isn't trusted.

use std::time::{Duration, Instant};

use markt_domain::session::{Ending, Session};
use markt_near_cache::Options;
use markt_test_support::contracts::session_store::SessionStoreFixture as _;
use markt_test_support::fixtures;
use markt_test_support::stores::OwnRedis;

use super::fixture::{Near, OPTIONS};
use super::over_both;
use crate::redis::redis;

over_both!(
    what_another_ends_is_not_held_for_long,
    what_another_rotates_is_not_held_for_long,
    a_change_of_the_user_by_another_empties_the_places_of_that_users_sessions,
    no_load_that_races_with_a_logout_elsewhere_leaves_the_session_held,
);

async fn what_another_ends_is_not_held_for_long(near: Near) {
    let session = near.held().await;
    assert!(near.other.delete(&session.id, Ending::LoggedOut).await.unwrap());
    near.until_not_held(&session.id).await;
}

async fn what_another_rotates_is_not_held_for_long(near: Near) {
    let old = near.held().await;
    let successor = Session { id: fixtures::session(&old.user_id).id, ..old.clone() };
    let revision = near.other.find(&old.id).await.unwrap().unwrap().revision;
    let until = fixtures::now().plus(Duration::from_secs(60));
    near.other.rotate(&old.id, revision, &successor, until).await.unwrap();
    near.until_not_held(&old.id).await;
}

async fn a_change_of_the_user_by_another_empties_the_places_of_that_users_sessions(near: Near) {
    let session = near.held().await;
    let version = near.change_user(&session.user_id).await;
    near.other.user_changed(&session.user_id, version).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while near.hold(&session.id).await.user_version < version {
        assert!(Instant::now() < deadline, "an older version is still held");
    }
}

/// A load that began before may end after; what it found must not stay.
async fn no_load_that_races_with_a_logout_elsewhere_leaves_the_session_held(near: Near) {
    for _ in 0..50 {
        let session = near.held().await;
        let load = async {
            for _ in 0..20 {
                near.cache.find(&session.id).await.unwrap();
            }
        };
        let end = async { near.other.delete(&session.id, Ending::LoggedOut).await.unwrap() };
        tokio::join!(load, end);
        near.until_not_held(&session.id).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!near.holds(&session.id), "it came back");
    }
}

fn signal(process: &str, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, process]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_operator_deletes_in_redis_is_not_held_for_long() {
    let near = Near::over_redis().await;
    let session = near.held().await;
    redis(&markt_test_support::stores::redis_url(), &["DEL", &format!("session:{}", session.id)]).await;
    near.until_not_held(&session.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_runs_out_in_redis_is_not_held_for_long() {
    let near = Near::over_redis().await;
    let session = near.held().await;
    redis(&markt_test_support::stores::redis_url(), &["PEXPIRE", &format!("session:{}", session.id), "50"]).await;
    near.until_not_held(&session.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_redis_is_emptied_nothing_is_held_for_long() {
    let server = OwnRedis::start().await;
    let near = Near::over_redis_at(&server.url(), OPTIONS).await;
    for command in ["FLUSHALL", "FLUSHDB"] {
        let session = near.held().await;
        near.until_trusted().await;
        assert!(near.holds(&session.id));
        redis(&server.url(), &[command]).await;
        near.until_not_held(&session.id).await;
        near.until_trusted().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_held_over_a_lost_connection_and_again_once_there_is_a_new_one() {
    let server = OwnRedis::start().await;
    let near = Near::over_redis_at(&server.url(), OPTIONS).await;
    let session = near.held().await;
    // All but the one that this command comes by.
    redis(&server.url(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
    near.until_not_held(&session.id).await;
    near.until_trusted().await;
    // What was told in between was told to nobody.
    near.hold(&session.id).await;
    near.other.delete(&session.id, Ending::LoggedOut).await.unwrap();
    near.until_not_held(&session.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_redis_that_is_frozen_nothing_is_served_for_longer_than_is_configured() {
    let server = OwnRedis::start().await;
    let options = Options { max_staleness: Duration::from_millis(500), ..OPTIONS };
    let near = Near::over_redis_at(&server.url(), options).await;
    let session = near.held().await;
    near.until_trusted().await;
    let frozen_at = Instant::now();
    let process = redis(&server.url(), &["INFO", "server"]).await;
    let process = process.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().to_owned();
    signal(&process, "-STOP");
    near.until_not_held(&session.id).await;
    // The last proof of life was asked for before, and half a second is given to a busy machine.
    let served_for = frozen_at.elapsed();
    signal(&process, "-CONT");
    assert!(served_for <= options.max_staleness + Duration::from_millis(500), "{served_for:?}");
    near.until_trusted().await;
}

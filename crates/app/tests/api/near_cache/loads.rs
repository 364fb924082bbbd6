//! What happens between a store's answer and its hearing: what is found so may be over by then, and isn't held.

use std::sync::Arc;

use markt_domain::ports::session_store::Change;
use markt_domain::session::{Ending, Session};
use markt_test_support::contracts::session_store::SessionStoreFixture as _;
use markt_test_support::fixtures;

use super::fixture::Near;
use super::held_back::Holding;

/// Has this happen after the store has answered who looks for the session, and before that answer is heard.
async fn amid_a_load(near: &Near, holding: &Holding, session: &Session, change: impl Future<Output = ()>) {
    let mut next = holding.next();
    let (cache, id) = (Arc::clone(&near.cache), session.id);
    let load = tokio::spawn(async move { cache.find(&id).await.unwrap() });
    (&mut next.given).await.unwrap();
    change.await;
    drop(next);
    assert!(load.await.unwrap().is_some(), "it was there when the store was asked");
}

async fn start() -> (Near, Holding) {
    let holding = Holding::default();
    (Near::over_sqlite_held_back(holding.clone()).await, holding)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_anything_in_between_what_is_loaded_is_held() {
    let (near, holding) = start().await;
    let session = near.created().await;
    amid_a_load(&near, &holding, &session, async {}).await;
    assert!(near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_here() {
    let (near, holding) = start().await;
    let session = near.created().await;
    let end = async { assert!(near.cache.delete(&session.id, Ending::LoggedOut).await.unwrap()) };
    amid_a_load(&near, &holding, &session, end).await;
    assert!(!near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_the_session_here() {
    let (near, holding) = start().await;
    let session = near.created().await;
    let revision = near.other.find(&session.id).await.unwrap().unwrap().revision;
    let changed = Session { current_role: session.current_role.other(), ..session.clone() };
    let change = async { assert_eq!(near.cache.update(&changed, revision).await.unwrap(), Change::Made) };
    amid_a_load(&near, &holding, &session, change).await;
    assert!(!near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_the_user_here() {
    let (near, holding) = start().await;
    let session = near.created().await;
    let change = async {
        // By the connection that this process writes through, so that nobody tells of it.
        let version = near.change_user(&session.user_id).await;
        near.cache.user_changed(&session.user_id, version).await.unwrap();
    };
    amid_a_load(&near, &holding, &session, change).await;
    assert!(!near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_end_of_an_epoch_here() {
    let (near, holding) = start().await;
    let session = near.created().await;
    let end = async {
        let state = near.begin_epoch(&session.user_id, None).await;
        let ended = near.cache.delete_before_epoch(&session.user_id, state, None, Ending::LoggedOutEverywhere).await;
        assert_eq!(ended.unwrap(), 1);
    };
    amid_a_load(&near, &holding, &session, end).await;
    assert!(!near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_elsewhere_that_was_heard_of() {
    let (near, holding) = start().await;
    let (session, witness) = (near.created().await, near.held().await);
    let end = async {
        assert!(near.other.delete(&session.id, Ending::LoggedOut).await.unwrap());
        near.until_not_held(&witness.id).await;
    };
    amid_a_load(&near, &holding, &session, end).await;
    assert!(!near.holds(&session.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_login_that_the_session_gives_way_to_here() {
    let (near, holding) = start().await;
    let session = near.created().await;
    let version = near.other.find(&session.id).await.unwrap().unwrap().user_version;
    let login = Session { epoch: session.epoch, ..fixtures::session(&session.user_id) };
    let create = async {
        near.cache.create(&login, version, std::num::NonZeroU32::MIN, &[]).await.unwrap();
    };
    amid_a_load(&near, &holding, &session, create).await;
    assert!(!near.holds(&session.id));
}

//! Sessions that are ended one by one.

use std::sync::Arc;

use markt_domain::session::{Ending, Session};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::support::{
    CREATED, Fixture, NO_LIMIT, create, create_many, end_epoch, find, log_out, session_of, user_that_suits,
};

/// And stays gone.
pub async fn a_deleted_session_is_gone(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert!(log_out(fixture, &session.id).await);
    assert_eq!(find(fixture, &session.id).await, None);
    assert_eq!(end_epoch(fixture, &user).await.1, 0, "it must not count among the user's any more");
}

/// Neither what never was nor what was deleted before.
pub async fn what_is_not_there_cant_be_deleted(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    assert!(!log_out(fixture, &session.id).await);
    create(fixture, &session, state.version).await;
    assert!(log_out(fixture, &session.id).await);
    assert!(!log_out(fixture, &session.id).await);
}

/// Nothing of the old session is left to be in the way of a new one.
pub async fn a_deleted_sessions_id_is_free_again(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let session = session_of(&ann, anns_state);
    let (bob, bobs_state) = user_that_suits(fixture, &session.id).await;
    create(fixture, &session, anns_state.version).await;
    assert!(log_out(fixture, &session.id).await);
    let bobs = Session { id: session.id, ..session_of(&bob, bobs_state) };
    create(fixture, &bobs, bobs_state.version).await;
    assert_eq!(end_epoch(fixture, &ann).await.1, 0);
    assert_eq!(find(fixture, &bobs.id).await.unwrap().session, bobs);
}

/// Of the same user and of others.
pub async fn deleting_a_session_leaves_the_others(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let gone = session_of(&ann, anns_state);
    let (anns, bobs) = (session_of(&ann, anns_state), session_of(&bob, bobs_state));
    create(fixture, &gone, anns_state.version).await;
    create(fixture, &anns, anns_state.version).await;
    create(fixture, &bobs, bobs_state.version).await;
    assert!(log_out(fixture, &gone.id).await);
    assert_eq!(find(fixture, &anns.id).await.unwrap().session, anns);
    assert_eq!(find(fixture, &bobs.id).await.unwrap().session, bobs);
}

/// A hundred of each at once, of one user.
pub async fn concurrent_creations_and_deletions_lose_no_session(fixture: Fixture<'_>) {
    const EACH: usize = 100;
    let (user, state) = fixture.new_user().await;
    let doomed = create_many(fixture, &user, state, EACH).await;
    let kept: Vec<_> = (0..EACH).map(|_| session_of(&user, state)).collect();
    let start = Arc::new(Barrier::new(2 * EACH));
    let mut tasks = JoinSet::new();
    for id in doomed.clone() {
        let (store, start) = (fixture.store(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            assert!(store.delete(&id, Ending::LoggedOut).await.unwrap(), "a session was lost");
        });
    }
    for session in kept.clone() {
        let (store, start) = (fixture.store(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let creation = store.create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
            assert_eq!(creation, CREATED);
        });
    }
    tasks.join_all().await;
    for session in &kept {
        assert_eq!(find(fixture, &session.id).await.unwrap().session, *session);
    }
    for id in &doomed {
        assert_eq!(find(fixture, id).await, None);
    }
    let (_, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, u64::try_from(EACH).unwrap(), "the user's sessions were miscounted");
}

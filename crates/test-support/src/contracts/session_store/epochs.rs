//! The end of all of a user's sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use markt_domain::ports::session_store::Creation;
use markt_domain::session::Session;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::support::{
    Fixture, NO_LIMIT, create, create_many, end_epoch, find, log_out, session_of, tell_of_epoch, version_of,
};

/// All of them, however many.
pub async fn ending_an_epoch_ends_all_the_users_sessions_of_before_and_counts_them(fixture: Fixture<'_>) {
    for count in [1, 2, 130] {
        let (user, state) = fixture.new_user().await;
        let sessions = create_many(fixture, &user, state, count).await;
        let (_, ended) = end_epoch(fixture, &user).await;
        assert_eq!(ended, u64::try_from(count).unwrap());
        for id in sessions {
            assert_eq!(find(fixture, &id).await, None);
            assert!(!log_out(fixture, &id).await);
        }
    }
}

/// Nothing to end is no error.
pub async fn ending_an_epoch_of_a_user_without_sessions_ends_none(fixture: Fixture<'_>) {
    let (user, _) = fixture.new_user().await;
    assert_eq!(end_epoch(fixture, &user).await.1, 0);
}

/// One user's logging out everywhere is nobody else's.
pub async fn ending_an_epoch_leaves_other_users_sessions(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    create_many(fixture, &ann, anns_state, 2).await;
    let bobs = create_many(fixture, &bob, bobs_state, 2).await;
    assert_eq!(end_epoch(fixture, &ann).await.1, 2);
    for id in bobs {
        assert!(find(fixture, &id).await.is_some());
    }
}

/// What the user began after it lives on, told early or late.
pub async fn ending_an_epoch_leaves_the_sessions_of_the_new_one(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let old = create_many(fixture, &user, state, 2).await;
    let state = fixture.begin_epoch(&user, None).await;
    let early = session_of(&user, state);
    create(fixture, &early, state.version).await;
    assert_eq!(tell_of_epoch(fixture, &user, state, None).await, 2);
    let late = session_of(&user, state);
    create(fixture, &late, state.version).await;
    for id in old {
        assert_eq!(find(fixture, &id).await, None);
    }
    for session in [early, late] {
        assert_eq!(find(fixture, &session.id).await.unwrap().session, session);
    }
    assert_eq!(end_epoch(fixture, &user).await.1, 2);
}

/// As when a caller tries again whose first try seemed to fail.
pub async fn an_epoch_ended_twice_is_ended_once(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    create_many(fixture, &user, state, 3).await;
    let (state, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, 3);
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert_eq!(tell_of_epoch(fixture, &user, state, None).await, 0);
    assert!(find(fixture, &session.id).await.is_some());
}

/// A login that was under way when the user logged out everywhere comes to nothing.
pub async fn a_session_of_an_ended_epoch_cant_be_created(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let late = session_of(&user, old_state);
    let (state, _) = end_epoch(fixture, &user).await;
    for version in [old_state.version, state.version] {
        let creation = fixture.store().create(&late, version, NO_LIMIT, &[]).await.unwrap();
        assert_eq!(creation, Creation::Superseded);
        assert_eq!(find(fixture, &late.id).await, None);
    }
    // Its id was not used up, and it doesn't count.
    let session = Session { epoch: state.epoch, ..late };
    create(fixture, &session, state.version).await;
    assert_eq!(end_epoch(fixture, &user).await.1, 1);
}

/// Two nodes may tell the store of two epochs in the wrong order.
pub async fn an_earlier_epochs_end_that_is_told_late_ends_nothing_more_and_forgives_nothing(fixture: Fixture<'_>) {
    let (user, first) = fixture.new_user().await;
    let second = fixture.begin_epoch(&user, None).await;
    let (third, _) = end_epoch(fixture, &user).await;
    let session = session_of(&user, third);
    create(fixture, &session, third.version).await;
    let store = fixture.store();
    assert_eq!(tell_of_epoch(fixture, &user, second, None).await, 0);
    assert_eq!(find(fixture, &session.id).await.unwrap().session, session);
    for state in [first, second] {
        let creation = store.create(&session_of(&user, state), third.version, NO_LIMIT, &[]).await.unwrap();
        assert_eq!(creation, Creation::Superseded);
    }
}

/// The end of an epoch is a change of the user too.
pub async fn ending_an_epoch_brings_the_users_version_with_it(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let (state, _) = end_epoch(fixture, &user).await;
    let session = session_of(&user, state);
    create(fixture, &session, old_state.version).await;
    assert!(version_of(fixture, &session.id).await >= state.version);
}

/// Whatever the order in which the store gets to see the two.
pub async fn no_session_created_while_its_epoch_ends_survives_it(fixture: Fixture<'_>) {
    const ROUNDS: usize = 40;
    const RACERS: usize = 4;
    let (user, mut state) = fixture.new_user().await;
    for _ in 0..ROUNDS {
        let start = Arc::new(Barrier::new(RACERS + 1));
        let over = Arc::new(AtomicBool::new(false));
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let (store, user) = (fixture.store(), user.clone());
            let (start, over) = (Arc::clone(&start), Arc::clone(&over));
            racers.spawn(async move {
                let mut tried = Vec::new();
                start.wait().await;
                loop {
                    let was_over = over.load(Ordering::SeqCst);
                    let session = session_of(&user, state);
                    tried.push(session.id);
                    match store.create(&session, state.version, NO_LIMIT, &[]).await.unwrap() {
                        Creation::Superseded => break tried,
                        Creation::Created { .. } => assert!(!was_over, "created after the end"),
                        Creation::IdTaken => panic!("a new id is taken"),
                    }
                }
            });
        }
        start.wait().await;
        let (next, _) = end_epoch(fixture, &user).await;
        over.store(true, Ordering::SeqCst);
        for id in racers.join_all().await.into_iter().flatten() {
            assert_eq!(find(fixture, &id).await, None, "a session survived its epoch");
        }
        assert_eq!(tell_of_epoch(fixture, &user, next, None).await, 0);
        state = next;
    }
}

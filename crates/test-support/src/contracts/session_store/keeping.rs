//! The one session that outlives the end of its epoch: "log out the others", a changed password.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use markt_domain::ports::session_store::{Change, StoredSession};
use markt_domain::session::{Ending, Session};

use super::support::{
    Fixture, at_once, create, create_many, end_epoch, end_epoch_but_for, ending, fall_back, find, found, listed,
    log_out, new_session, rotate, session_of, tell_of_epoch,
};

/// It is raised to the new epoch; the others end, and are counted.
pub async fn a_kept_session_outlives_its_epoch_and_no_other_does(fixture: Fixture<'_>) {
    let (user, state, session) = new_session(fixture).await;
    let others = create_many(fixture, &user, state, 3).await;
    let before = found(fixture, &session.id).await;
    let (state, ended) = end_epoch_but_for(fixture, &user, Some(session.family)).await;
    assert_eq!(ended, 3);
    for id in &others {
        assert_eq!(find(fixture, id).await, None);
        assert_eq!(ending(fixture, id).await, Some(Ending::LoggedOutEverywhere));
    }
    let after = found(fixture, &session.id).await;
    assert!(after.revision > before.revision);
    assert!(after.user_version >= state.version);
    let raised = Session { epoch: state.epoch, ..session };
    assert_eq!(
        after,
        StoredSession { session: raised, user_version: after.user_version, revision: after.revision, ..before }
    );
    assert_eq!(ending(fixture, &after.session.id).await, None);
    assert_eq!(listed(fixture, &user).await, [after.session.id].into());
}

/// It is a session of the new epoch as any other.
pub async fn a_kept_session_ends_with_the_next_epoch(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    assert_eq!(end_epoch_but_for(fixture, &user, Some(session.family)).await.1, 0);
    assert_eq!(end_epoch_but_for(fixture, &user, Some(session.family)).await.1, 0);
    assert!(find(fixture, &session.id).await.is_some());
    assert_eq!(end_epoch(fixture, &user).await.1, 1);
    assert_eq!(find(fixture, &session.id).await, None);
    assert_eq!(ending(fixture, &session.id).await, Some(Ending::LoggedOutEverywhere));
}

/// A session may have been rotated since its client last heard of it.
pub async fn a_session_is_kept_however_often_it_was_rotated(fixture: Fixture<'_>) {
    let (user, state, first) = new_session(fixture).await;
    let other = session_of(&user, state);
    create(fixture, &other, state.version).await;
    let second = rotate(fixture, &first.id).await;
    let third = rotate(fixture, &second.id).await;
    let before = found(fixture, &third.id).await;
    let (state, ended) = end_epoch_but_for(fixture, &user, Some(first.family)).await;
    assert_eq!(ended, 1);
    assert_eq!(find(fixture, &other.id).await, None);
    let after = found(fixture, &third.id).await;
    assert!(after.revision > before.revision);
    assert_eq!(after.session, Session { epoch: state.epoch, ..third });
    for former in [&first, &second] {
        assert_eq!(found(fixture, &former.id).await.session, after.session);
    }
    assert_eq!(listed(fixture, &user).await, [after.session.id].into());
}

/// Nor does the attempt touch the other user's session.
pub async fn neither_an_unknown_session_nor_a_strangers_is_kept(fixture: Fixture<'_>) {
    let (bob, _, bobs) = new_session(fixture).await;
    let before = found(fixture, &bobs.id).await;
    let (user, mut state) = fixture.new_user().await;
    let unknown = session_of(&user, state);
    for keep in [unknown.family, bobs.family] {
        let sessions = create_many(fixture, &user, state, 2).await;
        let (next, ended) = end_epoch_but_for(fixture, &user, Some(keep)).await;
        assert_eq!(ended, 2);
        for id in &sessions {
            assert_eq!(find(fixture, id).await, None);
        }
        state = next;
    }
    assert_eq!(find(fixture, &unknown.id).await, None);
    assert_eq!(found(fixture, &bobs.id).await, before);
    assert_eq!(listed(fixture, &bob).await, [bobs.id].into());
}

/// It ended before, in its own way.
pub async fn a_session_that_has_ended_isnt_kept(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    assert!(log_out(fixture, &session.id).await);
    assert_eq!(end_epoch_but_for(fixture, &user, Some(session.family)).await.1, 0);
    assert_eq!(find(fixture, &session.id).await, None);
    assert_eq!(ending(fixture, &session.id).await, Some(Ending::LoggedOut));
}

/// As when a caller tries again whose first try seemed to fail.
pub async fn a_session_kept_twice_is_kept(fixture: Fixture<'_>) {
    let (user, state, session) = new_session(fixture).await;
    create_many(fixture, &user, state, 2).await;
    let (state, ended) = end_epoch_but_for(fixture, &user, Some(session.family)).await;
    assert_eq!(ended, 2);
    assert_eq!(tell_of_epoch(fixture, &user, state, Some(session.family)).await, 0);
    assert_eq!(tell_of_epoch(fixture, &user, state, None).await, 0, "it is of the new epoch by now");
    assert_eq!(found(fixture, &session.id).await.session, Session { epoch: state.epoch, ..session });
}

/// A change that was read before must not take the session back to its old epoch.
pub async fn a_change_from_before_an_epoch_cant_undo_that_a_session_was_kept(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let (state, _) = end_epoch_but_for(fixture, &user, Some(session.family)).await;
    assert_eq!(fixture.store().update(&session, before.revision).await.unwrap(), Change::Conflict);
    assert_eq!(found(fixture, &session.id).await.session.epoch, state.epoch);
}

/// Who uses it meanwhile is not thrown out.
pub async fn a_kept_session_is_there_all_the_time(fixture: Fixture<'_>) {
    let (user, mut state, session) = new_session(fixture).await;
    for round in 0..40 {
        create_many(fixture, &user, state, 2).await;
        let next = fixture.begin_epoch(&user, Some(session.family)).await;
        let (reader, teller, whose) = (fixture.store(), fixture.store(), user.clone());
        let (id, family) = (session.id, session.family);
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let reads = async move {
            while !is_over.load(Ordering::SeqCst) {
                let stored = reader.find(&id).await.unwrap().expect("the kept session");
                assert!(next.admits(&stored.session), "the kept session is dead");
            }
        };
        let end = async move {
            fall_back(&*teller, round).await;
            let ended = teller.delete_before_epoch(&whose, next, Some(family), Ending::PasswordChanged).await.unwrap();
            over.store(true, Ordering::SeqCst);
            ended
        };
        let ((), ended) = at_once(reads, end).await;
        assert_eq!(ended, 2);
        assert_eq!(found(fixture, &session.id).await.session.epoch, next.epoch);
        state = next;
    }
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_session_deleted_while_it_is_kept_stays_gone(fixture: Fixture<'_>) {
    for round in 0..40 {
        let (user, _, session) = new_session(fixture).await;
        let state = fixture.begin_epoch(&user, Some(session.family)).await;
        let (deleter, teller, whose) = (fixture.store(), fixture.store(), user.clone());
        let (id, family) = (session.id, session.family);
        let deletion = async move {
            fall_back(&*deleter, round / 4).await;
            deleter.delete(&id, Ending::RevokedByUser).await.unwrap()
        };
        let end = async move {
            fall_back(&*teller, round).await;
            teller.delete_before_epoch(&whose, state, Some(family), Ending::LoggedOutEverywhere).await.unwrap()
        };
        let (deleted, ended) = at_once(deletion, end).await;
        assert!(deleted, "the session was there all the time");
        assert_eq!(ended, 0);
        assert_eq!(find(fixture, &id).await, None);
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(ending(fixture, &id).await, Some(Ending::RevokedByUser));
    }
}

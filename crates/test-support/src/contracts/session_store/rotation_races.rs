//! Rotations, and what happens to the session at the same time.

use std::collections::HashSet;

use markt_domain::ports::session_store::Change;
use markt_domain::session::{Ending, SessionId};

use super::support::{
    Fixture, all_at_once, at_once, create, end_epoch, ending, fall_back, find, found, grace, listed, log_out,
    new_session, rotate, session_of, successor_of, tell_of_epoch,
};

const ROUNDS: usize = 40;

/// And the old id leads to that one's successor.
pub async fn of_many_rotations_at_once_one_succeeds(fixture: Fixture<'_>) {
    const RACERS: usize = 8;
    for _ in 0..ROUNDS / 2 {
        let (user, _, session) = new_session(fixture).await;
        let revision = found(fixture, &session.id).await.revision;
        let results = all_at_once((0..RACERS).map(|_| {
            let (store, old, successor) = (fixture.store(), session.id, successor_of(&session));
            async move { (store.rotate(&old, revision, &successor, grace()).await.unwrap(), successor) }
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(|(change, _)| *change == Change::Made);
        let [(_, winner)] = made.as_slice() else { panic!("{} successors of one session", made.len()) };
        assert_eq!(found(fixture, &session.id).await.session, *winner);
        assert_eq!(listed(fixture, &user).await, [winner.id].into());
        for (change, loser) in refused {
            assert_eq!(change, Change::Conflict);
            assert_eq!(find(fixture, &loser.id).await, None);
        }
    }
}

/// Each rotates what it finds under the first id: no successor is lost, and none is left aside.
pub async fn rotations_of_rotated_sessions_at_once_leave_one_session(fixture: Fixture<'_>) {
    const RACERS: usize = 4;
    const EACH: usize = 3;
    for _ in 0..ROUNDS / 8 {
        let (user, _, session) = new_session(fixture).await;
        let made = all_at_once((0..RACERS).map(|_| {
            let (store, first) = (fixture.store(), session.id);
            async move {
                let mut made = Vec::new();
                while made.len() < EACH {
                    let present = store.find(&first).await.unwrap().expect("the session, whatever its id");
                    let (old, successor) = (present.session.id, successor_of(&present.session));
                    match store.rotate(&old, present.revision, &successor, grace()).await.unwrap() {
                        Change::Made => made.push(successor.id),
                        Change::Conflict => {}
                        Change::Gone => panic!("the session is gone"),
                    }
                }
                made
            }
        }))
        .await;
        let last = found(fixture, &session.id).await.session.id;
        assert_eq!(listed(fixture, &user).await, [last].into());
        let made: HashSet<SessionId> = made.into_iter().flatten().collect();
        assert_eq!(made.len(), RACERS * EACH);
        for id in &made {
            assert_eq!(found(fixture, id).await.session.id, last);
        }
        assert!(log_out(fixture, &session.id).await);
        assert_eq!(end_epoch(fixture, &user).await.1, 0);
    }
}

/// Whatever the order in which the store gets to see the two; the deletion names the id that it knows.
pub async fn a_session_rotated_while_it_is_deleted_is_gone_under_both_ids(fixture: Fixture<'_>) {
    for round in 0..ROUNDS {
        let (user, _, session) = new_session(fixture).await;
        let revision = found(fixture, &session.id).await.revision;
        let (rotator, deleter, old) = (fixture.store(), fixture.store(), session.id);
        let successor = successor_of(&session);
        let new = successor.id;
        let rotation = async move {
            fall_back(&*rotator, round / 4).await;
            rotator.rotate(&old, revision, &successor, grace()).await.unwrap()
        };
        let deletion = async move {
            fall_back(&*deleter, round).await;
            deleter.delete(&old, Ending::RevokedByUser).await.unwrap()
        };
        let (change, deleted) = at_once(rotation, deletion).await;
        assert!(deleted, "the session was there all the time");
        assert_ne!(change, Change::Conflict);
        for id in [&old, &new] {
            assert_eq!(find(fixture, id).await, None, "a session survived its deletion");
        }
        let last = if change == Change::Made { new } else { old };
        assert_eq!(ending(fixture, &last).await, Some(Ending::RevokedByUser));
        assert_eq!(ending(fixture, &old).await, Some(Ending::RevokedByUser));
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(end_epoch(fixture, &user).await.1, 0);
    }
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_session_rotated_while_its_epoch_ends_is_gone_under_both_ids(fixture: Fixture<'_>) {
    for round in 0..ROUNDS {
        let (user, state, session) = new_session(fixture).await;
        let other = session_of(&user, state);
        create(fixture, &other, state.version).await;
        let revision = found(fixture, &session.id).await.revision;
        let state = fixture.begin_epoch(&user, None).await;
        let (rotator, teller, whose) = (fixture.store(), fixture.store(), user.clone());
        let (old, successor) = (session.id, successor_of(&session));
        let ids = [old, successor.id, other.id];
        let rotation = async move {
            fall_back(&*rotator, round / 4).await;
            rotator.rotate(&old, revision, &successor, grace()).await.unwrap()
        };
        let end = async move {
            fall_back(&*teller, round).await;
            teller.delete_before_epoch(&whose, state, None, Ending::PasswordReset).await.unwrap()
        };
        let (change, ended) = at_once(rotation, end).await;
        assert_ne!(change, Change::Conflict);
        assert_eq!(ended, 2, "a session was lost or counted twice");
        for id in &ids {
            assert_eq!(find(fixture, id).await, None, "a session survived its epoch");
        }
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(tell_of_epoch(fixture, &user, state, None).await, 0);
    }
}

/// It is kept, and of the new epoch, whichever of its ids it has in the end.
pub async fn a_session_rotated_while_it_outlives_its_epoch_is_kept(fixture: Fixture<'_>) {
    for round in 0..ROUNDS {
        let (user, _, session) = new_session(fixture).await;
        let revision = found(fixture, &session.id).await.revision;
        let state = fixture.begin_epoch(&user, Some(session.family)).await;
        let (rotator, teller, whose) = (fixture.store(), fixture.store(), user.clone());
        let (old, family, successor) = (session.id, session.family, successor_of(&session));
        let new = successor.id;
        let rotation = async move {
            fall_back(&*rotator, round / 4).await;
            rotator.rotate(&old, revision, &successor, grace()).await.unwrap()
        };
        let end = async move {
            fall_back(&*teller, round).await;
            teller.delete_before_epoch(&whose, state, Some(family), Ending::LoggedOutEverywhere).await.unwrap()
        };
        let (change, ended) = at_once(rotation, end).await;
        assert_eq!(ended, 0);
        let last = match change {
            Change::Made => new,
            Change::Conflict => old,
            Change::Gone => panic!("the kept session is gone"),
        };
        let kept = found(fixture, &old).await;
        assert_eq!((kept.session.id, kept.session.epoch), (last, state.epoch));
        assert_eq!(listed(fixture, &user).await, [last].into());
        rotate(fixture, &last).await;
    }
}

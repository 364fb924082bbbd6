//! Sessions that get a new secret, and the ids of the old ones.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Creation, Revision, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Ending, Session};

use super::support::{
    Fixture, NO_LIMIT, change_user, create, end_epoch, ending, find, found, grace, listed, log_out, new_session,
    new_session_beside, rotate, session_of, successor_of, version_of,
};
use crate::fixtures;

/// Until the grace is over; the new one leads to it without an end.
pub async fn a_rotated_session_is_found_by_both_its_ids(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let later = |time: Timestamp| time.plus(Duration::from_secs(60));
    let successor = Session {
        current_role: Role::Seller,
        last_activity: later(session.last_activity),
        authenticated_at: later(session.authenticated_at),
        idle_expires_at: later(session.idle_expires_at),
        ..successor_of(&session)
    };
    let grace = grace();
    let change = fixture.store().rotate(&session.id, before.revision, &successor, grace).await.unwrap();
    assert_eq!(change, Change::Made);
    let after = found(fixture, &successor.id).await;
    assert!(after.revision > before.revision);
    assert_eq!(after, StoredSession { session: successor, revision: after.revision, ..before });
    let by_the_old_id = found(fixture, &session.id).await;
    assert_eq!(by_the_old_id, StoredSession { honoured_until: Some(grace), ..after });
}

/// Whatever revision it names: neither the one from before nor the successor's.
pub async fn an_id_that_was_rotated_away_isnt_rotated_again(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let successor = rotate(fixture, &session.id).await;
    let after = found(fixture, &successor.id).await;
    for revision in [before.revision, after.revision] {
        let intruder = successor_of(&session);
        let change = fixture.store().rotate(&session.id, revision, &intruder, grace()).await.unwrap();
        assert_eq!(change, Change::Conflict);
        assert_eq!(find(fixture, &intruder.id).await, None);
        assert_eq!(found(fixture, &successor.id).await, after);
    }
    assert_eq!(found(fixture, &session.id).await.session, successor);
    assert_eq!(listed(fixture, &user).await, [successor.id].into());
}

/// Nothing is rotated that was changed meanwhile, or ended, or never was.
pub async fn only_the_present_revision_is_rotated(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let first = found(fixture, &session.id).await.revision;
    let changed = Session { current_role: Role::Seller, ..session.clone() };
    assert_eq!(fixture.store().update(&changed, first).await.unwrap(), Change::Made);
    let before = found(fixture, &session.id).await;
    let rotate_to = async |successor: &Session, revision| {
        let change = fixture.store().rotate(&session.id, revision, successor, grace()).await.unwrap();
        assert_eq!(find(fixture, &successor.id).await, None);
        change
    };
    for revision in [first, Revision(before.revision.0 + 1)] {
        assert_eq!(rotate_to(&successor_of(&session), revision).await, Change::Conflict);
        assert_eq!(found(fixture, &session.id).await, before);
    }
    assert!(log_out(fixture, &session.id).await);
    assert_eq!(rotate_to(&successor_of(&session), before.revision).await, Change::Gone);
    let unknown = successor_of(&session);
    let successor = successor_of(&session);
    let change = fixture.store().rotate(&unknown.id, Revision::default(), &successor, grace()).await.unwrap();
    assert_eq!(change, Change::Gone);
    assert_eq!(find(fixture, &successor.id).await, None);
    assert!(listed(fixture, &user).await.is_empty());
}

/// Each for as long as it was said when it was rotated away.
pub async fn former_ids_lead_to_the_last_successor_by_however_many_steps(fixture: Fixture<'_>) {
    let (user, _, first) = new_session(fixture).await;
    let mut former = Vec::new();
    let mut last = first;
    for step in 0..8 {
        let before = found(fixture, &last.id).await;
        let successor = successor_of(&last);
        let grace = grace().plus(Duration::from_secs(step));
        let change = fixture.store().rotate(&last.id, before.revision, &successor, grace).await.unwrap();
        assert_eq!(change, Change::Made);
        former.push((last.id, grace));
        last = successor;
        let stored = found(fixture, &last.id).await;
        for (id, grace) in &former {
            let by_former = StoredSession { honoured_until: Some(*grace), ..stored.clone() };
            assert_eq!(found(fixture, id).await, by_former);
        }
    }
    assert_eq!(listed(fixture, &user).await, [last.id].into());
    assert!(log_out(fixture, &former[3].0).await);
    for (id, _) in former {
        assert_eq!(find(fixture, &id).await, None);
        assert!(!log_out(fixture, &id).await);
    }
    assert_eq!(find(fixture, &last.id).await, None);
}

/// By whichever id it is ended, all of its ids are dead.
pub async fn a_rotated_session_ends_under_all_its_ids(fixture: Fixture<'_>) {
    for by in 0..3 {
        let (user, _, first) = new_session(fixture).await;
        let second = rotate(fixture, &first.id).await;
        let third = rotate(fixture, &second.id).await;
        let ids = [first.id, second.id, third.id];
        assert!(log_out(fixture, &ids[by]).await);
        for id in &ids {
            assert_eq!(find(fixture, id).await, None);
            assert!(!log_out(fixture, id).await);
        }
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(end_epoch(fixture, &user).await.1, 0);
    }
}

/// Not once for each id.
pub async fn a_rotated_session_is_listed_and_counted_once(fixture: Fixture<'_>) {
    let (user, state, first) = new_session(fixture).await;
    let other = session_of(&user, state);
    create(fixture, &other, state.version).await;
    let second = rotate(fixture, &first.id).await;
    let third = rotate(fixture, &second.id).await;
    assert_eq!(listed(fixture, &user).await, [third.id, other.id].into());
    assert_eq!(end_epoch(fixture, &user).await.1, 2);
    for id in [&first.id, &second.id, &third.id, &other.id] {
        assert_eq!(find(fixture, id).await, None);
    }
}

/// Those from before the rotation, and those after.
pub async fn a_change_of_the_user_shows_through_former_ids(fixture: Fixture<'_>) {
    let (user, _, first) = new_session(fixture).await;
    let version = change_user(fixture, &user).await;
    let second = rotate(fixture, &first.id).await;
    assert_eq!(version_of(fixture, &first.id).await, version);
    let version = change_user(fixture, &user).await;
    for id in [&first.id, &second.id] {
        assert_eq!(version_of(fixture, id).await, version);
    }
}

/// By a session of the same user's or another's, by the session itself, or by an id that was rotated away.
pub async fn a_successors_id_that_is_taken_is_a_conflict(fixture: Fixture<'_>) {
    let (user, state, session) = new_session(fixture).await;
    let other = session_of(&user, state);
    create(fixture, &other, state.version).await;
    let (_, _, bobs) = new_session_beside(fixture, &session.id).await;
    let (_, _, former) = new_session_beside(fixture, &session.id).await;
    let latter = rotate(fixture, &former.id).await;
    let taken = [session.id, other.id, bobs.id, former.id, latter.id];
    let before = [found(fixture, &session.id).await, found(fixture, &bobs.id).await, found(fixture, &former.id).await];
    for id in taken {
        let successor = Session { id, ..session.clone() };
        let change = fixture.store().rotate(&session.id, before[0].revision, &successor, grace()).await.unwrap();
        assert_eq!(change, Change::Conflict);
    }
    let after = [found(fixture, &session.id).await, found(fixture, &bobs.id).await, found(fixture, &former.id).await];
    assert_eq!(after, before);
    assert_eq!(found(fixture, &other.id).await.session, other);
    assert_eq!(listed(fixture, &user).await, [session.id, other.id].into());
}

/// Else the new session would stand between the old id and its successor.
pub async fn an_id_that_was_rotated_away_is_taken(fixture: Fixture<'_>) {
    let (user, state, session) = new_session(fixture).await;
    let successor = rotate(fixture, &session.id).await;
    let creation = fixture.store().create(&session, state.version, NO_LIMIT, &[]).await.unwrap();
    assert_eq!(creation, Creation::IdTaken);
    assert_eq!(found(fixture, &session.id).await.session, successor);
    assert_eq!(listed(fixture, &user).await, [successor.id].into());
}

/// The store may forget it, and the caller sees that its time has passed.
pub async fn an_id_isnt_honoured_beyond_its_grace(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let revision = found(fixture, &session.id).await.revision;
    let successor = successor_of(&session);
    let past = Timestamp::from_unix_milliseconds(fixtures::now().unix_milliseconds() - 60_000);
    let change = fixture.store().rotate(&session.id, revision, &successor, past).await.unwrap();
    assert_eq!(change, Change::Made);
    let by_the_old_id = find(fixture, &session.id).await;
    assert!(by_the_old_id.is_none_or(|stored| stored.honoured_until == Some(past)));
    assert_eq!(ending(fixture, &session.id).await, None);
    assert!(fixture.store().delete(&successor.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(find(fixture, &session.id).await, None);
}

/// Its session has not ended: it goes on under another id, and nobody can tell any more that it had this one.
pub async fn an_id_without_a_grace_is_gone_at_once(fixture: Fixture<'_>) {
    let (user, _, first) = new_session(fixture).await;
    let second = rotate(fixture, &first.id).await;
    let before = found(fixture, &second.id).await.revision;
    let third = successor_of(&second);
    let past = Timestamp::from_unix_milliseconds(fixtures::now().unix_milliseconds() - 60_000);
    assert_eq!(fixture.store().rotate(&second.id, before, &third, past).await.unwrap(), Change::Made);
    assert_eq!(find(fixture, &second.id).await, None);
    assert_eq!(ending(fixture, &second.id).await, None);
    assert!(!log_out(fixture, &second.id).await);
    let revision = found(fixture, &third.id).await.revision;
    let change = fixture.store().rotate(&second.id, before, &successor_of(&second), grace()).await.unwrap();
    assert_eq!(change, Change::Gone);
    assert_eq!(fixture.store().update(&second, before).await.unwrap(), Change::Gone);
    assert_eq!(found(fixture, &third.id).await.revision, revision);
    assert_eq!(listed(fixture, &user).await, [third.id].into());
    assert!(log_out(fixture, &third.id).await);
    assert_eq!(ending(fixture, &second.id).await, None);
}

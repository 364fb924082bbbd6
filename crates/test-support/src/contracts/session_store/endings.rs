//! How sessions ended, and that it is remembered.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::session::{Ending, Session};

use super::support::{
    Fixture, create, create_many, end_epoch, ending, find, found, grace, log_out, new_session, new_session_beside,
    rotate, session_of,
};
use crate::fixtures;

/// Each way, by each of the session's ids.
pub async fn how_a_session_ended_is_told(fixture: Fixture<'_>) {
    for way in Ending::ALL {
        let (_, _, first) = new_session(fixture).await;
        let second = rotate(fixture, &first.id).await;
        let third = rotate(fixture, &second.id).await;
        assert!(fixture.store().delete(&second.id, way).await.unwrap());
        for session in [&first, &second, &third] {
            assert_eq!(ending(fixture, &session.id).await, Some(way));
        }
    }
}

/// Each way, of each of the sessions, by each of their ids.
pub async fn how_an_epoch_ended_is_told_of_all_its_sessions(fixture: Fixture<'_>) {
    let (user, mut state) = fixture.new_user().await;
    for way in Ending::ALL {
        let sessions = create_many(fixture, &user, state, 3).await;
        let first = session_of(&user, state);
        create(fixture, &first, state.version).await;
        let second = rotate(fixture, &first.id).await;
        state = fixture.begin_epoch(&user, None).await;
        assert_eq!(fixture.store().delete_before_epoch(&user, state, None, way).await.unwrap(), 4);
        for id in sessions.iter().chain([&first.id, &second.id]) {
            assert_eq!(ending(fixture, id).await, Some(way));
        }
    }
}

/// Nor has one that is only found by another id by now, nor one that never was.
pub async fn what_has_not_ended_has_no_ending(fixture: Fixture<'_>) {
    let (user, state, first) = new_session(fixture).await;
    assert_eq!(ending(fixture, &first.id).await, None);
    let second = rotate(fixture, &first.id).await;
    assert_eq!(ending(fixture, &first.id).await, None);
    assert_eq!(ending(fixture, &second.id).await, None);
    assert_eq!(ending(fixture, &session_of(&user, state).id).await, None);
}

/// What is gone already can't be ended otherwise.
pub async fn the_first_ending_counts(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    assert!(fixture.store().delete(&session.id, Ending::BindingMismatch).await.unwrap());
    assert!(!fixture.store().delete(&session.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(end_epoch(fixture, &user).await.1, 0);
    assert_eq!(ending(fixture, &session.id).await, Some(Ending::BindingMismatch));
}

/// One that was never there has none either.
pub async fn what_cant_be_deleted_leaves_no_ending(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    assert!(!log_out(fixture, &session.id).await);
    assert_eq!(ending(fixture, &session.id).await, None);
}

/// A session that has the id of one that ended lives, and ends in its own way.
pub async fn an_id_that_is_used_again_has_no_ending(fixture: Fixture<'_>) {
    let (_, state, session) = new_session(fixture).await;
    for way in [Ending::LoggedOut, Ending::Replaced] {
        assert!(fixture.store().delete(&session.id, way).await.unwrap());
        assert_eq!(ending(fixture, &session.id).await, Some(way));
        create(fixture, &session, state.version).await;
        assert_eq!(ending(fixture, &session.id).await, None);
    }
}

/// A store that has forgotten the session may have forgotten that it expired, but knows of no other end.
pub async fn a_session_that_has_ended_already_can_only_have_expired(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let now = fixtures::now();
    for ago in [0, 1, 1000, 40 * 24 * 3_600_000] {
        let then = Timestamp::from_unix_milliseconds(now.unix_milliseconds() - ago);
        let session = Session { idle_expires_at: then, ..session_of(&user, state) };
        create(fixture, &session, state.version).await;
        assert!(matches!(ending(fixture, &session.id).await, None | Some(Ending::Expired)));
    }
}

/// Also where the server forgot it by its own clock.
pub async fn a_session_that_runs_out_expires(fixture: Fixture<'_>) {
    const LIFETIME: Duration = Duration::from_millis(500);
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    let session = Session { idle_expires_at: session.created_at.plus(LIFETIME), ..session };
    create(fixture, &session, state.version).await;
    tokio::time::sleep(2 * LIFETIME).await;
    let now = fixtures::now();
    assert!(find(fixture, &session.id).await.is_none_or(|stored| stored.session.is_expired(now)));
    assert!(matches!(ending(fixture, &session.id).await, None | Some(Ending::Expired)));
}

/// A session that takes up an ended one's id by a rotation lives as any other.
pub async fn an_id_that_a_session_is_rotated_to_has_no_ending(fixture: Fixture<'_>) {
    let (_, _, ended) = new_session(fixture).await;
    assert!(log_out(fixture, &ended.id).await);
    let (_, _, session) = new_session_beside(fixture, &ended.id).await;
    let before = found(fixture, &session.id).await;
    let successor = Session { id: ended.id, ..session.clone() };
    let grace = grace();
    fixture.store().rotate(&session.id, before.revision, &successor, grace).await.unwrap();
    assert_eq!(found(fixture, &ended.id).await.session, successor);
    assert_eq!(ending(fixture, &ended.id).await, None);
    assert_eq!(ending(fixture, &session.id).await, None);
}

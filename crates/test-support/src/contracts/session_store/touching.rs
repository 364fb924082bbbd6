//! Sessions that are used, and so live on.

use std::time::Duration;

use markt_domain::ports::session_store::{Change, StoredSession};
use markt_domain::session::{Ending, Session};

use super::support::{
    Fixture, all_at_once, at_once, create, end_epoch, ending, fall_back, find, found, grace, listed, log_out,
    new_session, rotate, session_of, successor_of,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Neither what the session is nor when it ends at the latest.
pub async fn a_touch_moves_the_last_activity_and_the_idle_end_and_nothing_else(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let (used, ends) = (session.last_activity.plus(MINUTE), session.idle_expires_at.plus(2 * MINUTE));
    assert!(fixture.store().touch(&session.id, used, ends).await.unwrap());
    let after = found(fixture, &session.id).await;
    assert!(after.revision > before.revision);
    let touched = Session { last_activity: used, idle_expires_at: ends, ..session };
    assert_eq!(after, StoredSession { session: touched, revision: after.revision, ..before });
    assert_eq!(fixture.store().list(&user).await.unwrap(), [after]);
}

/// Requests overtake each other.
pub async fn a_touch_that_comes_late_takes_nothing_back(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let touch = async |minutes: u32| {
        let used = session.last_activity.plus(minutes * MINUTE);
        let ends = session.idle_expires_at.plus(minutes * MINUTE);
        assert!(fixture.store().touch(&session.id, used, ends).await.unwrap());
        found(fixture, &session.id).await
    };
    let latest = touch(2).await;
    assert_eq!(touch(1).await, latest);
    assert_eq!(touch(0).await, latest);
}

/// However it ended: a request that was under way finds nothing to write to.
pub async fn a_touch_never_revives_a_session(fixture: Fixture<'_>) {
    let (user, state, deleted) = new_session(fixture).await;
    let ended = session_of(&user, state);
    create(fixture, &ended, state.version).await;
    assert!(log_out(fixture, &deleted.id).await);
    assert_eq!(end_epoch(fixture, &user).await.1, 1);
    let unknown = session_of(&user, state);
    for session in [&deleted, &ended, &unknown] {
        let (used, ends) = (session.last_activity.plus(MINUTE), session.idle_expires_at.plus(MINUTE));
        assert!(!fixture.store().touch(&session.id, used, ends).await.unwrap());
        assert_eq!(find(fixture, &session.id).await, None);
    }
    assert!(listed(fixture, &user).await.is_empty());
    assert_eq!(ending(fixture, &deleted.id).await, Some(Ending::LoggedOut));
    assert_eq!(ending(fixture, &unknown.id).await, None);
}

/// A stolen secret that was replaced must not live by being used.
pub async fn an_id_that_was_rotated_away_doesnt_slide(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let successor = rotate(fixture, &session.id).await;
    let before = (found(fixture, &session.id).await, found(fixture, &successor.id).await);
    let (used, ends) = (session.last_activity.plus(MINUTE), session.idle_expires_at.plus(MINUTE));
    assert!(!fixture.store().touch(&session.id, used, ends).await.unwrap());
    assert_eq!((found(fixture, &session.id).await, found(fixture, &successor.id).await), before);
    assert!(fixture.store().touch(&successor.id, used, ends).await.unwrap());
    assert_eq!(found(fixture, &session.id).await.session.idle_expires_at, ends);
    assert_eq!(found(fixture, &session.id).await.honoured_until, before.0.honoured_until);
}

/// The end that the session was created with is past then, in truth: a server that forgets by itself goes by its own
/// clock. So it is with a session that was changed or rotated instead.
pub async fn a_session_that_is_used_outlives_its_first_end(fixture: Fixture<'_>) {
    const FIRST: Duration = Duration::from_millis(1500);
    let (user, state) = fixture.new_user().await;
    let brief = || {
        let session = session_of(&user, state);
        Session { idle_expires_at: session.created_at.plus(FIRST), ..session }
    };
    let store = fixture.store();
    let [touched, changed, rotated] = [brief(), brief(), brief()];
    for session in [&touched, &changed, &rotated] {
        create(fixture, session, state.version).await;
    }
    for minutes in 1..4 {
        let (used, ends) =
            (touched.last_activity.plus(minutes * MINUTE), touched.idle_expires_at.plus(minutes * MINUTE));
        assert!(store.touch(&touched.id, used, ends).await.unwrap(), "the session ended early");
    }
    let before = found(fixture, &changed.id).await;
    let changed = Session { idle_expires_at: changed.idle_expires_at.plus(MINUTE), ..changed };
    assert_eq!(store.update(&changed, before.revision).await.unwrap(), Change::Made);
    let before = found(fixture, &rotated.id).await;
    let successor = Session { idle_expires_at: rotated.idle_expires_at.plus(MINUTE), ..successor_of(&rotated) };
    let change = store.rotate(&rotated.id, before.revision, &successor, grace()).await.unwrap();
    assert_eq!(change, Change::Made);
    tokio::time::sleep(FIRST + Duration::from_millis(200)).await;
    for id in [&touched.id, &changed.id, &successor.id, &rotated.id] {
        found(fixture, id).await;
    }
    assert_eq!(listed(fixture, &user).await, [touched.id, changed.id, successor.id].into());
}

/// A change that was read before the session was used must not undo that.
pub async fn a_touch_is_a_change_that_an_update_has_to_know_of(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let (used, ends) = (session.last_activity.plus(MINUTE), session.idle_expires_at.plus(MINUTE));
    assert!(fixture.store().touch(&session.id, used, ends).await.unwrap());
    assert_eq!(fixture.store().update(&session, before.revision).await.unwrap(), Change::Conflict);
    assert_eq!(found(fixture, &session.id).await.session.last_activity, used);
}

/// Whatever the order in which they come.
pub async fn of_many_touches_at_once_the_latest_counts(fixture: Fixture<'_>) {
    const ROUNDS: u32 = 10;
    const RACERS: u32 = 16;
    let (_, _, session) = new_session(fixture).await;
    for round in 0..ROUNDS {
        let times = (round * RACERS..(round + 1) * RACERS).map(|number| (number + 1) * MINUTE);
        let touches = times.clone().map(|later| {
            let (store, session) = (fixture.store(), session.clone());
            let (used, ends) = (session.last_activity.plus(later), session.idle_expires_at.plus(later));
            async move { store.touch(&session.id, used, ends).await.unwrap() }
        });
        assert!(all_at_once(touches).await.into_iter().all(|touched| touched));
        let latest = times.max().unwrap();
        let after = found(fixture, &session.id).await.session;
        assert_eq!(after.last_activity, session.last_activity.plus(latest));
        assert_eq!(after.idle_expires_at, session.idle_expires_at.plus(latest));
    }
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_session_touched_while_it_is_deleted_stays_gone(fixture: Fixture<'_>) {
    for round in 0..40 {
        let (user, _, session) = new_session(fixture).await;
        let (toucher, deleter, id) = (fixture.store(), fixture.store(), session.id);
        let touches = async move {
            for minutes in 1..500 {
                let (used, ends) =
                    (session.last_activity.plus(minutes * MINUTE), session.idle_expires_at.plus(minutes * MINUTE));
                if !toucher.touch(&session.id, used, ends).await.unwrap() {
                    break;
                }
            }
        };
        let deletion = async move {
            fall_back(&*deleter, round).await;
            assert!(deleter.delete(&id, Ending::RevokedByUser).await.unwrap());
        };
        at_once(touches, deletion).await;
        assert_eq!(find(fixture, &id).await, None);
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(ending(fixture, &id).await, Some(Ending::RevokedByUser));
    }
}

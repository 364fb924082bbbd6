//! Uses of sessions, which are written together and revive nothing.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::StoredSession;
use markt_domain::session::{Ending, Session, SessionId};
use markt_test_support::fixtures;

use super::fixture::Near;
use super::over_both;

const MINUTE: Duration = Duration::from_secs(60);

over_both!(
    a_touch_shows_here_at_once_and_elsewhere_once_it_is_written,
    a_touch_that_waits_is_written_before_the_store_is_asked,
    a_touch_that_waits_shows_in_the_users_list,
    a_touch_that_waits_revives_nothing,
    what_would_run_out_before_its_touch_is_written_is_touched_at_once,
    what_is_not_held_is_touched_at_once,
    a_touch_leaves_the_session_held,
    an_older_touch_takes_nothing_back,
);

async fn touch(near: &Near, session: &Session, minutes: u32) -> Timestamp {
    let used = session.last_activity.plus(MINUTE * minutes);
    assert!(near.cache.touch(&session.id, used, session.expires_at).await.unwrap());
    used
}

/// The session as another process sees it.
async fn elsewhere(near: &Near, id: &SessionId) -> Option<StoredSession> {
    near.other.find(id).await.unwrap()
}

async fn last_activity_elsewhere(near: &Near, id: &SessionId) -> Timestamp {
    elsewhere(near, id).await.unwrap().session.last_activity
}

async fn a_touch_shows_here_at_once_and_elsewhere_once_it_is_written(near: Near) {
    let session = near.held().await;
    let used = touch(&near, &session, 1).await;
    let held = near.cache.peek(&session.id).unwrap();
    assert_eq!((held.session.last_activity, held.session.idle_expires_at), (used, session.expires_at));
    assert_eq!(last_activity_elsewhere(&near, &session.id).await, session.last_activity);
    near.cache.flush_touches().await.unwrap();
    assert_eq!(last_activity_elsewhere(&near, &session.id).await, used);
}

async fn a_touch_that_waits_is_written_before_the_store_is_asked(near: Near) {
    let session = near.held().await;
    let used = touch(&near, &session, 1).await;
    let found = near.cache.find(&session.id).await.unwrap().unwrap();
    assert_eq!(found.session.last_activity, used);
    assert_eq!(last_activity_elsewhere(&near, &session.id).await, used);
}

async fn a_touch_that_waits_shows_in_the_users_list(near: Near) {
    let session = near.held().await;
    let used = touch(&near, &session, 1).await;
    let listed = near.cache.list(&session.user_id).await.unwrap();
    assert_eq!(listed[0].session.last_activity, used);
}

async fn a_touch_that_waits_revives_nothing(near: Near) {
    for ended_here in [true, false] {
        let session = near.held().await;
        touch(&near, &session, 1).await;
        let ending = Ending::LoggedOut;
        let ended = if ended_here {
            near.cache.delete(&session.id, ending).await
        } else {
            near.other.delete(&session.id, ending).await
        };
        assert!(ended.unwrap());
        near.cache.flush_touches().await.unwrap();
        assert_eq!(elsewhere(&near, &session.id).await, None);
        assert!(!near.holds(&session.id));
    }
}

async fn what_would_run_out_before_its_touch_is_written_is_touched_at_once(near: Near) {
    let session = near.created().await;
    let brief = Session {
        idle_expires_at: session.last_activity.plus(MINUTE * 2),
        id: fixtures::session(&session.user_id).id,
        ..session
    };
    near.create(&brief, near.hold(&session.id).await.user_version).await;
    near.hold(&brief.id).await;
    let used = touch(&near, &brief, 1).await;
    assert_eq!(last_activity_elsewhere(&near, &brief.id).await, used);
}

async fn what_is_not_held_is_touched_at_once(near: Near) {
    let session = near.created().await;
    let used = touch(&near, &session, 1).await;
    assert_eq!(last_activity_elsewhere(&near, &session.id).await, used);
    let unknown = fixtures::session(&fixtures::user_id());
    assert!(!near.cache.touch(&unknown.id, unknown.last_activity, unknown.expires_at).await.unwrap());
}

/// Also once it is written, and often.
async fn a_touch_leaves_the_session_held(near: Near) {
    let session = near.held().await;
    for minutes in 1..10 {
        touch(&near, &session, minutes).await;
        near.cache.flush_touches().await.unwrap();
        // Had it been told of its own touches, it would have heard by now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(near.holds(&session.id), "after {minutes} touches");
    }
    near.other.delete(&session.id, Ending::LoggedOut).await.unwrap();
    near.until_not_held(&session.id).await;
}

async fn an_older_touch_takes_nothing_back(near: Near) {
    let session = near.held().await;
    let used = touch(&near, &session, 2).await;
    touch(&near, &session, 1).await;
    assert_eq!(near.cache.peek(&session.id).unwrap().session.last_activity, used);
    near.cache.flush_touches().await.unwrap();
    assert_eq!(last_activity_elsewhere(&near, &session.id).await, used);
}

//! The list of a user's sessions.

use std::time::Duration;

use markt_domain::session::Session;

use super::support::{
    Fixture, change_user, create, create_many, end_epoch, find, found, listed, log_out, new_session, rotate, session_of,
};

/// As they are found one by one.
pub async fn a_users_sessions_are_listed_whole_and_nobody_elses(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let (_, _, strangers) = new_session(fixture).await;
    assert!(listed(fixture, &user).await.is_empty());
    let mut first = session_of(&user, state);
    first.client.user_agent = "\"},{é\\".into();
    create(fixture, &first, state.version).await;
    let (used, second) = (session_of(&user, state), rotate(fixture, &first.id).await);
    create(fixture, &used, state.version).await;
    change_user(fixture, &user).await;
    let (later, ends) = (used.last_activity.plus(Duration::from_secs(1)), used.idle_expires_at);
    assert!(fixture.store().touch(&used.id, later, ends).await.unwrap());
    let mut list = fixture.store().list(&user).await.unwrap();
    list.sort_by_key(|stored| stored.session.id);
    let mut ids = [second.id, used.id];
    ids.sort();
    assert_eq!(list, [found(fixture, &ids[0]).await, found(fixture, &ids[1]).await]);
    assert_eq!(listed(fixture, &strangers.user_id).await, [strangers.id].into());
}

/// However many there are.
pub async fn all_of_many_sessions_are_listed(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let sessions = create_many(fixture, &user, state, 130).await;
    assert_eq!(listed(fixture, &user).await, sessions);
}

/// One that has ended already may stand there until it is forgotten, but as what it is.
pub async fn what_ended_is_listed_no_more(fixture: Fixture<'_>) {
    let (user, state, deleted) = new_session(fixture).await;
    let kept = session_of(&user, state);
    create(fixture, &kept, state.version).await;
    let expired = session_of(&user, state);
    let expired = Session { expires_at: expired.created_at, ..expired };
    create(fixture, &expired, state.version).await;
    assert!(log_out(fixture, &deleted.id).await);
    let now = crate::fixtures::now();
    let mut list = fixture.store().list(&user).await.unwrap();
    list.retain(|stored| !stored.session.is_expired(now));
    assert_eq!(list, [found(fixture, &kept.id).await]);
    end_epoch(fixture, &user).await;
    assert!(listed(fixture, &user).await.is_empty());
    assert_eq!(find(fixture, &kept.id).await, None);
}

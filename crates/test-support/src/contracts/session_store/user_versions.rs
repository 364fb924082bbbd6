//! Changes of the user, and that the user's sessions bring them along.

use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::session_store::{Change, Creation};
use markt_domain::role::Role;
use markt_domain::session::Session;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::support::{
    CREATED, Fixture, NO_LIMIT, at_once, change_user, create, create_many, end_epoch, fall_back, find, found, grace,
    log_out, new_session, session_of, successor_of, version_of,
};

/// The version that the user was read with, not some other.
pub async fn a_created_session_brings_its_users_version(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    for _ in 0..12 {
        let version = fixture.change_user(&user).await;
        let session = session_of(&user, state);
        create(fixture, &session, version).await;
        assert_eq!(version_of(fixture, &session.id).await, version);
    }
}

/// At once, in each of them.
pub async fn a_change_of_the_user_shows_in_all_the_users_sessions(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let sessions = create_many(fixture, &user, state, 12).await;
    // More than ten, so that the number's length changes.
    for _ in 0..12 {
        let version = change_user(fixture, &user).await;
        for id in &sessions {
            assert_eq!(version_of(fixture, id).await, version);
        }
    }
}

/// A login that read the user before the change must not hide it.
pub async fn a_change_of_the_user_shows_in_sessions_created_later_with_an_older_copy(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let version = change_user(fixture, &user).await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert!(version_of(fixture, &session.id).await >= version);
}

/// Two nodes may tell the store of two changes in the wrong order.
pub async fn a_change_of_the_user_that_is_told_late_takes_nothing_back(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let before = session_of(&user, state);
    create(fixture, &before, state.version).await;
    let early = fixture.change_user(&user).await;
    let late = change_user(fixture, &user).await;
    for told_late in [early, state.version] {
        fixture.store().user_changed(&user, told_late).await.unwrap();
        let after = session_of(&user, state);
        create(fixture, &after, told_late).await;
        for session in [&before, &after] {
            assert!(version_of(fixture, &session.id).await >= late);
        }
    }
}

/// Other users' copies are not stale of it.
pub async fn a_change_of_the_user_leaves_sessions_of_others(fixture: Fixture<'_>) {
    let (ann, _) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let bobs = session_of(&bob, bobs_state);
    create(fixture, &bobs, bobs_state.version).await;
    change_user(fixture, &ann).await;
    assert_eq!(version_of(fixture, &bobs.id).await, bobs_state.version);
}

/// Neither the session's own fields, nor what was deleted, nor the epoch's end.
pub async fn a_change_of_the_user_changes_nothing_else_and_revives_nothing(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let (kept, gone) = (session_of(&user, state), session_of(&user, state));
    create(fixture, &kept, state.version).await;
    create(fixture, &gone, state.version).await;
    assert!(log_out(fixture, &gone.id).await);
    change_user(fixture, &user).await;
    assert_eq!(find(fixture, &kept.id).await.unwrap().session, kept);
    assert_eq!(find(fixture, &gone.id).await, None);
    let (_, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, 1);
    let version = change_user(fixture, &user).await;
    assert_eq!(find(fixture, &kept.id).await, None);
    let late = session_of(&user, state);
    let creation = fixture.store().create(&late, version, NO_LIMIT, &[]).await.unwrap();
    assert_eq!(creation, Creation::Superseded);
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_change_of_the_user_shows_in_sessions_created_meanwhile(fixture: Fixture<'_>) {
    const ROUNDS: usize = 20;
    const RACERS: usize = 4;
    const EACH: usize = 8;
    let (user, state) = fixture.new_user().await;
    let mut version = state.version;
    for _ in 0..ROUNDS {
        let start = Arc::new(Barrier::new(RACERS + 1));
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let (store, user, start) = (fixture.store(), user.clone(), Arc::clone(&start));
            racers.spawn(async move {
                let sessions: Vec<_> = (0..EACH).map(|_| session_of(&user, state)).collect();
                start.wait().await;
                for session in &sessions {
                    let creation = store.create(session, version, NO_LIMIT, &[]).await.unwrap();
                    assert_eq!(creation, CREATED);
                }
                sessions
            });
        }
        start.wait().await;
        let next = change_user(fixture, &user).await;
        for session in racers.join_all().await.into_iter().flatten() {
            assert!(version_of(fixture, &session.id).await >= next, "a session missed the change");
            assert!(log_out(fixture, &session.id).await);
        }
        version = next;
    }
}

/// Whatever the order in which the store gets to see them.
pub async fn a_change_of_the_user_shows_in_sessions_changed_meanwhile(fixture: Fixture<'_>) {
    let (user, _, mut session) = new_session(fixture).await;
    for round in 0..40 {
        let before = found(fixture, &session.id).await;
        let version = fixture.change_user(&user).await;
        let (writer, teller, whose) = (fixture.store(), fixture.store(), user.clone());
        let (old, successor) = (session.id, successor_of(&session));
        let changed = Session { current_role: Role::Seller, ..session };
        let next = successor.clone();
        let writes = async move {
            fall_back(&*writer, round / 4).await;
            assert_eq!(writer.update(&changed, before.revision).await.unwrap(), Change::Made);
            let used = changed.last_activity.plus(Duration::from_secs(1));
            assert!(writer.touch(&old, used, changed.idle_expires_at).await.unwrap());
            let present = writer.find(&old).await.unwrap().expect("the session");
            assert_eq!(writer.rotate(&old, present.revision, &next, grace()).await.unwrap(), Change::Made);
        };
        let tells = async move {
            fall_back(&*teller, round).await;
            teller.user_changed(&whose, version).await.unwrap();
        };
        at_once(writes, tells).await;
        for id in [&old, &successor.id] {
            assert!(version_of(fixture, id).await >= version, "a session missed the change");
        }
        session = successor;
    }
}

//! Sessions that are changed.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::client::Client;
use markt_domain::ports::session_store::{Change, Revision, SessionStore, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Ending, RefreshChain, Session, SessionId, Transport};

use super::support::{
    Fixture, all_at_once, at_once, change_user, create, end_epoch, ending, fall_back, find, found, listed, log_out,
    new_session, rotate, session_of,
};

/// All that may change of a session.
pub async fn an_update_replaces_the_session_whole(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let later = |seconds| session.created_at.plus(Duration::from_secs(seconds));
    let changed = Session {
        current_role: Role::Seller,
        last_activity: later(60),
        authenticated_at: later(61),
        password_given: false,
        remember: false,
        transport: Transport::Bearer,
        client: Client::new("2001:db8::1".parse().unwrap(), "\"},é"),
        idle_expires_at: later(3600),
        refresh: Some(RefreshChain { generation: NonZeroU32::MAX, since: later(62) }),
        ..session
    };
    assert_eq!(fixture.store().update(&changed, before.revision).await.unwrap(), Change::Made);
    let after = found(fixture, &changed.id).await;
    assert!(after.revision > before.revision);
    assert_eq!(after, StoredSession { session: changed, revision: after.revision, ..before });
    assert_eq!(fixture.store().list(&user).await.unwrap(), [after]);
}

/// Be it a step behind or ahead.
pub async fn an_update_of_another_revision_is_a_conflict_and_changes_nothing(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let first = found(fixture, &session.id).await.revision;
    assert_eq!(fixture.store().update(&session, first).await.unwrap(), Change::Made);
    let before = found(fixture, &session.id).await;
    let changed = Session { current_role: Role::Seller, ..session };
    for revision in [first, Revision(before.revision.0 + 1), Revision(i64::MAX), Revision(-1)] {
        assert_eq!(fixture.store().update(&changed, revision).await.unwrap(), Change::Conflict);
        assert_eq!(found(fixture, &changed.id).await, before);
    }
}

/// However it ended.
pub async fn an_update_never_revives_a_session(fixture: Fixture<'_>) {
    let (user, state, deleted) = new_session(fixture).await;
    let ended = session_of(&user, state);
    create(fixture, &ended, state.version).await;
    let revision = found(fixture, &deleted.id).await.revision;
    assert!(log_out(fixture, &deleted.id).await);
    assert_eq!(end_epoch(fixture, &user).await.1, 1);
    let unknown = session_of(&user, state);
    for session in [&deleted, &ended, &unknown] {
        for revision in [revision, Revision::default()] {
            assert_eq!(fixture.store().update(session, revision).await.unwrap(), Change::Gone);
            assert_eq!(find(fixture, &session.id).await, None);
        }
    }
    assert!(listed(fixture, &user).await.is_empty());
}

/// Whatever revision it names.
pub async fn an_id_that_was_rotated_away_isnt_updated(fixture: Fixture<'_>) {
    let (_, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let successor = rotate(fixture, &session.id).await;
    let after = found(fixture, &successor.id).await;
    let changed = Session { current_role: Role::Seller, ..session };
    for revision in [before.revision, after.revision] {
        assert_eq!(fixture.store().update(&changed, revision).await.unwrap(), Change::Conflict);
        assert_eq!(found(fixture, &successor.id).await, after);
    }
}

/// The user's version isn't the session's to change: a change of the user is no conflict, and isn't undone.
pub async fn an_update_leaves_the_users_version(fixture: Fixture<'_>) {
    let (user, _, session) = new_session(fixture).await;
    let before = found(fixture, &session.id).await;
    let version = change_user(fixture, &user).await;
    let changed = Session { current_role: Role::Seller, ..session };
    assert_eq!(fixture.store().update(&changed, before.revision).await.unwrap(), Change::Made);
    let after = found(fixture, &changed.id).await;
    assert_eq!((after.session, after.user_version), (changed, version));
}

/// Each looks again until it has its way.
pub async fn of_a_hundred_updates_at_once_none_is_lost(fixture: Fixture<'_>) {
    const WRITERS: usize = 100;
    let (user, state) = fixture.new_user().await;
    let mut session = session_of(&user, state);
    session.client.user_agent = "".into();
    create(fixture, &session, state.version).await;
    let id = session.id;
    all_at_once((0..WRITERS).map(|_| {
        let store = fixture.store();
        async move { while append(&store, &id).await == Change::Conflict {} }
    }))
    .await;
    assert_eq!(&*found(fixture, &id).await.session.client.user_agent, "x".repeat(WRITERS));
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_session_updated_while_it_is_deleted_stays_gone(fixture: Fixture<'_>) {
    for round in 0..40 {
        let (user, _, session) = new_session(fixture).await;
        let (updater, deleter, id) = (fixture.store(), fixture.store(), session.id);
        let updates = async move {
            for _ in 0..200 {
                if append(&updater, &id).await == Change::Gone {
                    break;
                }
            }
        };
        let deletion = async move {
            fall_back(&*deleter, round).await;
            assert!(deleter.delete(&id, Ending::RevokedByUser).await.unwrap());
        };
        at_once(updates, deletion).await;
        assert_eq!(find(fixture, &id).await, None);
        assert!(listed(fixture, &user).await.is_empty());
        assert_eq!(ending(fixture, &id).await, Some(Ending::RevokedByUser));
    }
}

/// Reads the session, and writes it back with one character more.
async fn append(store: &Arc<dyn SessionStore>, id: &SessionId) -> Change {
    let Some(mut stored) = store.find(id).await.unwrap() else { return Change::Gone };
    let client = &mut stored.session.client;
    client.user_agent = format!("{}x", client.user_agent).into();
    store.update(&stored.session, stored.revision).await.unwrap()
}

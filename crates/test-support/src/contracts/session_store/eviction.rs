//! How many sessions a user has at most, and which give way.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Creation};
use markt_domain::role::Role;
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::{UserId, UserState};

use super::support::{
    CREATED, Fixture, NO_LIMIT, all_at_once, create, end_epoch, ending, find, found, listed, new_session, rotate,
    session_of,
};
use crate::fixtures;

/// One login after the other.
pub async fn a_user_has_no_more_sessions_than_allowed_and_the_first_give_way(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let sessions: Vec<_> = (0..7).map(|age| session_from(&user, state, 60 - age)).collect();
    for (number, session) in sessions.iter().enumerate() {
        let given_way: Vec<_> = number.checked_sub(3).map(|number| sessions[number].id).into_iter().collect();
        assert_eq!(create_at_most(fixture, session, state, 3).await, given_way);
        assert!(listed(fixture, &user).await.len() <= 3);
    }
    for session in &sessions[..4] {
        assert_eq!(find(fixture, &session.id).await, None);
        assert_eq!(ending(fixture, &session.id).await, Some(Ending::Evicted));
    }
    for session in &sessions[4..] {
        assert_eq!(found(fixture, &session.id).await.session, *session);
    }
    assert_eq!(end_epoch(fixture, &user).await.1, 3);
}

/// Clocks of different nodes differ.
pub async fn a_new_session_never_gives_way_itself(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let [young, old, older] = [1, 30, 60].map(|age| session_from(&user, state, age));
    assert_eq!(create_at_most(fixture, &young, state, 2).await, []);
    assert_eq!(create_at_most(fixture, &old, state, 2).await, []);
    assert_eq!(create_at_most(fixture, &older, state, 2).await, [old.id]);
    assert_eq!(listed(fixture, &user).await, [young.id, older.id].into());
    let oldest = session_from(&user, state, 90);
    let evicted = create_at_most(fixture, &oldest, state, 1).await;
    assert_eq!(HashSet::from_iter(evicted), HashSet::from([young.id, older.id]));
    assert_eq!(listed(fixture, &user).await, [oldest.id].into());
}

/// As when the configuration was changed.
pub async fn a_lower_limit_takes_effect_with_the_next_session(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let mut sessions = Vec::new();
    for age in (1..=6).rev() {
        let session = session_from(&user, state, age);
        create(fixture, &session, state.version).await;
        sessions.push(session.id);
    }
    let new = session_from(&user, state, 0);
    let evicted: HashSet<_> = create_at_most(fixture, &new, state, 2).await.into_iter().collect();
    assert_eq!(evicted, sessions[..5].iter().copied().collect());
    assert_eq!(listed(fixture, &user).await, [sessions[5], new.id].into());
}

/// It is the login that counts, not the use, and not the secret.
pub async fn neither_use_nor_rotation_makes_a_session_younger(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let (first, second) = (session_from(&user, state, 30), session_from(&user, state, 20));
    create(fixture, &first, state.version).await;
    create(fixture, &second, state.version).await;
    let successor = rotate(fixture, &first.id).await;
    let (store, later) = (fixture.store(), Duration::from_secs(60));
    let (used, ends) = (successor.last_activity.plus(later), successor.idle_expires_at.plus(later));
    assert!(store.touch(&successor.id, used, ends).await.unwrap());
    let before = found(fixture, &successor.id).await;
    let changed = Session { current_role: Role::Seller, authenticated_at: fixtures::now(), ..before.session };
    assert_eq!(store.update(&changed, before.revision).await.unwrap(), Change::Made);
    let third = session_from(&user, state, 10);
    assert_eq!(create_at_most(fixture, &third, state, 2).await, [successor.id]);
    for id in [&first.id, &successor.id] {
        assert_eq!(find(fixture, id).await, None);
        assert_eq!(ending(fixture, id).await, Some(Ending::Evicted));
    }
    assert_eq!(listed(fixture, &user).await, [second.id, third.id].into());
}

/// They count for their own user only.
pub async fn other_users_sessions_dont_give_way(fixture: Fixture<'_>) {
    let (bob, _, bobs) = new_session(fixture).await;
    let (ann, state) = fixture.new_user().await;
    for age in [2, 1] {
        create_at_most(fixture, &session_from(&ann, state, age), state, 1).await;
    }
    assert_eq!(listed(fixture, &ann).await.len(), 1);
    assert_eq!(listed(fixture, &bob).await, [bobs.id].into());
    assert_eq!(found(fixture, &bobs.id).await.session, bobs);
}

/// Neither an id that is taken nor an epoch that has ended.
pub async fn a_session_that_isnt_created_pushes_none_out(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let (state, _) = end_epoch(fixture, &user).await;
    let sessions = [2, 1].map(|age| session_from(&user, state, age));
    for session in &sessions {
        create(fixture, session, state.version).await;
    }
    let store = fixture.store();
    let taken = store.create(&sessions[1], state.version, NonZeroU32::MIN, &[]).await.unwrap();
    assert_eq!(taken, Creation::IdTaken);
    let late = session_of(&user, old_state);
    assert_eq!(store.create(&late, state.version, NonZeroU32::MIN, &[]).await.unwrap(), Creation::Superseded);
    assert_eq!(listed(fixture, &user).await, sessions.map(|session| session.id).into());
}

/// What can't be used any more takes nobody's place.
pub async fn sessions_that_expired_push_none_out(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let [first, second] = [30, 10].map(|age| session_from(&user, state, age));
    create(fixture, &first, state.version).await;
    for age in [20, 25] {
        let session = session_from(&user, state, age);
        let expired = Session { idle_expires_at: session.created_at, ..session };
        assert_eq!(fixture.store().create(&expired, state.version, NO_LIMIT, &[]).await.unwrap(), CREATED);
    }
    assert_eq!(create_at_most(fixture, &second, state, 2).await, []);
    for session in [first, second] {
        assert_eq!(found(fixture, &session.id).await.session, session);
    }
}

/// Not one more, and not one less; who gave way is told once.
pub async fn of_many_logins_at_once_as_many_stay_as_allowed(fixture: Fixture<'_>) {
    const RACERS: u64 = 20;
    const ALLOWED: u32 = 4;
    let (user, state) = fixture.new_user().await;
    let mut before = HashSet::new();
    for _ in 0..8 {
        let sessions: Vec<_> = (0..RACERS).map(|age| session_from(&user, state, age)).collect();
        let created = sessions.iter().map(|session| session.id);
        let all: HashSet<_> = before.into_iter().chain(created).collect();
        let creations =
            all_at_once(
                sessions.into_iter().map(|session| {
                    let store = fixture.store();
                    async move {
                        store.create(&session, state.version, NonZeroU32::new(ALLOWED).unwrap(), &[]).await.unwrap()
                    }
                }),
            )
            .await;
        let evicted: Vec<_> = creations.into_iter().flat_map(given_way).collect();
        let stayed = listed(fixture, &user).await;
        assert_eq!(stayed.len(), usize::try_from(ALLOWED).unwrap());
        assert_eq!(evicted.len() + stayed.len(), all.len());
        assert_eq!(stayed.iter().chain(&evicted).copied().collect::<HashSet<_>>(), all);
        for id in &evicted {
            assert_eq!(find(fixture, id).await, None);
            assert_eq!(ending(fixture, id).await, Some(Ending::Evicted));
        }
        before = stayed;
    }
    assert_eq!(end_epoch(fixture, &user).await.1, u64::from(ALLOWED));
}

/// A session of a login so many minutes ago.
fn session_from(user: &UserId, state: UserState, minutes: u64) -> Session {
    let session = session_of(user, state);
    let ago = i64::try_from(minutes * 60_000).unwrap();
    let then = Timestamp::from_unix_milliseconds(session.created_at.unix_milliseconds() - ago);
    Session { created_at: then, ..session }
}

/// Creates a session, and returns those that gave way to it.
async fn create_at_most(fixture: Fixture<'_>, session: &Session, state: UserState, limit: u32) -> Vec<SessionId> {
    let limit = NonZeroU32::new(limit).unwrap();
    given_way(fixture.store().create(session, state.version, limit, &[]).await.unwrap())
}

fn given_way(creation: Creation) -> Vec<SessionId> {
    match creation {
        Creation::Created { evicted } => evicted,
        other => panic!("{other:?}"),
    }
}

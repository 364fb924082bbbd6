//! Sessions that give way to a new one, since they came with its login.

use std::num::NonZeroU32;

use markt_domain::ports::session_store::Creation;
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::UserState;

use super::support::{
    CREATED, Fixture, NO_LIMIT, all_at_once, create_many, end_epoch, ending, find, found, listed, new_session, rotate,
    session_of,
};

/// Whosever they are, and by whichever of their ids they came; nobody else's ends.
pub async fn a_new_session_takes_the_place_of_those_that_it_replaces(fixture: Fixture<'_>) {
    let (user, state, own) = new_session(fixture).await;
    let (stranger, _, strangers) = new_session(fixture).await;
    let (_, _, rotated) = new_session(fixture).await;
    let successor = rotate(fixture, &rotated.id).await;
    let other = create_many(fixture, &user, state, 1).await;
    let unknown = session_of(&user, state).id;
    let new = session_of(&user, state);
    let replaces = [own.id, strangers.id, rotated.id, unknown, own.id];
    let creation = fixture.store().create(&new, state.version, NO_LIMIT, &replaces).await.unwrap();
    assert_eq!(creation, CREATED);
    for gone in [own.id, strangers.id, rotated.id, successor.id] {
        assert_eq!(find(fixture, &gone).await, None);
        assert_eq!(ending(fixture, &gone).await, Some(Ending::Replaced));
    }
    assert_eq!(ending(fixture, &unknown).await, None);
    assert_eq!(found(fixture, &new.id).await.session, new);
    assert_eq!(listed(fixture, &user).await, other.into_iter().chain([new.id]).collect());
    assert!(listed(fixture, &stranger).await.is_empty());
    assert_eq!(end_epoch(fixture, &user).await.1, 2);
}

/// As a login that fails leaves the session as it was that came with it.
pub async fn a_session_that_isnt_created_replaces_none(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let (state, _) = end_epoch(fixture, &user).await;
    let session = session_of(&user, state);
    assert_eq!(fixture.store().create(&session, state.version, NO_LIMIT, &[]).await.unwrap(), CREATED);
    let before = found(fixture, &session.id).await;
    for (refused, expected) in [
        (Session { id: session.id, ..session_of(&user, state) }, Creation::IdTaken),
        (session_of(&user, old_state), Creation::Superseded),
    ] {
        let creation = fixture.store().create(&refused, state.version, NO_LIMIT, &[session.id]).await.unwrap();
        assert_eq!(creation, expected);
        assert_eq!(found(fixture, &session.id).await, before);
    }
}

/// A device that logs in again takes its own place.
pub async fn what_is_replaced_does_not_push_others_out(fixture: Fixture<'_>) {
    let (user, state, first) = new_session(fixture).await;
    let own = session_of(&user, state);
    assert_eq!(create_at_most_two(fixture, &own, state, &[]).await, CREATED);
    let again = session_of(&user, state);
    assert_eq!(create_at_most_two(fixture, &again, state, &[own.id]).await, CREATED);
    assert_eq!(listed(fixture, &user).await, [first.id, again.id].into());
}

/// Whichever of them gets to replace it.
pub async fn of_many_logins_with_one_old_session_as_many_stay_as_allowed(fixture: Fixture<'_>) {
    for _ in 0..20 {
        let (user, state, old) = new_session(fixture).await;
        let present = rotate(fixture, &old.id).await;
        let racers = (0..8).map(|_| {
            let (store, session) = (fixture.store(), session_of(&user, state));
            let replaces = [old.id, present.id];
            async move { store.create(&session, state.version, NonZeroU32::new(2).unwrap(), &replaces).await.unwrap() }
        });
        let creations = all_at_once(racers).await;
        assert!(creations.iter().all(|creation| matches!(creation, Creation::Created { .. })));
        assert_eq!(listed(fixture, &user).await.len(), 2);
        assert_eq!(ending(fixture, &old.id).await, Some(Ending::Replaced));
    }
}

async fn create_at_most_two(
    fixture: Fixture<'_>,
    session: &Session,
    state: UserState,
    replaces: &[SessionId],
) -> Creation {
    let two = NonZeroU32::new(2).unwrap();
    fixture.store().create(session, state.version, two, replaces).await.unwrap()
}

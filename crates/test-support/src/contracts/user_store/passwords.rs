//! Passwords, and what ends with them.

use markt_domain::user::{NewUser, SessionEpoch, UserState, UserVersion};

use super::support::{Fixture, create, find, hash, hash_of, later_than, session_family};
use crate::fixtures;

/// By the user's id, and no other's.
pub async fn a_password_is_found_by_its_users_id(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    create(fixture, &new).await;
    create(fixture, &NewUser { password_hash: hash(2), ..fixtures::new_buyer() }).await;
    assert_eq!(fixture.store().find_password(&new.id).await.unwrap(), Some(hash(1)));
    assert_eq!(fixture.store().find_password(&fixtures::user_id()).await.unwrap(), None);
}

/// A password that was changed meanwhile must not come back.
pub async fn a_hash_is_replaced_if_it_is_still_the_old_one(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    create(fixture, &new).await;
    let store = fixture.store();
    assert!(!store.replace_password_hash(&new.id, &hash(2), &hash(3)).await.unwrap());
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(1)));
    assert!(store.replace_password_hash(&new.id, &hash(1), &hash(2)).await.unwrap());
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(2)));
    assert!(!store.replace_password_hash(&new.id, &hash(1), &hash(3)).await.unwrap());
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(2)));
}

/// In the same step: there is no moment in which the old sessions live with the new password, nor one in which the kept
/// one is dead.
pub async fn a_changed_password_begins_an_epoch_that_one_session_outlives(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let mut before = create(fixture, &new).await;
    let (store, mine, at) = (fixture.store(), session_family(), later_than(new.created_at, 5));
    let state = store.change_password(&new.id, &hash(1), &hash(2), mine, at).await.unwrap().expect("the user");
    assert_eq!(state, UserState { epoch: next(before.state.epoch), version: after(before.state), kept: Some(mine) });
    before.state = state;
    before.profile.user.updated_at = at;
    assert_eq!(find(fixture, &new.id).await, before);
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(2)));
}

/// Two devices that change it at once must not both believe that it is theirs.
pub async fn a_password_that_is_another_by_now_is_not_changed(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let before = create(fixture, &new).await;
    let (store, at) = (fixture.store(), later_than(new.created_at, 5));
    assert_eq!(store.change_password(&new.id, &hash(2), &hash(3), session_family(), at).await.unwrap(), None);
    let stranger = fixtures::user_id();
    assert_eq!(store.change_password(&stranger, &hash(1), &hash(3), session_family(), at).await.unwrap(), None);
    assert_eq!(find(fixture, &new.id).await, before);
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(1)));
}

/// Whoever had the old one is out: no session is kept, not even one that was before.
pub async fn a_reset_password_ends_every_session_and_proves_the_address(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let mut before = create(fixture, &new).await;
    assert!(!before.user().email_verified);
    let (store, at) = (fixture.store(), later_than(new.created_at, 5));
    before.state = store.begin_session_epoch(&new.id, Some(session_family())).await.unwrap();
    let state = store.reset_password(&new.id, &hash(2), at).await.unwrap().expect("the user");
    assert_eq!(state, UserState { epoch: next(before.state.epoch), version: after(before.state), kept: None });
    before.state = state;
    before.profile.user.email_verified = true;
    before.profile.user.updated_at = at;
    assert_eq!(find(fixture, &new.id).await, before);
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(2)));
    assert_eq!(store.reset_password(&fixtures::user_id(), &hash(3), at).await.unwrap(), None);
}

fn next(epoch: SessionEpoch) -> SessionEpoch {
    SessionEpoch(epoch.0 + 1)
}

fn after(state: UserState) -> UserVersion {
    UserVersion(state.version.0 + 1)
}

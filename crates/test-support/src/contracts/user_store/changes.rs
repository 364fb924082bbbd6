//! Changes of a user, and how they are counted.

use markt_domain::user::{BuyerChanges, NewUser, SellerChanges, SessionEpoch, UserChanges, UserState};

use super::support::{Fixture, create, find, hash, hash_of, later_than, network, session_family};
use crate::fixtures;

/// Nothing else changes.
pub async fn a_proven_address_is_written_down(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    assert!(!before.user().email_verified);
    for later in [5, 10] {
        let at = later_than(new.created_at, later);
        let version = fixture.store().mark_email_verified(&new.id, at).await.unwrap();
        before.profile.user.email_verified = true;
        before.profile.user.updated_at = at;
        before.state.version = version.expect("the user");
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// The rest stays.
pub async fn what_a_change_of_the_user_names_is_changed(fixture: Fixture<'_>) {
    let new = NewUser { phone_number: Some("1".into()), ..fixtures::new_buyer() };
    let mut before = create(fixture, &new).await;
    let (phone_number, profile_picture) = (Some("+234 801 234 5678".to_owned()), Some("日本語.png".to_owned()));
    let changes = [
        UserChanges { phone_number: phone_number.clone(), ..UserChanges::default() },
        UserChanges { profile_picture: profile_picture.clone(), ..UserChanges::default() },
        UserChanges { phone_number: Some(String::new()), profile_picture: Some("a.png".into()) },
    ];
    for (number, changes) in changes.into_iter().enumerate() {
        let at = later_than(new.created_at, u64::try_from(number).unwrap() + 1);
        let version = fixture.store().update(&new.id, &changes, at).await.unwrap().expect("the user");
        assert_eq!(version.0, before.state.version.0 + 1);
        before.state.version = version;
        let user = &mut before.profile.user;
        user.phone_number = changes.phone_number.or_else(|| user.phone_number.clone());
        user.profile_picture = changes.profile_picture.or_else(|| user.profile_picture.clone());
        user.updated_at = at;
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// Nothing is written: not even that anything was.
pub async fn a_change_of_nothing_changes_nothing(fixture: Fixture<'_>) {
    let new = NewUser { seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
    create(fixture, &new).await;
    let (store, at) = (fixture.store(), later_than(new.created_at, 5));
    store.mark_email_verified(&new.id, new.created_at).await.unwrap();
    let before = find(fixture, &new.id).await;
    let version = before.state.version;
    assert_eq!(store.update(&new.id, &UserChanges::default(), at).await.unwrap(), Some(version));
    assert_eq!(store.update_buyer(&new.id, &BuyerChanges::default(), at).await.unwrap(), version);
    assert_eq!(store.update_seller(&new.id, &SellerChanges::default(), at).await.unwrap(), version);
    assert_eq!(find(fixture, &new.id).await, before);
}

/// Only the latter ends sessions: all of them.
pub async fn a_user_is_made_active_and_inactive(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    create(fixture, &new).await;
    let (store, kept) = (fixture.store(), session_family());
    store.begin_session_epoch(&new.id, Some(kept)).await.unwrap();
    for (later, active) in [(1, true), (2, false), (3, false), (4, true)] {
        let mut before = find(fixture, &new.id).await;
        let at = later_than(new.created_at, later);
        let state = store.set_active(&new.id, active, at).await.unwrap().expect("the user");
        assert_eq!(state.epoch.0, before.state.epoch.0 + i64::from(!active));
        assert_eq!(state.version.0, before.state.version.0 + 1);
        assert_eq!(state.kept, (later == 1).then_some(kept), "no session outlives a deactivation");
        before.state = state;
        before.profile.user.is_active = active;
        before.profile.user.updated_at = at;
        assert_eq!(find(fixture, &new.id).await, before);
    }
    assert_eq!(store.set_active(&fixtures::user_id(), true, fixtures::now()).await.unwrap(), None);
    assert_eq!(store.set_active(&fixtures::user_id(), false, fixtures::now()).await.unwrap(), None);
}

/// And is what is read from then on.
pub async fn a_new_session_epoch_follows_the_last(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    for _ in 0..3 {
        let state = fixture.store().begin_session_epoch(&new.id, None).await.unwrap();
        assert_eq!(state.epoch, SessionEpoch(before.state.epoch.0 + 1));
        before.state = state;
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// Until the next begins: it outlives that only if it is kept again. Other changes take nothing from it.
pub async fn the_session_that_outlives_an_epoch_is_the_one_that_was_named_last(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    create(fixture, &new).await;
    let (store, first, second) = (fixture.store(), session_family(), session_family());
    for keep in [None, Some(first), Some(first), Some(second), None, Some(first)] {
        let state = store.begin_session_epoch(&new.id, keep).await.unwrap();
        assert_eq!(state.kept, keep);
        store.record_login(&new.id, network(1), fixtures::now()).await.unwrap();
        assert_eq!(find(fixture, &new.id).await.state.kept, keep);
        let by_email = store.find_by_email(&new.email).await.unwrap().expect("the user");
        assert_eq!(by_email.account.state.kept, keep);
    }
}

/// Of this epoch only: who is late forgets nothing of a later one.
pub async fn the_session_that_outlived_an_epoch_can_be_forgotten(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    create(fixture, &new).await;
    let (store, kept) = (fixture.store(), session_family());
    let earlier = store.begin_session_epoch(&new.id, Some(kept)).await.unwrap();
    let state = store.begin_session_epoch(&new.id, Some(kept)).await.unwrap();
    store.forget_kept_session(&new.id, earlier.epoch).await.unwrap();
    assert_eq!(find(fixture, &new.id).await.state, state);
    store.forget_kept_session(&new.id, state.epoch).await.unwrap();
    assert_eq!(find(fixture, &new.id).await.state, UserState { kept: None, ..state });
    store.forget_kept_session(&fixtures::user_id(), state.epoch).await.unwrap();
}

/// So that a copy of the user can be told from the present one. What changes nothing counts nothing.
pub async fn each_change_counts_the_version_up_by_one(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let mut version = create(fixture, &new).await.state.version.0;
    let store = fixture.store();
    for _ in 0..2 {
        version += 1;
        assert_eq!(store.record_login(&new.id, network(1), fixtures::now()).await.unwrap().unwrap().0, version);
        version += 1;
        assert_eq!(store.mark_email_verified(&new.id, fixtures::now()).await.unwrap().unwrap().0, version);
        version += 1;
        assert_eq!(store.begin_session_epoch(&new.id, None).await.unwrap().version.0, version);
    }
    assert!(store.replace_password_hash(&new.id, &hash(1), &hash(2)).await.unwrap());
    version += 1;
    assert_eq!(find(fixture, &new.id).await.state.version.0, version);
    assert!(!store.replace_password_hash(&new.id, &hash(1), &hash(2)).await.unwrap());
    assert_eq!(find(fixture, &new.id).await.state.version.0, version);
}

/// And make no user.
pub async fn changes_of_an_unknown_user_change_nothing(fixture: Fixture<'_>) {
    let (store, stranger, at) = (fixture.store(), fixtures::user_id(), fixtures::now());
    assert_eq!(store.record_login(&stranger, network(1), at).await.unwrap(), None);
    assert_eq!(store.mark_email_verified(&stranger, at).await.unwrap(), None);
    assert!(!store.replace_password_hash(&stranger, &hash(1), &hash(2)).await.unwrap());
    let changes = UserChanges { phone_number: Some("1".into()), ..UserChanges::default() };
    assert_eq!(store.update(&stranger, &changes, at).await.unwrap(), None);
    assert_eq!(store.update(&stranger, &UserChanges::default(), at).await.unwrap(), None);
    assert!(store.is_empty().await.unwrap());
}

/// Each has counters of its own.
pub async fn changes_of_one_user_leave_the_others(fixture: Fixture<'_>) {
    let ann = NewUser { password_hash: hash(1), seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
    let bob = NewUser { password_hash: hash(1), seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
    create(fixture, &ann).await;
    let bobs = create(fixture, &bob).await;
    let (store, id, at) = (fixture.store(), &ann.id, later_than(ann.created_at, 5));
    store.record_login(id, network(1), at).await.unwrap();
    store.mark_email_verified(id, at).await.unwrap();
    store.replace_password_hash(id, &hash(1), &hash(2)).await.unwrap();
    store.change_password(id, &hash(2), &hash(3), session_family(), at).await.unwrap().expect("the user");
    store.reset_password(id, &hash(4), at).await.unwrap().expect("the user");
    store.begin_session_epoch(id, None).await.unwrap();
    let changes = UserChanges { phone_number: Some("1".into()), profile_picture: Some("a.png".into()) };
    store.update(id, &changes, at).await.unwrap().expect("the user");
    store.set_active(id, false, at).await.unwrap().expect("the user");
    store.update_buyer(id, &BuyerChanges { buyername: Some("A".into()), shipping_address: None }, at).await.unwrap();
    let changes = SellerChanges { shop_name: Some("A".into()), ..SellerChanges::default() };
    store.update_seller(id, &changes, at).await.unwrap();
    assert_eq!(find(fixture, &bob.id).await, bobs);
    assert_eq!(hash_of(fixture, &bob.email).await, Some(hash(1)));
}

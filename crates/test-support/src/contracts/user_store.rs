//! What every [`UserStore`] promises.
//!
//! ```ignore
//! user_store_contract!(over_sqlite, SqliteFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_sqlite`, in the way of
//! [`session_store`](crate::contracts::session_store).

mod races;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::ports::user_store::{CreateUserError, UserStore};
use markt_domain::role::Role;
use markt_domain::user::{Account, Address, NewBuyer, NewSeller, NewUser, SessionEpoch, UserId, VerificationStatus};
use serde_json::{Map, Value, json};

pub use races::*;

use crate::fixtures;

/// A store to be tested. It is the test's own, and begins without users. What must stay alive for it to work (a
/// temporary database) is held by the fixture, and goes with it.
#[async_trait]
pub trait UserStoreFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn UserStore>;

    /// A new category that sellers can sell in. Its number is no less than that of any before.
    async fn new_category(&self) -> i32;
}

/// Makes a test of each promise of a user store: `user_store_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::user_store`](crate::contracts::user_store).
#[macro_export]
macro_rules! user_store_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { user_store, $name, $make, [
            a_store_is_empty_until_a_user_is_made,
            a_created_buyer_is_found_whole,
            a_created_seller_is_found_whole,
            a_user_can_be_both_buyer_and_seller,
            what_is_left_out_stays_absent,
            an_address_without_any_part_is_an_address,
            what_create_returns_is_what_is_found,
            odd_texts_come_back_as_they_were,
            an_unknown_user_is_not_found,
            a_user_is_found_by_the_address_in_any_case,
            a_user_comes_with_the_hash_of_the_password,
            an_address_that_is_only_like_anothers_finds_nobody,
            a_username_is_taken_in_any_case,
            a_username_that_is_only_like_anothers_is_free,
            a_taken_address_is_refused_in_any_case_and_nothing_written,
            a_taken_username_is_refused_in_any_case_and_nothing_written,
            a_taken_id_is_refused_and_its_user_left_alone,
            unknown_categories_are_named_and_nothing_written,
            shops_of_the_same_name_have_slugs_of_their_own,
            a_shop_has_a_slug_whatever_its_name,
            a_login_is_written_down,
            a_proven_address_is_written_down,
            a_hash_is_replaced_if_it_is_still_the_old_one,
            a_new_session_epoch_follows_the_last,
            each_change_counts_the_version_up_by_one,
            changes_of_an_unknown_user_change_nothing,
            changes_of_one_user_leave_the_others,
            of_many_users_with_one_address_one_is_made,
            of_many_users_with_one_username_one_is_made,
            of_many_users_with_one_id_one_is_made,
            of_many_shops_with_one_name_all_are_made,
            of_many_replacements_of_one_hash_one_happens,
            concurrent_changes_lose_no_version,
            concurrent_epochs_are_all_different,
        ] }
    };
}

type Fixture<'a> = &'a dyn UserStoreFixture;

/// As a service sees that begins.
pub async fn a_store_is_empty_until_a_user_is_made(fixture: Fixture<'_>) {
    assert!(fixture.store().is_empty().await.unwrap());
    create(fixture, &fixtures::new_buyer()).await;
    assert!(!fixture.store().is_empty().await.unwrap());
}

/// With everything that can be said of one.
pub async fn a_created_buyer_is_found_whole(fixture: Fixture<'_>) {
    let new = NewUser {
        email_verified: true,
        phone_number: Some("+234 801 234 5678".into()),
        address: Some(address()),
        buyer: Some(NewBuyer {
            buyername: "Ann".into(),
            shipping_address: Some(object(json!({"street": "Main", "lines": [1, null, {"x": 1.5}]}))),
        }),
        ..fixtures::new_buyer()
    };
    create(fixture, &new).await;
    let Account { profile, .. } = find(fixture, &new.id).await;

    let user = profile.user;
    assert_eq!(user.id, new.id);
    assert_eq!(user.email.as_str(), new.email.as_str());
    assert_eq!(user.username.as_str(), new.username.as_str());
    assert_eq!(user.phone_number, new.phone_number);
    assert!(user.is_active && user.email_verified);
    assert!(user.has_role(Role::Buyer) && !user.has_role(Role::Seller));
    assert_eq!((user.created_at, user.updated_at, user.last_login_at), (new.created_at, new.created_at, None));

    assert_eq!(profile.address, new.address);
    let buyer = profile.buyer.expect("a buyer");
    assert_eq!(buyer.buyername.as_deref(), Some("Ann"));
    assert_eq!(buyer.shipping_address, new.buyer.unwrap().shipping_address.map(Value::Object));
    assert!(buyer.is_active);
    assert_eq!(buyer.created_at, new.created_at);
    assert_eq!(profile.seller, None);
}

/// With everything that can be said of one.
pub async fn a_created_seller_is_found_whole(fixture: Fixture<'_>) {
    let (first, second, third) =
        (fixture.new_category().await, fixture.new_category().await, fixture.new_category().await);
    let shop = NewSeller {
        shop_name: "Ann's Fine Things".into(),
        description: "Fine things, finely made".into(),
        policies: Some(object(json!({"returns": "30 days"}))),
        category_ids: vec![second, third, first],
    };
    let new = NewUser { seller: Some(shop), ..fixtures::new_seller() };
    create(fixture, &new).await;
    let Account { profile, .. } = find(fixture, &new.id).await;

    assert!(!profile.user.email_verified);
    assert!(profile.user.has_role(Role::Seller) && !profile.user.has_role(Role::Buyer));
    assert_eq!(profile.buyer, None);
    let seller = profile.seller.expect("a seller");
    assert_eq!(seller.shop_name.as_deref(), Some("Ann's Fine Things"));
    assert_eq!(seller.description.as_deref(), Some("Fine things, finely made"));
    assert_eq!(seller.policies, Some(json!({"returns": "30 days"})));
    assert_eq!(seller.verification_status, VerificationStatus::Unverified);
    assert_eq!(seller.category_ids[0], second, "the primary one comes first");
    assert_eq!(sorted(seller.category_ids), sorted(vec![first, second, third]));
    assert_eq!((seller.total_rating, seller.total_raters), (0, 0));
    assert!(seller.is_active);
    assert_eq!(seller.joined_date, new.created_at);
}

/// In one go.
pub async fn a_user_can_be_both_buyer_and_seller(fixture: Fixture<'_>) {
    let new = NewUser { seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
    create(fixture, &new).await;
    let Account { profile, .. } = find(fixture, &new.id).await;
    assert!(profile.user.has_role(Role::Buyer) && profile.user.has_role(Role::Seller));
    assert!(profile.buyer.is_some() && profile.seller.is_some());
}

/// Not empty texts, nor empty objects.
pub async fn what_is_left_out_stays_absent(fixture: Fixture<'_>) {
    let (buyer, seller) = (fixtures::new_buyer(), fixtures::new_seller());
    create(fixture, &buyer).await;
    create(fixture, &seller).await;
    let found = find(fixture, &buyer.id).await.profile;
    assert_eq!((found.user.phone_number, found.address), (None, None));
    assert_eq!(found.buyer.expect("a buyer").shipping_address, None);
    let shop = find(fixture, &seller.id).await.profile.seller.expect("a seller");
    assert_eq!((shop.policies, shop.category_ids), (None, Vec::new()));
}

/// As it was given, so it is kept.
pub async fn an_address_without_any_part_is_an_address(fixture: Fixture<'_>) {
    let new = NewUser { address: Some(Address::default()), ..fixtures::new_buyer() };
    create(fixture, &new).await;
    assert_eq!(find(fixture, &new.id).await.profile.address, Some(Address::default()));
}

/// The number of an account, say.
pub async fn what_create_returns_is_what_is_found(fixture: Fixture<'_>) {
    let category = fixture.new_category().await;
    let mut shop = fixtures::new_seller().seller.unwrap();
    shop.category_ids = vec![category];
    let new = NewUser { seller: Some(shop), address: Some(address()), ..fixtures::new_buyer() };
    let created = create(fixture, &new).await;
    assert_eq!(created, find(fixture, &new.id).await);
    assert_eq!(created.profile.user.email.as_str(), new.email.as_str());
}

/// Whatever a person, or somebody who means harm, may write.
pub async fn odd_texts_come_back_as_they_were(fixture: Fixture<'_>) {
    for text in ["'; DROP TABLE users; --", "\"\\%_$1?", "Piña 日本語 🦀", " spaces ", "null"] {
        let new = NewUser {
            phone_number: Some(text.chars().take(20).collect()),
            buyer: Some(NewBuyer { buyername: text.into(), shipping_address: Some(object(json!({ text: text }))) }),
            ..fixtures::new_buyer()
        };
        create(fixture, &new).await;
        let found = find(fixture, &new.id).await.profile;
        assert_eq!(found.user.phone_number, new.phone_number);
        let buyer = found.buyer.expect("a buyer");
        assert_eq!(buyer.buyername.as_deref(), Some(text));
        assert_eq!(buyer.shipping_address, Some(json!({ text: text })));
    }
}

/// Not found is no error.
pub async fn an_unknown_user_is_not_found(fixture: Fixture<'_>) {
    create(fixture, &fixtures::new_buyer()).await;
    let stranger = fixtures::new_buyer();
    assert_eq!(fixture.store().find(&stranger.id).await.unwrap(), None);
    assert!(fixture.store().find_by_email(&stranger.email).await.unwrap().is_none());
    assert!(!fixture.store().is_username_taken(&stranger.username).await.unwrap());
}

/// And shows it as its owner wrote it.
pub async fn a_user_is_found_by_the_address_in_any_case(fixture: Fixture<'_>) {
    let new = with_email(&mixed_case(&fixtures::new_buyer().email));
    create(fixture, &new).await;
    let written = new.email.as_str();
    for text in [written.to_owned(), written.to_lowercase(), written.to_uppercase()] {
        let found = fixture.store().find_by_email(&email(&text)).await.unwrap().expect("the user");
        assert_eq!(found.account, find(fixture, &new.id).await);
        assert_eq!(found.account.user().email.as_str(), written);
    }
}

/// For login.
pub async fn a_user_comes_with_the_hash_of_the_password(fixture: Fixture<'_>) {
    for number in 0..2 {
        let new = NewUser { password_hash: hash(number), ..fixtures::new_buyer() };
        create(fixture, &new).await;
        assert_eq!(hash_of(fixture, &new.email).await, Some(hash(number)));
    }
}

/// `_` and `%` stand for themselves.
pub async fn an_address_that_is_only_like_anothers_finds_nobody(fixture: Fixture<'_>) {
    create(fixture, &with_email(&email("ann_lee@example.com"))).await;
    for text in ["annxlee@example.com", "ann%@example.com", "%@example.com", "ann_lee@example.co"] {
        assert!(fixture.store().find_by_email(&email(text)).await.unwrap().is_none(), "{text}");
    }
}

/// As usernames are compared.
pub async fn a_username_is_taken_in_any_case(fixture: Fixture<'_>) {
    let new = with_username("Ann_Lee");
    create(fixture, &new).await;
    assert_eq!(find(fixture, &new.id).await.user().username.as_str(), "Ann_Lee");
    for text in ["Ann_Lee", "ann_lee", "ANN_LEE"] {
        assert!(fixture.store().is_username_taken(&username(text)).await.unwrap(), "{text}");
    }
}

/// `_` stands for itself.
pub async fn a_username_that_is_only_like_anothers_is_free(fixture: Fixture<'_>) {
    create(fixture, &with_username("ann_lee")).await;
    for text in ["annxlee", "ann_le", "ann_leee", "___"] {
        assert!(!fixture.store().is_username_taken(&username(text)).await.unwrap(), "{text}");
    }
}

/// Neither the user nor what would belong to it.
pub async fn a_taken_address_is_refused_in_any_case_and_nothing_written(fixture: Fixture<'_>) {
    let first = fixtures::new_buyer();
    create(fixture, &first).await;
    for text in [first.email.as_str().to_owned(), first.email.as_str().to_uppercase()] {
        let second = NewUser { email: email(&text), ..fixtures::new_seller() };
        let refused = fixture.store().create(&second).await;
        assert!(matches!(refused, Err(CreateUserError::EmailTaken)), "{refused:?}");
        assert_absent(fixture, &second).await;
    }
    // Nothing is left of the attempts that would be in the way.
    create(fixture, &fixtures::new_seller()).await;
    assert_eq!(fixture.store().find_by_email(&first.email).await.unwrap().unwrap().account.user().id, first.id);
}

/// Neither the user nor what would belong to it.
pub async fn a_taken_username_is_refused_in_any_case_and_nothing_written(fixture: Fixture<'_>) {
    let first = fixtures::new_buyer();
    create(fixture, &first).await;
    for text in [first.username.as_str().to_owned(), first.username.as_str().to_uppercase()] {
        let second = NewUser { username: username(&text), ..fixtures::new_seller() };
        let refused = fixture.store().create(&second).await;
        assert!(matches!(refused, Err(CreateUserError::UsernameTaken)), "{refused:?}");
        assert_absent(fixture, &second).await;
        assert!(fixture.store().find_by_email(&second.email).await.unwrap().is_none());
    }
}

/// Another can be drawn.
pub async fn a_taken_id_is_refused_and_its_user_left_alone(fixture: Fixture<'_>) {
    let first = fixtures::new_buyer();
    let before = create(fixture, &first).await;
    let second = NewUser { id: first.id.clone(), ..fixtures::new_seller() };
    let refused = fixture.store().create(&second).await;
    assert!(matches!(refused, Err(CreateUserError::IdTaken)), "{refused:?}");
    assert_eq!(find(fixture, &first.id).await, before);
    assert!(fixture.store().find_by_email(&second.email).await.unwrap().is_none());
    // With another id, the same user can be made.
    create(fixture, &NewUser { id: fixtures::user_id(), ..second }).await;
}

/// All of them at once.
pub async fn unknown_categories_are_named_and_nothing_written(fixture: Fixture<'_>) {
    let known = fixture.new_category().await;
    let (unknown, unknown_too) = (known + 1000, known + 2000);
    let mut shop = fixtures::new_seller().seller.unwrap();
    shop.category_ids = vec![unknown_too, known, unknown];
    let new = NewUser { seller: Some(shop), ..fixtures::new_seller() };
    match fixture.store().create(&new).await {
        Err(CreateUserError::UnknownCategories(ids)) => assert_eq!(sorted(ids), [unknown, unknown_too]),
        other => panic!("{other:?}"),
    }
    assert_absent(fixture, &new).await;
    assert!(fixture.store().is_empty().await.unwrap());
}

/// Unique, and fit for a URL.
pub async fn shops_of_the_same_name_have_slugs_of_their_own(fixture: Fixture<'_>) {
    let mut slugs = HashSet::new();
    for name in ["Ann's Shop", "ann's shop", "Ann's   Shop!", "Ann's Shop", "Ann's Shop 2", "Ann's Shop-2"] {
        let slug = slug_of(&create(fixture, &with_shop(name)).await);
        assert!(slug.starts_with("ann"), "{slug}");
        assert!(slugs.insert(slug));
    }
}

/// Even one that has no letter of the URL's.
pub async fn a_shop_has_a_slug_whatever_its_name(fixture: Fixture<'_>) {
    for name in ["日本語", "!", &"x".repeat(100), &"ab ".repeat(33), "日本語", &"x".repeat(100)] {
        let slug = slug_of(&create(fixture, &with_shop(name)).await);
        assert!((1..=110).contains(&slug.len()), "{slug}");
    }
}

/// The time, to the millisecond.
pub async fn a_login_is_written_down(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    for later in [1, 60_000, 86_400_999] {
        let at = later_than(new.created_at, later);
        let version = fixture.store().record_login(&new.id, at).await.unwrap();
        before.profile.user.last_login_at = Some(at);
        before.profile.user.updated_at = at;
        before.state.version = version.expect("the user");
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

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

/// And is what is read from then on.
pub async fn a_new_session_epoch_follows_the_last(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    for _ in 0..3 {
        let state = fixture.store().begin_session_epoch(&new.id).await.unwrap();
        assert_eq!(state.epoch, SessionEpoch(before.state.epoch.0 + 1));
        before.state = state;
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// So that a copy of the user can be told from the present one. What changes nothing counts nothing.
pub async fn each_change_counts_the_version_up_by_one(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let mut version = create(fixture, &new).await.state.version.0;
    let store = fixture.store();
    for _ in 0..2 {
        version += 1;
        assert_eq!(store.record_login(&new.id, fixtures::now()).await.unwrap().unwrap().0, version);
        version += 1;
        assert_eq!(store.mark_email_verified(&new.id, fixtures::now()).await.unwrap().unwrap().0, version);
        version += 1;
        assert_eq!(store.begin_session_epoch(&new.id).await.unwrap().version.0, version);
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
    assert_eq!(store.record_login(&stranger, at).await.unwrap(), None);
    assert_eq!(store.mark_email_verified(&stranger, at).await.unwrap(), None);
    assert!(!store.replace_password_hash(&stranger, &hash(1), &hash(2)).await.unwrap());
    assert!(store.is_empty().await.unwrap());
}

/// Each has counters of its own.
pub async fn changes_of_one_user_leave_the_others(fixture: Fixture<'_>) {
    let ann = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    let bob = NewUser { password_hash: hash(1), ..fixtures::new_buyer() };
    create(fixture, &ann).await;
    let bobs = create(fixture, &bob).await;
    let store = fixture.store();
    store.record_login(&ann.id, fixtures::now()).await.unwrap();
    store.mark_email_verified(&ann.id, fixtures::now()).await.unwrap();
    store.replace_password_hash(&ann.id, &hash(1), &hash(2)).await.unwrap();
    store.begin_session_epoch(&ann.id).await.unwrap();
    assert_eq!(find(fixture, &bob.id).await, bobs);
    assert_eq!(hash_of(fixture, &bob.email).await, Some(hash(1)));
}

fn address() -> Address {
    Address {
        longitude: Some(3.379_206),
        latitude: Some(-6.524_379),
        house_number: Some("12b".into()),
        street: Some("Allen Avenue".into()),
        city: Some("Lagos".into()),
        state: Some("Lagos".into()),
        country: Some("Nigeria".into()),
        postal_code: Some("100271".into()),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn hash(number: usize) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA{number}"))
}

fn with_email(email: &EmailAddress) -> NewUser {
    NewUser { email: email.clone(), ..fixtures::new_buyer() }
}

fn with_username(text: &str) -> NewUser {
    NewUser { username: username(text), ..fixtures::new_buyer() }
}

fn with_shop(name: &str) -> NewUser {
    let shop = NewSeller { shop_name: name.into(), ..fixtures::new_seller().seller.unwrap() };
    NewUser { seller: Some(shop), ..fixtures::new_seller() }
}

fn mixed_case(address: &EmailAddress) -> EmailAddress {
    case_by(0b1010_1010_1010, address)
}

/// The same address, with the letters in upper case that the number's bits say.
fn case_by(number: usize, address: &EmailAddress) -> EmailAddress {
    let raised = |(place, letter): (usize, char)| {
        if number >> (place % 12) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    email(&address.as_str().chars().enumerate().map(raised).collect::<String>())
}

fn later_than(time: Timestamp, milliseconds: u64) -> Timestamp {
    time.plus(Duration::from_millis(milliseconds))
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values
}

fn slug_of(account: &Account) -> String {
    let slug = account.profile.seller.as_ref().and_then(|seller| seller.shop_slug.clone()).expect("a slug");
    let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    assert!(slug.bytes().all(fit), "{slug:?}");
    slug
}

async fn create(fixture: Fixture<'_>, user: &NewUser) -> Account {
    fixture.store().create(user).await.unwrap()
}

async fn find(fixture: Fixture<'_>, id: &UserId) -> Account {
    fixture.store().find(id).await.unwrap().expect("a user that is there")
}

async fn hash_of(fixture: Fixture<'_>, email: &EmailAddress) -> Option<PasswordHash> {
    fixture.store().find_by_email(email).await.unwrap().expect("a user that is there").password_hash
}

/// There is nothing by this user's id or, if it isn't another's, its name.
async fn assert_absent(fixture: Fixture<'_>, user: &NewUser) {
    assert_eq!(fixture.store().find(&user.id).await.unwrap(), None);
    if let Some(found) = fixture.store().find_by_email(&user.email).await.unwrap() {
        assert_ne!(found.account.user().id, user.id);
    }
}

//! What the suite's promises are checked with.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::client::Network;
use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::session::{SessionFamily, SessionSecret};
use markt_domain::user::{Account, Address, NewSeller, NewUser, UserId};
use serde_json::{Map, Value};

use super::UserStoreFixture;
use crate::entropy::MachineEntropy;
use crate::fixtures;

pub(super) type Fixture<'a> = &'a dyn UserStoreFixture;

pub(super) fn address() -> Address {
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

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub(super) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(super) fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn hash(number: usize) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA{number}"))
}

pub(super) fn with_email(email: &EmailAddress) -> NewUser {
    NewUser { email: email.clone(), ..fixtures::new_buyer() }
}

pub(super) fn with_username(text: &str) -> NewUser {
    NewUser { username: username(text), ..fixtures::new_buyer() }
}

pub(super) fn with_shop(name: &str) -> NewUser {
    let shop = NewSeller { shop_name: name.into(), ..fixtures::new_seller().seller.unwrap() };
    NewUser { seller: Some(shop), ..fixtures::new_seller() }
}

pub(super) fn mixed_case(address: &EmailAddress) -> EmailAddress {
    case_by(0b1010_1010_1010, address)
}

/// The same address, with the letters in upper case that the number's bits say.
pub(super) fn case_by(number: usize, address: &EmailAddress) -> EmailAddress {
    let raised = |(place, letter): (usize, char)| {
        if number >> (place % 12) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
    };
    email(&address.as_str().chars().enumerate().map(raised).collect::<String>())
}

pub(super) fn later_than(time: Timestamp, milliseconds: u64) -> Timestamp {
    time.plus(Duration::from_millis(milliseconds))
}

pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values
}

pub(super) fn slug_of(account: &Account) -> String {
    let slug = account.profile.seller.as_ref().and_then(|seller| seller.shop_slug.clone()).expect("a slug");
    let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    assert!(slug.bytes().all(fit), "{slug:?}");
    slug
}

pub(super) async fn create(fixture: Fixture<'_>, user: &NewUser) -> Account {
    fixture.store().create(user).await.unwrap()
}

pub(super) async fn find(fixture: Fixture<'_>, id: &UserId) -> Account {
    fixture.store().find(id).await.unwrap().expect("a user that is there")
}

pub(super) async fn hash_of(fixture: Fixture<'_>, email: &EmailAddress) -> Option<PasswordHash> {
    fixture.store().find_by_email(email).await.unwrap().expect("a user that is there").password_hash
}

/// There is nothing by this user's id or, if it isn't another's, its name.
pub(super) async fn assert_absent(fixture: Fixture<'_>, user: &NewUser) {
    assert_eq!(fixture.store().find(&user.id).await.unwrap(), None);
    if let Some(found) = fixture.store().find_by_email(&user.email).await.unwrap() {
        assert_ne!(found.account.user().id, user.id);
    }
}

/// A session's id that nobody has.
pub(super) fn session_family() -> SessionFamily {
    SessionSecret::generate(&MachineEntropy).id().family()
}

/// A network; another for another number.
pub(super) fn network(number: u8) -> Network {
    Network::of([192, 0, 2, number].into())
}

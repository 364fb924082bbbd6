//! Users that are looked for.

use markt_domain::user::NewUser;

use super::support::{Fixture, create, email, find, hash, hash_of, mixed_case, username, with_email, with_username};
use crate::fixtures;

/// As a service sees that begins.
pub async fn a_store_is_empty_until_a_user_is_made(fixture: Fixture<'_>) {
    assert!(fixture.store().is_empty().await.unwrap());
    create(fixture, &fixtures::new_buyer()).await;
    assert!(!fixture.store().is_empty().await.unwrap());
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

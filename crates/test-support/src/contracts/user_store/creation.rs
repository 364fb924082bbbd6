//! Users that are made, and what is in the way of it.

use std::collections::HashSet;

use markt_domain::ports::user_store::CreateUserError;
use markt_domain::role::Role;
use markt_domain::user::{Account, Address, NewBuyer, NewSeller, NewUser, VerificationStatus};
use serde_json::{Value, json};

use super::support::{
    Fixture, address, assert_absent, create, email, find, object, slug_of, sorted, username, with_shop,
};
use crate::fixtures;

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

    assert_eq!(profile.address.as_deref(), new.address.as_ref());
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
    assert_eq!(find(fixture, &new.id).await.profile.address, Some(Box::default()));
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

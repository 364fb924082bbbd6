//! Accounts as a buyer or a seller that are made or changed later.

use markt_domain::ports::user_store::AccountError;
use markt_domain::role::Role;
use markt_domain::user::{BuyerChanges, NewBuyer, NewSeller, NewUser, SellerChanges, UserId, VerificationStatus};
use serde_json::{Value, json};

use super::support::{Fixture, create, find, later_than, object, slug_of, sorted, with_shop};
use crate::fixtures;

/// The user has the role from then on.
pub async fn a_seller_becomes_a_buyer_too(fixture: Fixture<'_>) {
    let new = fixtures::new_seller();
    let before = create(fixture, &new).await;
    let buyer = NewBuyer {
        buyername: "Piña".into(),
        shipping_address: Some(object(json!({"street": "Main", "lines": [1, null]}))),
    };
    let at = later_than(new.created_at, 5);
    let version = fixture.store().create_buyer(&new.id, &buyer, at).await.unwrap();
    assert_eq!(version.0, before.state.version.0 + 1);
    let account = find(fixture, &new.id).await;
    assert_eq!(account.state.version, version);
    assert!(account.user().has_role(Role::Buyer) && account.user().has_role(Role::Seller));
    assert_eq!(account.user().updated_at, at);
    assert_eq!(account.profile.seller, before.profile.seller);
    let made = account.profile.buyer.expect("a buyer");
    assert_eq!(made.buyername.as_deref(), Some("Piña"));
    assert_eq!(made.shipping_address, buyer.shipping_address.map(Value::Object));
    assert!(made.is_active);
    assert_eq!(made.created_at, at);
}

/// The user has the role from then on.
pub async fn a_buyer_becomes_a_seller_too(fixture: Fixture<'_>) {
    let (first, second) = (fixture.new_category().await, fixture.new_category().await);
    create(fixture, &with_shop("Fine Things")).await;
    let new = fixtures::new_buyer();
    let before = create(fixture, &new).await;
    let seller = NewSeller {
        shop_name: "Fine Things".into(),
        description: "Finely made".into(),
        policies: Some(object(json!({"returns": "30 days"}))),
        category_ids: vec![second, first],
    };
    let at = later_than(new.created_at, 5);
    let version = fixture.store().create_seller(&new.id, &seller, at).await.unwrap();
    assert_eq!(version.0, before.state.version.0 + 1);
    let account = find(fixture, &new.id).await;
    assert_eq!(account.state.version, version);
    assert!(account.user().has_role(Role::Buyer) && account.user().has_role(Role::Seller));
    assert_eq!(account.user().updated_at, at);
    assert_eq!(account.profile.buyer, before.profile.buyer);
    assert_eq!(slug_of(&account), "fine-things-2", "the name is another's already");
    let made = account.profile.seller.expect("a seller");
    assert_eq!(made.shop_name.as_deref(), Some("Fine Things"));
    assert_eq!(made.description.as_deref(), Some("Finely made"));
    assert_eq!(made.policies, Some(json!({"returns": "30 days"})));
    assert_eq!(made.verification_status, VerificationStatus::Unverified);
    assert_eq!(made.category_ids, [second, first]);
    assert_eq!((made.total_rating, made.total_raters, made.is_active), (0, 0, true));
    assert_eq!(made.joined_date, at);
}

/// And stays as it is.
pub async fn an_account_that_is_there_is_not_made_again(fixture: Fixture<'_>) {
    let new = NewUser { seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
    let before = create(fixture, &new).await;
    let (store, at) = (fixture.store(), later_than(new.created_at, 5));
    let buyer = NewBuyer { buyername: "Other".into(), shipping_address: None };
    let refused = store.create_buyer(&new.id, &buyer, at).await;
    assert!(matches!(refused, Err(AccountError::Exists)), "{refused:?}");
    let seller = NewSeller { shop_name: "Other".into(), ..fixtures::new_seller().seller.unwrap() };
    let refused = store.create_seller(&new.id, &seller, at).await;
    assert!(matches!(refused, Err(AccountError::Exists)), "{refused:?}");
    assert_eq!(find(fixture, &new.id).await, before);
}

/// Each of the ways to make or change one.
pub async fn without_a_user_there_is_no_account(fixture: Fixture<'_>) {
    create(fixture, &fixtures::new_buyer()).await;
    let (store, stranger, at) = (fixture.store(), fixtures::user_id(), fixtures::now());
    let made = [
        store.create_buyer(&stranger, &fixtures::new_buyer().buyer.unwrap(), at).await,
        store.create_seller(&stranger, &fixtures::new_seller().seller.unwrap(), at).await,
    ];
    for result in made.into_iter().chain(change_both(fixture, &stranger).await) {
        assert!(matches!(result, Err(AccountError::Missing)), "{result:?}");
    }
    assert_eq!(store.find(&stranger).await.unwrap(), None);
}

/// A change makes none, whether it changes anything or not.
pub async fn an_account_that_is_not_there_cant_be_changed(fixture: Fixture<'_>) {
    let (buyer, seller) = (fixtures::new_buyer(), fixtures::new_seller());
    for new in [&buyer, &seller] {
        let before = create(fixture, new).await;
        let results = change_both(fixture, &new.id).await;
        let missing = results.iter().filter(|result| matches!(result, Err(AccountError::Missing))).count();
        assert_eq!(missing, results.len() / 2, "{results:?}");
        let after = find(fixture, &new.id).await.profile;
        assert_eq!(after.buyer.is_some(), before.profile.buyer.is_some());
        assert_eq!(after.seller.is_some(), before.profile.seller.is_some());
    }
}

/// The rest stays.
pub async fn what_a_change_of_a_buyer_names_is_changed(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    let address = json!({"street": "Main", "lines": [1, null, {"x": 1.5}]});
    let changes = [
        BuyerChanges { buyername: Some("'; DROP TABLE buyers; --".into()), ..BuyerChanges::default() },
        BuyerChanges { shipping_address: Some(object(address)), ..BuyerChanges::default() },
        BuyerChanges { buyername: Some("Ann".into()), shipping_address: Some(object(json!({}))) },
    ];
    for changes in changes {
        let at = later_than(new.created_at, 5);
        let version = fixture.store().update_buyer(&new.id, &changes, at).await.unwrap();
        assert_eq!(version.0, before.state.version.0 + 1);
        before.state.version = version;
        let buyer = before.profile.buyer.as_mut().unwrap();
        buyer.buyername = changes.buyername.or_else(|| buyer.buyername.clone());
        buyer.shipping_address = changes.shipping_address.map(Value::Object).or_else(|| buyer.shipping_address.clone());
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// The rest stays, the shop's name in URLs too.
pub async fn what_a_change_of_a_seller_names_is_changed(fixture: Fixture<'_>) {
    let new = fixtures::new_seller();
    let mut before = create(fixture, &new).await;
    let changes = [
        SellerChanges { shop_name: Some("Another Shop".into()), ..SellerChanges::default() },
        SellerChanges { description: Some("日本語".into()), ..SellerChanges::default() },
        SellerChanges { policies: Some(object(json!({"returns": [1, 2]}))), ..SellerChanges::default() },
    ];
    for changes in changes {
        let at = later_than(new.created_at, 5);
        let version = fixture.store().update_seller(&new.id, &changes, at).await.unwrap();
        assert_eq!(version.0, before.state.version.0 + 1);
        before.state.version = version;
        let seller = before.profile.seller.as_mut().unwrap();
        seller.shop_name = changes.shop_name.or_else(|| seller.shop_name.clone());
        seller.description = changes.description.or_else(|| seller.description.clone());
        seller.policies = changes.policies.map(Value::Object).or_else(|| seller.policies.clone());
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// The primary one first; of another seller, none changes.
pub async fn a_sellers_categories_are_replaced(fixture: Fixture<'_>) {
    let (first, second, third) =
        (fixture.new_category().await, fixture.new_category().await, fixture.new_category().await);
    let (new, other) = (with_categories(vec![first, second]), with_categories(vec![first, second]));
    create(fixture, &new).await;
    create(fixture, &other).await;
    for category_ids in [vec![third, second], vec![second, first, third], vec![second], vec![], vec![third, first]] {
        let changes = SellerChanges { category_ids: Some(category_ids.clone()), ..SellerChanges::default() };
        let version = fixture.store().update_seller(&new.id, &changes, new.created_at).await.unwrap();
        let account = find(fixture, &new.id).await;
        assert_eq!(account.state.version, version);
        let found = account.profile.seller.unwrap().category_ids;
        assert_eq!(found.first(), category_ids.first(), "the primary one comes first");
        assert_eq!(sorted(found), sorted(category_ids));
    }
    let others = find(fixture, &other.id).await.profile.seller.unwrap().category_ids;
    assert_eq!(others, [first, second]);
}

/// Neither of the account nor of anything else.
pub async fn with_unknown_categories_no_account_is_made_or_changed(fixture: Fixture<'_>) {
    let known = fixture.new_category().await;
    let unknown = known + 1000;
    let (buyer, seller) = (fixtures::new_buyer(), with_categories(vec![known]));
    let (buyer_before, seller_before) = (create(fixture, &buyer).await, create(fixture, &seller).await);
    let (store, at) = (fixture.store(), later_than(seller.created_at, 5));

    let shop = with_categories(vec![known, unknown]).seller.unwrap();
    let changes = SellerChanges {
        shop_name: Some("Other".into()),
        category_ids: Some(vec![unknown, known]),
        ..SellerChanges::default()
    };
    let results =
        [store.create_seller(&buyer.id, &shop, at).await, store.update_seller(&seller.id, &changes, at).await];
    for result in results {
        match result {
            Err(AccountError::UnknownCategories(ids)) => assert_eq!(ids, [unknown]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(find(fixture, &buyer.id).await, buyer_before);
    assert_eq!(find(fixture, &seller.id).await, seller_before);
}

fn with_categories(category_ids: Vec<i32>) -> NewUser {
    let shop = NewSeller { category_ids, ..fixtures::new_seller().seller.unwrap() };
    NewUser { seller: Some(shop), ..fixtures::new_seller() }
}

/// Changes the user's account as a buyer, and the one as a seller, by something and by nothing.
async fn change_both(fixture: Fixture<'_>, id: &UserId) -> Vec<Result<markt_domain::user::UserVersion, AccountError>> {
    let (store, at) = (fixture.store(), fixtures::now());
    let buyername = BuyerChanges { buyername: Some("Other".into()), ..BuyerChanges::default() };
    let shop_name = SellerChanges { shop_name: Some("Other".into()), ..SellerChanges::default() };
    vec![
        store.update_buyer(id, &buyername, at).await,
        store.update_buyer(id, &BuyerChanges::default(), at).await,
        store.update_seller(id, &shop_name, at).await,
        store.update_seller(id, &SellerChanges::default(), at).await,
    ]
}

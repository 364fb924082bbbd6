//! What the user store does beyond its contract.

use markt_domain::ports::user_store::UserStore as _;
use markt_domain::user::{NewSeller, NewUser};
use markt_test_support::fixtures;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_new_user_has_the_default_picture() {
    for fixture in Fixture::both().await {
        let account = fixture.users().create(&fixtures::new_buyer()).await.unwrap();
        assert_eq!(account.user().profile_picture.as_deref(), Some("default.jpg"));
    }
}

#[tokio::test]
async fn slugs_are_numbered_in_the_order_of_the_shops() {
    for fixture in Fixture::both().await {
        let mut slugs = Vec::new();
        // More than are looked up in one go.
        for _ in 0..19 {
            let account = fixture.users().create(&fixtures::new_seller()).await.unwrap();
            slugs.push(account.profile.seller.unwrap().shop_slug.unwrap());
        }
        assert_eq!(slugs[..3], ["ann-s-shop", "ann-s-shop-2", "ann-s-shop-3"]);
        assert_eq!(slugs[18], "ann-s-shop-19");
    }
}

#[tokio::test]
async fn a_shop_without_a_letter_of_the_urls_is_called_after_its_user() {
    for fixture in Fixture::both().await {
        let shop = NewSeller { shop_name: "日本語".into(), ..fixtures::new_seller().seller.unwrap() };
        let new = NewUser { seller: Some(shop), ..fixtures::new_seller() };
        let seller = fixture.users().create(&new).await.unwrap().profile.seller.unwrap();
        assert_eq!(seller.shop_slug.unwrap(), new.id.as_str().to_lowercase().replace('_', "-"));
    }
}

/// A row that a session's end needs must not be reset when a user's id is used again.
#[tokio::test]
async fn a_user_of_a_deleted_users_id_goes_on_with_the_counters() {
    for fixture in Fixture::both().await {
        let new = fixtures::new_buyer();
        let users = fixture.users();
        users.create(&new).await.unwrap();
        let state = users.begin_session_epoch(&new.id).await.unwrap();
        let raw = fixture.server.raw().await;
        raw.execute("DELETE FROM buyers").await;
        raw.execute("DELETE FROM users").await;
        assert_eq!(users.create(&new).await.unwrap().state, state);
    }
}

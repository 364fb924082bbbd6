//! What the user store does beyond its contract.

use std::time::Duration;

use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::user_store::{AccountError, KNOWN_NETWORKS, UserStore as _};
use markt_domain::user::{BuyerChanges, NewSeller, NewUser, SellerChanges};
use markt_test_support::fixtures;

use crate::fixture::{Fixture, network};

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
        let state = users.begin_session_epoch(&new.id, None).await.unwrap();
        let raw = fixture.server.raw().await;
        raw.execute("DELETE FROM buyers").await;
        raw.execute("DELETE FROM users").await;
        assert_eq!(users.create(&new).await.unwrap().state, state);
    }
}

/// An operator may have begun it, as the manual says, or a node of an earlier version, which knows of nothing kept.
#[tokio::test]
async fn a_session_that_was_kept_is_not_kept_in_an_epoch_that_others_begin() {
    for fixture in Fixture::both().await {
        let new = fixtures::new_buyer();
        let users = fixture.users();
        users.create(&new).await.unwrap();
        let kept = Some(fixtures::session(&new.id).family);
        assert_eq!(users.begin_session_epoch(&new.id, kept).await.unwrap().kept, kept);
        let raw = fixture.server.raw().await;
        raw.execute("UPDATE auth_user_states SET session_epoch = session_epoch + 1, version = version + 1").await;
        assert_eq!(users.find(&new.id).await.unwrap().unwrap().state.kept, None);
        users.record_login(&new.id, network(), fixtures::now()).await.unwrap();
        assert_eq!(users.find(&new.id).await.unwrap().unwrap().state.kept, None);
    }
}

#[tokio::test]
async fn a_network_is_known_for_ninety_days() {
    for fixture in Fixture::both().await {
        let new = fixtures::new_buyer();
        let users = fixture.users();
        users.create(&new).await.unwrap();
        users.record_login(&new.id, network(), fixture.clock.now()).await.unwrap();
        fixture.clock.advance(Duration::from_secs(90 * 24 * 60 * 60) - Duration::from_millis(1));
        assert!(users.knows_network(&new.email, network()).await.unwrap());
        fixture.clock.advance(Duration::from_millis(1));
        assert!(!users.knows_network(&new.email, network()).await.unwrap());
    }
}

#[tokio::test]
async fn networks_that_are_not_known_any_more_are_not_kept() {
    for fixture in Fixture::both().await {
        let new = fixtures::new_buyer();
        fixture.users().create(&new).await.unwrap();
        for number in 0..20_u8 {
            let network = markt_domain::client::Network::of([192, 0, 2, number].into());
            let at = fixtures::now().plus(Duration::from_secs(number.into()));
            fixture.users().record_login(&new.id, network, at).await.unwrap();
        }
        let kept = fixture.server.raw().await.count("auth_known_networks").await;
        assert_eq!(u64::try_from(kept).unwrap(), KNOWN_NETWORKS);
    }
}

/// Old data may have it so: the account is there, and the user gets the role that belongs to it.
#[tokio::test]
async fn an_account_whose_flag_is_missing_is_there_already_and_gets_its_flag() {
    for fixture in Fixture::both().await {
        let new = NewUser { seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
        let users = fixture.users();
        let before = users.create(&new).await.unwrap();
        for flags in ["is_buyer = NULL, is_seller = NULL", "is_buyer = false, is_seller = false"] {
            fixture.server.raw().await.execute(&format!("UPDATE users SET {flags}")).await;
            let version = users.find(&new.id).await.unwrap().unwrap().state.version;
            let buyer = users.create_buyer(&new.id, new.buyer.as_ref().unwrap(), new.created_at).await;
            assert!(matches!(buyer, Err(AccountError::Exists)), "{buyer:?}");
            let seller = users.create_seller(&new.id, new.seller.as_ref().unwrap(), new.created_at).await;
            assert!(matches!(seller, Err(AccountError::Exists)), "{seller:?}");
            let after = users.find(&new.id).await.unwrap().unwrap();
            assert_eq!(after.profile, before.profile);
            assert_eq!(after.state.version.0, version.0 + 2, "each flag is a change");
        }
    }
}

/// The other way round, the account is made.
#[tokio::test]
async fn a_flag_without_an_account_is_no_account() {
    for fixture in Fixture::both().await {
        let new = fixtures::new_seller();
        let users = fixture.users();
        users.create(&new).await.unwrap();
        fixture.server.raw().await.execute("UPDATE users SET is_buyer = true").await;
        users.create_buyer(&new.id, &fixtures::new_buyer().buyer.unwrap(), new.created_at).await.unwrap();
        assert!(users.find(&new.id).await.unwrap().unwrap().profile.buyer.is_some());
    }
}

/// As SQLAlchemy's `onupdate` does: only of the rows that change.
#[tokio::test]
async fn a_changed_accounts_row_says_when_it_was_changed() {
    for fixture in Fixture::both().await {
        let new = NewUser { seller: fixtures::new_seller().seller, ..fixtures::new_buyer() };
        let users = fixture.users();
        users.create(&new).await.unwrap();
        let raw = fixture.server.raw().await;
        let unchanged = async |table: &str| raw.count(&format!("{table} WHERE updated_at = created_at")).await;
        assert_eq!((unchanged("buyers").await, unchanged("sellers").await), (1, 1));
        let at = new.created_at.plus(Duration::from_secs(5));
        let changes = BuyerChanges { buyername: Some("A".into()), ..BuyerChanges::default() };
        users.update_buyer(&new.id, &changes, at).await.unwrap();
        assert_eq!((unchanged("buyers").await, unchanged("sellers").await), (0, 1));
        let changes = SellerChanges { category_ids: Some(Vec::new()), ..SellerChanges::default() };
        users.update_seller(&new.id, &changes, at).await.unwrap();
        assert_eq!((unchanged("sellers").await, unchanged("users").await), (0, 1));
    }
}

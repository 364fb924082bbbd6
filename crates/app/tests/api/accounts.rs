//! `POST /users/create-buyer` and `…/create-seller`

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, Server};
use crate::shapes::{
    BUYER_ACCOUNT, PROFILE_ALONE, SELLER_ACCOUNT, USER, add_categories, assert_keys, assert_time, with,
};

on_both_deployments!(
    a_seller_opens_an_account_as_a_buyer_and_can_switch_to_it,
    a_buyer_opens_a_shop_and_can_switch_to_it,
    there_is_one_account_of_each_kind_at_most,
    of_many_who_open_the_same_account_at_once_one_does,
    every_bad_field_is_named_at_once_and_nothing_is_written,
    unknown_categories_are_named_and_nothing_is_written,
    shops_of_the_same_name_have_slugs_of_their_own,
    who_is_not_logged_in_opens_no_account,
);

const BUYER: &str = "/users/create-buyer";
const SELLER: &str = "/users/create-seller";
const TABLES: [&str; 3] = ["buyers", "sellers", "seller_categories"];

fn buyer() -> Value {
    json!({"buyername": "Ann", "shipping_address": {"city": "Ulm", "floors": [1, 2]}})
}

fn shop() -> Value {
    json!({"shop_name": "Fine Things", "description": "Things", "policies": {"returns": "30 days"}})
}

/// The profile with the new account; the next request, and the user's other session, see the same.
async fn opened(client: &Client, other: &Client, path: &str, body: Value) -> Value {
    let answer = client.post(path, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let profile = answer.json();
    assert_keys(&profile, &[&USER, &PROFILE_ALONE]);
    assert_eq!((&profile["is_buyer"], &profile["is_seller"]), (&true.into(), &true.into()), "{profile}");
    assert_eq!(client.get("/users/profile").await.json(), profile);
    assert_eq!(other.get("/users/profile").await.json(), profile);
    profile
}

/// Makes sure that the session can be used in the other role, too.
async fn assert_switches(client: &Client, role: &str) {
    let switched = client.post_nothing("/users/switch-role").await;
    assert_eq!(switched.json()["current_role"], role, "{switched:?}");
    assert_eq!(client.get("/users/profile").await.json()["current_role"], role);
}

async fn a_seller_opens_an_account_as_a_buyer_and_can_switch_to_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("seller1@markt.com").await;
    let other = server.logged_in("seller1@markt.com").await;
    let before = client.get("/users/profile").await.json();
    client.post_nothing("/users/switch-role").await.assert_error(403, "role_unavailable");
    server.clock().advance(Duration::from_secs(5));
    let profile = opened(&client, &other, BUYER, buyer()).await;
    let account = &profile["buyer_account"];
    assert_keys(account, &[&BUYER_ACCOUNT]);
    assert_eq!(account["buyername"], "Ann");
    assert_eq!(account["shipping_address"], json!({"city": "Ulm", "floors": [1, 2]}));
    assert_eq!(account["is_active"], true);
    assert_time(&account["created_at"]);
    assert_eq!(profile["seller_account"], before["seller_account"]);
    assert_eq!(profile["current_role"], "seller");
    assert_ne!(profile["updated_at"], before["updated_at"]);
    assert_switches(&client, "buyer").await;
}

async fn a_buyer_opens_a_shop_and_can_switch_to_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    add_categories(&server, 3).await;
    let client = server.logged_in("buyer1@markt.com").await;
    let other = server.logged_in("buyer1@markt.com").await;
    let before = client.get("/users/profile").await.json();
    client.post_nothing("/users/switch-role").await.assert_error(403, "role_unavailable");
    server.clock().advance(Duration::from_secs(5));
    let profile = opened(&client, &other, SELLER, with(shop(), "category_ids", json!([3, 1, 3]))).await;
    let account = &profile["seller_account"];
    assert_keys(account, &[&SELLER_ACCOUNT]);
    for (field, value) in shop().as_object().unwrap() {
        assert_eq!(account[field], *value, "{field}");
    }
    assert_eq!(account["shop_slug"], "fine-things");
    assert_eq!(account["category_ids"], json!([3, 1]));
    assert_eq!((&account["verification_status"], &account["is_active"]), (&"unverified".into(), &true.into()));
    assert_eq!((&account["total_rating"], &account["total_raters"]), (&0.into(), &0.into()));
    assert_time(&account["joined_date"]);
    assert_eq!(profile["buyer_account"], before["buyer_account"]);
    assert_eq!(profile["current_role"], "buyer");
    assert_ne!(profile["updated_at"], before["updated_at"]);
    assert_switches(&client, "seller").await;
}

async fn there_is_one_account_of_each_kind_at_most(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (email, path, body) in [
        ("buyer1@markt.com", BUYER, buyer()),
        ("seller1@markt.com", SELLER, shop()),
        ("both1@markt.com", BUYER, buyer()),
        ("both1@markt.com", SELLER, shop()),
    ] {
        let client = server.logged_in(email).await;
        let before = client.get("/users/profile").await.json();
        client.post(path, body).await.assert_error(400, "bad_request");
        assert_eq!(client.get("/users/profile").await.json(), before);
    }
}

async fn of_many_who_open_the_same_account_at_once_one_does(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (email, path, body, account) in
        [("buyer1@markt.com", SELLER, shop(), "seller_account"), ("seller1@markt.com", BUYER, buyer(), "buyer_account")]
    {
        let client = server.logged_in(email).await;
        let mut runners = JoinSet::new();
        for _ in 0..12 {
            let (client, body) = (client.clone(), body.clone());
            runners.spawn(async move { client.post(path, body).await });
        }
        let answers = runners.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
        assert_eq!(won.len(), 1, "{answers:?}");
        for answer in lost {
            answer.assert_error(400, "bad_request");
        }
        let profile = client.get("/users/profile").await.json();
        assert_eq!(profile[account], won[0].json()[account]);
    }
    let counts = server.setup.count_rows(&["buyers", "sellers"]).await;
    assert!(counts.iter().all(|(_, count)| count == "3"), "{counts:?}");
}

async fn every_bad_field_is_named_at_once_and_nothing_is_written(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (to_be_seller, to_be_buyer) =
        (server.logged_in("buyer1@markt.com").await, server.logged_in("seller1@markt.com").await);
    let rows = server.setup.count_rows(&TABLES).await;
    let missing = json!(["Missing data for required field."]);
    let character = json!(["Null characters are not allowed."]);
    let cases = [
        (&to_be_buyer, BUYER, json!({}), json!({"buyername": missing})),
        (&to_be_buyer, BUYER, json!({"buyername": null}), json!({"buyername": ["Field may not be null."]})),
        (
            &to_be_buyer,
            BUYER,
            json!({"buyername": "x".repeat(51), "shipping_address": 7}),
            json!({"buyername": ["Longer than maximum length 50."],
                   "shipping_address": ["Not a valid mapping type."]}),
        ),
        (&to_be_buyer, BUYER, json!({"buyername": "\0"}), json!({"buyername": character})),
        (&to_be_buyer, BUYER, json!([]), json!({"_schema": ["Invalid input type."]})),
        (&to_be_seller, SELLER, json!({}), json!({"shop_name": missing, "description": missing})),
        (
            &to_be_seller,
            SELLER,
            json!({"shop_name": " ", "description": 7, "policies": "none", "category_ids": [1.5]}),
            json!({"shop_name": ["Shorter than minimum length 1."], "description": ["Not a valid string."],
                   "policies": ["Not a valid mapping type."], "category_ids": ["Not a valid list of integers."]}),
        ),
        (
            &to_be_seller,
            SELLER,
            json!({"shop_name": "x".repeat(101), "description": "\0", "category_ids": (0..101).collect::<Vec<_>>()}),
            json!({"shop_name": ["Longer than maximum length 100."], "description": character,
                   "category_ids": ["Longer than maximum length 100."]}),
        ),
    ];
    for (client, path, body, expected) in cases {
        assert_eq!(client.post(path, body).await.errors("json"), expected);
    }
    assert_eq!(server.setup.count_rows(&TABLES).await, rows);
    assert_eq!(to_be_buyer.get("/users/profile").await.json()["is_buyer"], false);
}

async fn unknown_categories_are_named_and_nothing_is_written(deployment: Deployment) {
    let server = Server::start(deployment).await;
    add_categories(&server, 1).await;
    let client = server.logged_in("buyer1@markt.com").await;
    let rows = server.setup.count_rows(&TABLES).await;
    let before = client.get("/users/profile").await.json();
    server.clock().advance(Duration::from_secs(5));
    let errors = client.post(SELLER, with(shop(), "category_ids", json!([1, 7, -1]))).await.errors("json");
    assert_eq!(errors, json!({"category_ids": ["Category 7 not found.", "Category -1 not found."]}));
    assert_eq!(server.setup.count_rows(&TABLES).await, rows);
    assert_eq!(client.get("/users/profile").await.json(), before);
    // Nor did it take the account's place.
    let answer = client.post(SELLER, shop()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

async fn shops_of_the_same_name_have_slugs_of_their_own(deployment: Deployment) {
    const SHOPS: usize = 6;
    let server = Server::start(deployment).await;
    let mut runners = JoinSet::new();
    for n in 0..SHOPS {
        let client = server.with_bearer(&server.register(&format!("ann_{n}")).await);
        runners.spawn(async move { client.post(SELLER, shop()).await });
    }
    let answers = runners.join_all().await;
    let slug = |answer: &Answer| answer.json()["seller_account"]["shop_slug"].clone();
    let mut slugs: Vec<String> = answers.iter().map(|answer| slug(answer).as_str().unwrap().to_owned()).collect();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), SHOPS, "{slugs:?}");
    assert!(slugs.iter().all(|slug| slug.starts_with("fine-things")), "{slugs:?}");
}

async fn who_is_not_logged_in_opens_no_account(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let rows = server.setup.count_rows(&TABLES).await;
    for client in [server.client(), server.with_cookie(&"x".repeat(43)), server.with_bearer("garbage")] {
        client.post(BUYER, buyer()).await.assert_error(401, "not_authenticated");
        client.post(SELLER, shop()).await.assert_error(401, "not_authenticated");
    }
    assert_eq!(server.setup.count_rows(&TABLES).await, rows);
}

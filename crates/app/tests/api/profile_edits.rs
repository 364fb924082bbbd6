//! `PATCH /users/profile`, `…/buyer` and `…/seller`

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, Server};
use crate::shapes::{PROFILE_ALONE, USER, add_categories, assert_keys};

on_both_deployments!(
    fields_change_alone_or_together_and_all_others_stay,
    what_is_missing_or_null_stays_as_it_is,
    texts_may_be_as_long_as_allowed_and_of_any_script,
    every_bad_field_is_named_at_once_and_nothing_is_written,
    unknown_categories_are_named_and_nothing_is_written,
    who_has_no_such_account_cannot_change_it,
    who_is_not_logged_in_changes_nothing,
    a_change_shows_at_once_in_the_users_other_sessions_and_in_no_other_users,
    changes_of_different_fields_at_once_are_all_kept,
);

const PATHS: [&str; 3] = ["/users/profile", "/users/profile/buyer", "/users/profile/seller"];

/// The profile after this change; the next request sees the same.
async fn edited(client: &Client, path: &str, body: &Value) -> Value {
    let answer = client.patch(path, body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let profile = answer.json();
    assert_keys(&profile, &[&USER, &PROFILE_ALONE]);
    assert_eq!(client.get("/users/profile").await.json(), profile);
    profile
}

async fn fields_change_alone_or_together_and_all_others_stay(deployment: Deployment) {
    let server = Server::start(deployment).await;
    add_categories(&server, 3).await;
    let client = server.logged_in("both1@markt.com").await;
    let mut expected = client.get("/users/profile").await.json();
    let edits = [
        (0, "", json!({"phone_number": "+49 731 1"})),
        (0, "", json!({"profile_picture": "https://images.example/ann.jpg"})),
        (0, "", json!({"phone_number": "+49 731 2", "profile_picture": "ann.jpg"})),
        (1, "/buyer_account", json!({"buyername": "Ann"})),
        (1, "/buyer_account", json!({"shipping_address": {"city": "Ulm", "floors": [1, 2]}})),
        (1, "/buyer_account", json!({"buyername": "Ann Lee", "shipping_address": {"city": "Rom"}})),
        (2, "/seller_account", json!({"shop_name": "Fine Things"})),
        (2, "/seller_account", json!({"description": ""})),
        (2, "/seller_account", json!({"policies": {"returns": "30 days"}})),
        (2, "/seller_account", json!({"category_ids": [3, 1]})),
        (2, "/seller_account", json!({"category_ids": [2, 1, 2]})),
        (2, "/seller_account", json!({"category_ids": []})),
        (
            2,
            "/seller_account",
            json!({"shop_name": "Finer", "description": "All", "policies": {}, "category_ids": [1, 2, 3]}),
        ),
    ];
    for (path, account, body) in edits {
        server.clock().advance(Duration::from_secs(5));
        let profile = edited(&client, PATHS[path], &body).await;
        let changed = expected.pointer_mut(account).unwrap();
        for (field, value) in body.as_object().unwrap() {
            // What is named twice counts once.
            changed[field] = if *value == json!([2, 1, 2]) { json!([2, 1]) } else { value.clone() };
        }
        // It is the user's own; what the accounts have of the kind is shown nowhere.
        let moved = expected["updated_at"].as_str() < profile["updated_at"].as_str();
        assert_eq!(moved, account.is_empty(), "{body}: {profile}");
        expected["updated_at"] = profile["updated_at"].clone();
        if let Some(picture) = body.get("profile_picture") {
            expected["profile_picture_url"] = picture.clone();
        }
        assert_eq!(profile, expected, "{body}");
    }
}

async fn what_is_missing_or_null_stays_as_it_is(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    edited(&client, PATHS[0], &json!({"phone_number": "+49 731 1", "profile_picture": "ann.jpg"})).await;
    edited(&client, PATHS[1], &json!({"shipping_address": {"city": "Ulm"}})).await;
    let before = edited(&client, PATHS[2], &json!({"policies": {"returns": "30 days"}})).await;
    let bodies = [
        json!({}),
        json!({"no_such_field": 7, "email": "other@markt.com", "is_seller": false, "id": "USR_AAAAAAAA"}),
        json!({"phone_number": null, "profile_picture": null, "buyername": null, "shipping_address": null,
               "shop_name": null, "description": null, "policies": null, "category_ids": null}),
    ];
    for path in PATHS {
        for body in &bodies {
            // The clock stands still: neither may `updated_at` move.
            assert_eq!(edited(&client, path, body).await, before, "{path}: {body}");
        }
    }
}

async fn texts_may_be_as_long_as_allowed_and_of_any_script(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    let long = |character: char, length: usize| character.to_string().repeat(length);
    for (path, account, field, fits) in [
        (0, "", "phone_number", long('9', 20)),
        (0, "", "phone_number", String::new()),
        (0, "", "profile_picture", long('😀', 255)),
        (1, "/buyer_account", "buyername", long('店', 50)),
        (2, "/seller_account", "shop_name", long('😀', 100)),
        (2, "/seller_account", "description", "'; DROP TABLE users; --\t\n👩‍🎨".repeat(500)),
    ] {
        let profile = edited(&client, PATHS[path], &json!({ field: fits })).await;
        assert_eq!(profile.pointer(account).unwrap()[field], *fits, "{field}");
    }
}

async fn every_bad_field_is_named_at_once_and_nothing_is_written(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    let before = client.get("/users/profile").await.json();
    server.clock().advance(Duration::from_secs(5));
    let refused = "Null characters are not allowed.";
    let cases = [
        (
            0,
            json!({"phone_number": "0".repeat(21), "profile_picture": "x".repeat(256)}),
            json!({"phone_number": ["Longer than maximum length 20."],
                   "profile_picture": ["Longer than maximum length 255."]}),
        ),
        (
            0,
            json!({"phone_number": 7, "profile_picture": ["a"]}),
            json!({"phone_number": ["Not a valid string."], "profile_picture": ["Not a valid string."]}),
        ),
        (0, json!({"phone_number": "1", "profile_picture": "a\0"}), json!({"profile_picture": [refused]})),
        (
            1,
            json!({"buyername": "x".repeat(51), "shipping_address": "Ulm"}),
            json!({"buyername": ["Longer than maximum length 50."],
                   "shipping_address": ["Not a valid mapping type."]}),
        ),
        (
            1,
            json!({"buyername": " ", "shipping_address": {"a": "\0"}}),
            json!({"buyername": ["Shorter than minimum length 1."], "shipping_address": [refused]}),
        ),
        (
            2,
            json!({"shop_name": "x".repeat(101), "description": 7, "policies": [], "category_ids": "1"}),
            json!({"shop_name": ["Longer than maximum length 100."], "description": ["Not a valid string."],
                   "policies": ["Not a valid mapping type."], "category_ids": ["Not a valid list."]}),
        ),
        (
            2,
            json!({"shop_name": "", "description": "\0", "category_ids": [1, "2"]}),
            json!({"shop_name": ["Shorter than minimum length 1."], "description": [refused],
                   "category_ids": ["Not a valid list of integers."]}),
        ),
    ];
    for (path, body, expected) in cases {
        assert_eq!(client.patch(PATHS[path], body).await.errors("json"), expected);
    }
    for path in PATHS {
        let errors = client.patch(path, json!([])).await.errors("json");
        assert_eq!(errors, json!({"_schema": ["Invalid input type."]}));
    }
    assert_eq!(client.get("/users/profile").await.json(), before);
}

async fn unknown_categories_are_named_and_nothing_is_written(deployment: Deployment) {
    let server = Server::start(deployment).await;
    add_categories(&server, 2).await;
    let client = server.logged_in("seller1@markt.com").await;
    let before = edited(&client, PATHS[2], &json!({"category_ids": [2]})).await;
    server.clock().advance(Duration::from_secs(5));
    let body = json!({"shop_name": "Other", "category_ids": [1, 7, -1]});
    let errors = client.patch(PATHS[2], body).await.errors("json");
    assert_eq!(errors, json!({"category_ids": ["Category 7 not found.", "Category -1 not found."]}));
    assert_eq!(client.get("/users/profile").await.json(), before);
}

async fn who_has_no_such_account_cannot_change_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (email, path, body) in [
        ("seller1@markt.com", PATHS[1], json!({"buyername": "Ann"})),
        ("buyer1@markt.com", PATHS[2], json!({"shop_name": "Ann", "category_ids": [7]})),
    ] {
        let client = server.logged_in(email).await;
        let before = client.get("/users/profile").await.json();
        for body in [body, json!({})] {
            client.patch(path, body).await.assert_error(400, "bad_request");
        }
        assert_eq!(client.get("/users/profile").await.json(), before);
    }
}

async fn who_is_not_logged_in_changes_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for path in PATHS {
        server.client().patch(path, json!({"phone_number": "1"})).await.assert_error(401, "not_authenticated");
        let unknown = server.with_cookie(&"x".repeat(43));
        unknown.patch(path, json!({"phone_number": "1"})).await.assert_error(401, "not_authenticated");
    }
    assert_eq!(server.setup.query_texts("SELECT id FROM users WHERE phone_number IS NOT NULL").await.len(), 0);
}

async fn a_change_shows_at_once_in_the_users_other_sessions_and_in_no_other_users(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    let others = [server.logged_in("both1@markt.com").await, server.logged_in("both1@markt.com").await];
    let stranger = server.logged_in("buyer1@markt.com").await;
    let strangers = stranger.get("/users/profile").await.json();
    for n in 0..5 {
        let number = n.to_string();
        for (path, account, field, value) in [
            (0, "", "phone_number", number.as_str()),
            (1, "/buyer_account", "buyername", &number),
            (2, "/seller_account", "shop_name", &number),
        ] {
            edited(&client, PATHS[path], &json!({ field: value })).await;
            for other in &others {
                let profile = other.get("/users/profile").await.json();
                assert_eq!(profile.pointer(account).unwrap()[field], value, "{profile}");
            }
        }
    }
    assert_eq!(stranger.get("/users/profile").await.json(), strangers);
}

/// Waits until this profile shows this: another server has to be told.
async fn shows(client: &Client, pointer: &str, value: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let profile = client.get("/users/profile").await.json();
        if *profile.pointer(pointer).unwrap() == *value {
            return;
        }
        assert!(Instant::now() < deadline, "{pointer} isn't {value}: {profile}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_shows_soon_on_another_server_over_the_same_stores() {
    let server = Server::start(Deployment::Full).await;
    let twin = server.twin().await;
    let client = server.logged_in("both1@markt.com").await;
    let there = client.clone().at(&twin);
    assert_eq!(there.get("/users/profile").await.json()["phone_number"], Value::Null);
    for n in 0..5 {
        edited(&client, PATHS[0], &json!({"phone_number": format!("here {n}")})).await;
        shows(&there, "/phone_number", &format!("here {n}")).await;
        edited(&there, PATHS[2], &json!({"shop_name": format!("there {n}")})).await;
        shows(&client, "/seller_account/shop_name", &format!("there {n}")).await;
        shows(&client, "/phone_number", &format!("here {n}")).await;
    }
}

async fn changes_of_different_fields_at_once_are_all_kept(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    let fields = [
        (0, "/phone_number"),
        (0, "/profile_picture"),
        (1, "/buyer_account/buyername"),
        (2, "/seller_account/shop_name"),
        (2, "/seller_account/description"),
    ];
    for round in 0..6 {
        let value = format!("round {round}");
        let mut edits = JoinSet::new();
        for (path, pointer) in fields {
            let (client, field) = (client.clone(), pointer.rsplit('/').next().unwrap());
            let body = json!({ field: value });
            edits.spawn(async move { client.patch(PATHS[path], body).await });
        }
        for answer in edits.join_all().await {
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        }
        let profile = client.get("/users/profile").await.json();
        for (_, pointer) in fields {
            assert_eq!(*profile.pointer(pointer).unwrap(), *value, "{pointer}: {profile}");
        }
    }
}

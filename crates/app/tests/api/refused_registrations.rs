//! `POST /users/register`, where the body is not valid: every bad field is named at once, and nothing is written.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::on_both_deployments;
use crate::server::{Deployment, Server};
use crate::shapes::{registration, seller_registration, with};

on_both_deployments!(
    categories_that_are_not_there_are_named_and_nothing_is_written,
    null_characters_are_refused_wherever_they_stand,
    nothing_is_written_of_what_is_refused,
);

const TABLES: [&str; 7] =
    ["users", "buyers", "sellers", "user_addresses", "auth_user_states", "auth_sessions", "auth_codes"];

async fn refused(server: &Server, body: Value) -> Value {
    server.client().post("/users/register", body).await.errors("json")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_missing_field_is_named_at_once() {
    let server = Server::start(Deployment::Embedded).await;
    let missing = json!(["Missing data for required field."]);
    let expected = json!({"email": missing, "username": missing, "password": missing, "account_type": missing});
    assert_eq!(refused(&server, json!({})).await, expected);
    for (kind, data) in [("buyer", "buyer_data"), ("seller", "seller_data")] {
        let mut body = with(registration("ann_lee"), "account_type", kind);
        body.as_object_mut().unwrap().remove("buyer_data");
        assert_eq!(refused(&server, body.clone()).await, json!({ data: missing }));
        assert_eq!(refused(&server, with(body, data, Value::Null)).await, json!({data: ["Field may not be null."]}));
    }
    let seller = seller_registration("ann_lee", json!({}));
    let expected = json!({"seller_data": {"shop_name": missing, "description": missing}});
    assert_eq!(refused(&server, seller).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_value_is_named_at_once_however_deep() {
    let server = Server::start(Deployment::Embedded).await;
    let body = json!({
        "email": "nope", "username": "a!", "password": "short", "account_type": "buyer",
        "phone_number": "0".repeat(21),
        "address": {"longitude": 180.5, "latitude": -91, "street": "x".repeat(101), "postal_code": "0".repeat(21)},
        "buyer_data": {"buyername": "x".repeat(51), "shipping_address": []},
    });
    let expected = json!({
        "email": ["Not a valid email address."],
        "username": ["Must be between 3-20 characters"],
        "password": [
            "Password must be at least 8 characters long.",
            "Password must contain at least one digit, one lowercase letter, and one uppercase letter.",
        ],
        "phone_number": ["Longer than maximum length 20."],
        "address": {
            "longitude": ["Must be between -180 and 180."],
            "latitude": ["Must be between -90 and 90."],
            "street": ["Longer than maximum length 100."],
            "postal_code": ["Longer than maximum length 20."],
        },
        "buyer_data": {
            "buyername": ["Longer than maximum length 50."],
            "shipping_address": ["Not a valid mapping type."],
        },
    });
    assert_eq!(refused(&server, body).await, expected);

    let data = json!({"shop_name": " ", "description": null, "policies": "none", "category_ids": [1, "2"]});
    let body = with(with(seller_registration("Admin", data), "password", "Aa1".repeat(43)), "email", "a".repeat(121));
    let expected = json!({
        "email": ["Not a valid email address."],
        "username": ["This username is reserved."],
        "password": ["Password must be at most 128 characters long."],
        "seller_data": {
            "shop_name": ["Shorter than minimum length 1."],
            "description": ["Field may not be null."],
            "policies": ["Not a valid mapping type."],
            "category_ids": ["Not a valid list of integers."],
        },
    });
    assert_eq!(refused(&server, body).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_value_of_a_wrong_type_is_named() {
    let server = Server::start(Deployment::Embedded).await;
    for wrong in [json!(7), json!(true), json!(["a"]), json!({"a": "b"}), json!(1.5)] {
        for field in ["email", "username", "password", "account_type", "phone_number"] {
            let errors = refused(&server, with(registration("ann_lee"), field, wrong.clone())).await;
            assert_eq!(errors, json!({field: ["Not a valid string."]}), "{field}: {wrong}");
        }
    }
    for wrong in [json!(7), json!("text"), json!(["a"]), json!(false)] {
        for field in ["address", "buyer_data"] {
            let errors = refused(&server, with(registration("ann_lee"), field, wrong.clone())).await;
            assert_eq!(errors, json!({field: ["Not a valid mapping type."]}), "{field}: {wrong}");
        }
        let body = with(registration("ann_lee"), "address", json!({"longitude": "9.98", "city": wrong}));
        let errors = refused(&server, body).await;
        assert_eq!(errors["address"]["longitude"], json!(["Not a valid number."]));
    }
    for account_type in ["king", "Buyer", ""] {
        let errors = refused(&server, with(registration("ann_lee"), "account_type", account_type)).await;
        assert_eq!(errors, json!({"account_type": ["Must be one of: buyer, seller."]}));
    }
    for ids in [json!([1.5]), json!([3_000_000_000_u64]), json!([null]), json!(["1"])] {
        let data = json!({"shop_name": "Ann", "description": "", "category_ids": ids});
        let errors = refused(&server, seller_registration("ann_lee", data)).await;
        assert_eq!(errors, json!({"seller_data": {"category_ids": ["Not a valid list of integers."]}}), "{ids}");
    }
    let data = json!({"shop_name": "Ann", "description": "", "category_ids": (0..101).collect::<Vec<_>>()});
    let errors = refused(&server, seller_registration("ann_lee", data)).await;
    assert_eq!(errors, json!({"seller_data": {"category_ids": ["Longer than maximum length 100."]}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_passwords_keep_to_their_rules() {
    let server = Server::start(Deployment::Embedded).await;
    let reserved = "This username is reserved.";
    let characters = "Only letters, numbers and underscores allowed";
    let length = "Must be between 3-20 characters";
    for (username, message) in [
        ("admin", reserved),
        ("SUPPORT", reserved),
        ("Markt", reserved),
        ("ann lee", characters),
        ("ännlee", characters),
        ("ann-lee", characters),
        ("ab", length),
        ("", length),
        ("aaaaaaaaaaaaaaaaaaaaa", length),
    ] {
        let errors = refused(&server, with(registration("ann_lee"), "username", username)).await;
        assert_eq!(errors, json!({"username": [message]}), "{username}");
    }
    for password in ["password123", "PASSWORD123", "Passwordabc", "Pass123", "", "        "] {
        let errors = refused(&server, with(registration("ann_lee"), "password", password)).await;
        assert!(errors["password"].is_array() && errors.as_object().unwrap().len() == 1, "{password}: {errors}");
    }
    for email in
        ["a@b", "a b@example.com", "Ann <ann@example.com>", "ann@example.com, bob@example.com", "ann@@example.com"]
    {
        let errors = refused(&server, with(registration("ann_lee"), "email", email)).await;
        assert_eq!(errors, json!({"email": ["Not a valid email address."]}), "{email}");
    }
}

async fn categories_that_are_not_there_are_named_and_nothing_is_written(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let insert = "INSERT INTO categories (id, name, created_at, updated_at) VALUES \
                  (1, 'Books', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)";
    server.setup.execute_sql(insert).await;
    let before = server.setup.count_rows(&TABLES).await;
    let data = json!({"shop_name": "Ann", "description": "Things", "category_ids": [1, 7, -1, 2_147_483_647]});
    let errors = refused(&server, seller_registration("ann_lee", data)).await;
    let messages = json!(["Category 7 not found.", "Category -1 not found.", "Category 2147483647 not found."]);
    assert_eq!(errors, json!({"seller_data": {"category_ids": messages}}));
    assert_eq!(server.setup.count_rows(&TABLES).await, before);
    // Address and name are still to be had.
    server.register("ann_lee").await;
}

async fn null_characters_are_refused_wherever_they_stand(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let refusal = json!(["Null characters are not allowed."]);
    for field in ["email", "username", "account_type", "phone_number"] {
        let errors = refused(&server, with(registration("ann_lee"), field, "a\0b")).await;
        assert_eq!(errors, json!({ field: refusal }));
    }
    for field in ["house_number", "street", "city", "state", "country", "postal_code"] {
        let errors = refused(&server, with(registration("ann_lee"), "address", json!({field: "\0"}))).await;
        assert_eq!(errors, json!({"address": {field: refusal}}));
    }
    for shipping_address in [json!({"a": "\0"}), json!({"a\0": 1}), json!({"a": [{"b": ["c\0"]}]})] {
        let data = json!({"buyername": "Ann", "shipping_address": shipping_address});
        let errors = refused(&server, with(registration("ann_lee"), "buyer_data", data)).await;
        assert_eq!(errors, json!({"buyer_data": {"shipping_address": refusal}}));
    }
    let data = json!({"shop_name": "a\0", "description": "\0", "policies": {"a": "\0"}});
    let errors = refused(&server, seller_registration("ann_lee", data)).await;
    let expected = json!({"shop_name": refusal, "description": refusal, "policies": refusal});
    assert_eq!(errors, json!({"seller_data": expected}));

    // A password is never a text in a store: any character will do, as long as it is the same at the login.
    let password = "Password\u{0}123";
    let answer = server.client().post("/users/register", with(registration("ann_lee"), "password", password)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    server.client().log_in("ann_lee@example.com", password).await.assert_error(403, "unverified_email");
    server.client().log_in("ann_lee@example.com", "Password").await.assert_error(401, "invalid_credentials");
    let login = server.client().log_in("ann\0@example.com", "Password123").await;
    assert_eq!(login.errors("json"), json!({"email": refusal}));
}

async fn nothing_is_written_of_what_is_refused(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("buyer1@markt.com").await;
    let before = server.setup.count_rows(&TABLES).await;
    client.post("/users/register", with(registration("ann_lee"), "password", "weak")).await.errors("json");
    assert_eq!(server.setup.count_rows(&TABLES).await, before);
    assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
}

//! `POST /users/register`, where it succeeds.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::shapes::{
    BUYER_ACCOUNT, PROFILE_ALONE, SELLER_ACCOUNT, USER, assert_keys, assert_time, assert_user_id, registration,
    seller_registration, with,
};

on_both_deployments!(
    a_buyer_registers_and_is_logged_in,
    a_seller_registers_and_is_logged_in,
    an_address_and_a_telephone_number_are_kept,
    the_categories_of_a_seller_are_kept_in_their_order,
    a_new_user_logs_in_only_once_the_address_is_verified,
    a_registration_ends_the_session_that_came_along,
    names_may_be_of_any_script_and_as_long_as_allowed,
    two_shops_of_the_same_name_have_slugs_of_their_own,
    the_data_of_the_other_kind_of_account_are_not_looked_at,
);

async fn register(server: &Server, body: Value) -> Answer {
    let answer = server.client().post("/users/register", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer
}

async fn a_buyer_registers_and_is_logged_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let body = with(registration("ann_lee"), "email", "Ann.Lee@Example.COM");
    let body =
        with(body, "buyer_data", json!({"buyername": "Ann", "shipping_address": {"city": "Ulm", "floors": [1, 2]}}));
    let answer = register(&server, body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let profile = answer.json();
    assert_keys(&profile, &[&USER, &PROFILE_ALONE, &["token"]]);
    assert_user_id(&profile["id"]);
    assert_time(&profile["created_at"]);
    assert_eq!(profile["email"], "Ann.Lee@Example.COM");
    assert_eq!((&profile["is_buyer"], &profile["is_seller"]), (&true.into(), &false.into()));
    assert_eq!((&profile["email_verified"], &profile["current_role"]), (&false.into(), &"buyer".into()));
    assert_keys(&profile["buyer_account"], &[&BUYER_ACCOUNT]);
    assert_eq!(profile["buyer_account"]["buyername"], "Ann");
    assert_eq!(profile["buyer_account"]["shipping_address"], json!({"city": "Ulm", "floors": [1, 2]}));
    assert_eq!((&profile["seller_account"], &profile["address"]), (&Value::Null, &Value::Null));

    let cookie = answer.session_cookie();
    assert_eq!(profile["token"], *cookie.value);
    assert_eq!(cookie.attributes["max-age"], "604800");
    let mut own = server.with_cookie(&cookie.value).get("/users/profile").await.json();
    own["token"] = profile["token"].clone();
    assert_eq!(own, profile);
    assert!(!server.mailed_code("Ann.Lee@Example.COM", 1).await.is_empty());
}

async fn a_seller_registers_and_is_logged_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let data = json!({"shop_name": "Ann's Fine Things", "description": "Things", "policies": {"returns": "30 days"}});
    let profile = register(&server, seller_registration("ann_lee", data)).await.json();
    assert_keys(&profile, &[&USER, &PROFILE_ALONE, &["token"]]);
    assert_eq!((&profile["is_buyer"], &profile["is_seller"]), (&false.into(), &true.into()));
    assert_eq!((&profile["current_role"], &profile["buyer_account"]), (&"seller".into(), &Value::Null));
    let account = &profile["seller_account"];
    assert_keys(account, &[&SELLER_ACCOUNT]);
    assert_eq!(account["shop_name"], "Ann's Fine Things");
    assert_eq!(account["description"], "Things");
    assert_eq!(account["policies"], json!({"returns": "30 days"}));
    assert_eq!(account["category_ids"], json!([]));
    assert_eq!(account["verification_status"], "unverified");
    assert!(account["shop_slug"].as_str().is_some_and(|slug| slug.starts_with("ann")), "{account}");
}

async fn an_address_and_a_telephone_number_are_kept(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let address = json!({
        "longitude": 9.98, "latitude": -48.4, "house_number": "7b", "street": "Münstergasse", "city": "Ulm",
        "state": "BW", "country": "Germany", "postal_code": "89073",
    });
    let body = with(with(registration("ann_lee"), "address", address.clone()), "phone_number", "+49 731 1234567");
    let answer = register(&server, body).await;
    let own = server.with_cookie(&answer.session_cookie().value).get("/users/profile").await.json();
    for profile in [answer.json(), own] {
        assert_eq!(profile["phone_number"], "+49 731 1234567");
        assert_eq!(profile["address"], address);
    }
    let partly = with(registration("bob_lee"), "address", json!({"city": "Ulm", "street": null}));
    let address = register(&server, partly).await.json()["address"].clone();
    assert_eq!(
        (&address["city"], &address["street"], &address["longitude"]),
        (&"Ulm".into(), &Value::Null, &Value::Null)
    );
    // Null is as good as nothing.
    let nothing = with(with(registration("cleo_lee"), "address", Value::Null), "phone_number", Value::Null);
    assert_eq!(register(&server, nothing).await.json()["address"], Value::Null);
}

async fn the_categories_of_a_seller_are_kept_in_their_order(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let rows =
        "(1, 'Books', now, now), (2, 'Music', now, now), (3, 'Films', now, now)".replace("now", "CURRENT_TIMESTAMP");
    server.setup.execute_sql(&format!("INSERT INTO categories (id, name, created_at, updated_at) VALUES {rows}")).await;
    let data = json!({"shop_name": "Ann", "description": "Things", "category_ids": [3, 1, 3]});
    let answer = register(&server, seller_registration("ann_lee", data)).await;
    let own = server.with_cookie(&answer.session_cookie().value).get("/users/profile").await.json();
    for profile in [answer.json(), own] {
        assert_eq!(profile["seller_account"]["category_ids"], json!([3, 1]));
    }
}

async fn a_new_user_logs_in_only_once_the_address_is_verified(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    server.client().log_in("ann_lee@example.com", PASSWORD).await.assert_error(403, "unverified_email");
    let code = server.mailed_code("ann_lee@example.com", 1).await;
    let body = json!({"email": "ann_lee@example.com", "verification_code": code});
    assert_eq!(server.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    server.logged_in("ann_lee@example.com").await;
}

async fn a_registration_ends_the_session_that_came_along(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let old = server.secret_of("buyer1@markt.com").await;
    let answer = server.with_cookie(&old).post("/users/register", registration("ann_lee")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    server.assert_dead(&old).await;
    server.assert_alive(&answer.session_cookie().value, "ann_lee").await;
}

async fn names_may_be_of_any_script_and_as_long_as_allowed(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let buyername = "🛍️".chars().cycle().take(50).collect::<String>();
    let body = with(registration("a".repeat(20).as_str()), "buyer_data", json!({"buyername": buyername}));
    let body = with(body, "phone_number", "0".repeat(20));
    assert_eq!(register(&server, body).await.json()["buyer_account"]["buyername"], buyername);

    let (shop_name, description) = ("店".repeat(100), "👩‍🎨 '; DROP TABLE users; --\t\n".repeat(1000));
    let data = json!({"shop_name": shop_name, "description": description});
    let account = register(&server, seller_registration("ann_lee", data)).await.json()["seller_account"].clone();
    assert_eq!((&account["shop_name"], &account["description"]), (&shop_name.into(), &description.into()));
    assert!(account["shop_slug"].as_str().is_some_and(|slug| !slug.is_empty()), "{}", account["shop_slug"]);

    let password = format!("Aa1{}", "😀".repeat(125));
    let answer = register(&server, with(registration("bob_lee"), "password", password.as_str())).await;
    server.assert_alive(&answer.session_cookie().value, "bob_lee").await;
    server.client().log_in("bob_lee@example.com", &password).await.assert_error(403, "unverified_email");
}

async fn two_shops_of_the_same_name_have_slugs_of_their_own(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut slugs = Vec::new();
    for name in ["ann_lee", "bob_lee", "cleo_lee"] {
        let data = json!({"shop_name": "The Shop", "description": ""});
        let profile = register(&server, seller_registration(name, data)).await.json();
        slugs.push(profile["seller_account"]["shop_slug"].as_str().unwrap().to_owned());
    }
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 3, "{slugs:?}");
}

async fn the_data_of_the_other_kind_of_account_are_not_looked_at(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let body = with(registration("ann_lee"), "seller_data", json!({"shop_name": 7, "category_ids": [99]}));
    let profile = register(&server, with(body, "no_such_field", true)).await.json();
    assert_eq!((&profile["is_seller"], &profile["seller_account"]), (&false.into(), &Value::Null));
}

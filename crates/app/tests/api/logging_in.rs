//! `POST /users/login`: who is let in, and what becomes of a session that comes along.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, FRONT_END, PASSWORD, Server};
use crate::shapes::{USER, assert_keys, assert_time, assert_user_id};

on_both_deployments!(
    the_answer_is_the_user_flat_and_not_to_be_stored,
    the_address_is_taken_in_any_case,
    a_wrong_password_and_an_unknown_user_look_alike_and_leave_the_session_that_came_along,
    a_login_ends_the_session_that_came_along,
    a_login_ends_a_session_that_another_user_planted,
    a_login_ends_sessions_that_came_along_in_either_way,
    a_seller_account_is_not_to_be_had_by_a_buyer_who_stays_logged_in,
    a_user_with_both_accounts_acts_as_a_buyer_unless_asked_otherwise,
    a_user_who_has_not_verified_the_address_is_told_to,
    a_deactivated_user_is_out_and_comes_in_again_when_reactivated,
    a_user_who_is_deleted_in_sql_is_out,
    a_deactivated_shop_is_no_role_to_act_in,
    a_login_shows_at_once_in_its_own_profile_and_soon_in_that_of_another_session,
);

async fn the_answer_is_the_user_flat_and_not_to_be_stored(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let answer = server.browser().log_in("both1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    let user = answer.json();
    assert_keys(&user, &[&USER]);
    assert_user_id(&user["id"]);
    for field in ["created_at", "updated_at", "last_login_at"] {
        assert_time(&user[field]);
    }
    assert_eq!(user["email"], "both1@markt.com");
    assert_eq!(user["username"], "both1");
    for flag in ["is_buyer", "is_seller", "email_verified"] {
        assert_eq!(user[flag], true, "{flag}");
    }
    assert_eq!(user["phone_number"], Value::Null);
    assert!(user["profile_picture_url"].is_string(), "{user}");
}

async fn the_address_is_taken_in_any_case(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for email in ["buyer1@markt.com", "BUYER1@MARKT.COM", "Buyer1@Markt.com"] {
        let answer = server.client().log_in(email, PASSWORD).await;
        assert_eq!(answer.json()["email"], "buyer1@markt.com", "{email}");
    }
    let other_case = server.client().log_in("buyer1@markt.com", "PASSWORD123").await;
    other_case.assert_error(401, "invalid_credentials");
}

async fn a_wrong_password_and_an_unknown_user_look_alike_and_leave_the_session_that_came_along(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("buyer1@markt.com").await;
    let mut bodies = Vec::new();
    let long = "Aa1".repeat(20_000);
    for (email, password) in [
        ("buyer1@markt.com", "Password124"),
        ("nobody@markt.com", PASSWORD),
        ("buyer1@markt.com", ""),
        ("buyer1@markt.com", &long),
    ] {
        let answer = client.log_in(email, password).await;
        answer.assert_error(401, "invalid_credentials");
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        let mut body = answer.json();
        body["request_id"].take();
        bodies.push(body);
        assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

async fn a_login_ends_the_session_that_came_along(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let old = server.secret_of("buyer1@markt.com").await;
    let other = server.secret_of("buyer1@markt.com").await;
    let answer = server.with_cookie(&old).log_in("buyer1@markt.com", PASSWORD).await;
    let new = answer.session_cookie().value;
    assert_ne!(new, old);
    server.assert_dead(&old).await;
    server.assert_alive(&new, "buyer1").await;
    server.assert_alive(&other, "buyer1").await;
}

async fn a_login_ends_a_session_that_another_user_planted(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let planted = server.secret_of("seller1@markt.com").await;
    let answer = server.with_cookie(&planted).log_in("buyer1@markt.com", PASSWORD).await;
    assert_eq!(answer.json()["username"], "buyer1");
    server.assert_dead(&planted).await;
    server.assert_alive(&answer.session_cookie().value, "buyer1").await;
}

async fn a_login_ends_sessions_that_came_along_in_either_way(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (cookie, bearer) = (server.secret_of("buyer1@markt.com").await, server.secret_of("seller1@markt.com").await);
    let client = server.with_cookie(&cookie).with_header("authorization", format!("Bearer {bearer}"));
    let answer = client.log_in("both1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    server.assert_dead(&cookie).await;
    server.assert_dead(&bearer).await;
    server.assert_alive(&answer.session_cookie().value, "both1").await;
}

async fn a_seller_account_is_not_to_be_had_by_a_buyer_who_stays_logged_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("buyer1@markt.com").await;
    let body = json!({"email": "buyer1@markt.com", "password": PASSWORD, "account_type": "seller"});
    let answer = client.post("/users/login", body).await;
    answer.assert_error(403, "role_unavailable");
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(client.get("/users/profile").await.json()["current_role"], "buyer");
    let wrong = json!({"email": "buyer1@markt.com", "password": "Password124", "account_type": "seller"});
    client.post("/users/login", wrong).await.assert_error(401, "invalid_credentials");
}

async fn a_user_with_both_accounts_acts_as_a_buyer_unless_asked_otherwise(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secrets = Vec::new();
    for (wanted, role) in [(Value::Null, "buyer"), ("seller".into(), "seller"), ("buyer".into(), "buyer")] {
        let client = server.without_cookies();
        let body = json!({"email": "both1@markt.com", "password": PASSWORD, "account_type": wanted});
        let answer = client.post("/users/login", body).await;
        assert_eq!(answer.json()["current_role"], role, "{wanted}");
        secrets.push((answer.session_cookie().value, role));
    }
    for (secret, role) in secrets {
        assert_eq!(server.with_cookie(&secret).get("/users/profile").await.json()["current_role"], role);
    }
    let seller = server.client().log_in("seller1@markt.com", PASSWORD).await;
    assert_eq!(seller.json()["current_role"], "seller");
}

async fn a_user_who_has_not_verified_the_address_is_told_to(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    let client = server.logged_in("buyer1@markt.com").await;
    let answer = client.log_in("ANN_LEE@example.com", PASSWORD).await;
    answer.assert_error(403, "unverified_email");
    let body = answer.json();
    assert_eq!(body["email"], "ann_lee@example.com");
    assert!(body["message"].as_str().unwrap().contains("verify your email"), "{body}");
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
    // Only who knows the password is told.
    client.log_in("ann_lee@example.com", "Password124").await.assert_error(401, "invalid_credentials");
}

async fn a_deactivated_user_is_out_and_comes_in_again_when_reactivated(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let client = server.with_cookie(&secret);
    server.assert_alive(&secret, "buyer1").await;
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'buyer1'").await;
    // A change made in SQL may go unseen for session.user_cache_ttl, a minute, and no longer.
    server.clock().advance(Duration::from_secs(61));
    client.get("/users/profile").await.assert_error(401, "session_revoked");
    client.log_in("buyer1@markt.com", PASSWORD).await.assert_error(403, "account_deactivated");
    client.log_in("buyer1@markt.com", "Password124").await.assert_error(401, "invalid_credentials");
    server.setup.execute_sql("UPDATE users SET is_active = TRUE WHERE username = 'buyer1'").await;
    server.logged_in("buyer1@markt.com").await;
}

async fn a_user_who_is_deleted_in_sql_is_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (secret, stranger) = (server.secret_of("buyer1@markt.com").await, server.secret_of("seller1@markt.com").await);
    server.assert_alive(&secret, "buyer1").await;
    let of_user = "user_id = (SELECT id FROM users WHERE username = 'buyer1')";
    let statements = format!("DELETE FROM buyers WHERE {of_user}; DELETE FROM users WHERE username = 'buyer1'");
    server.setup.execute_sql(&statements).await;
    // As with any change made in SQL.
    server.clock().advance(Duration::from_secs(61));
    server.assert_dead(&secret).await;
    server.client().log_in("buyer1@markt.com", PASSWORD).await.assert_error(401, "invalid_credentials");
    server.assert_alive(&stranger, "seller1").await;
}

async fn a_deactivated_shop_is_no_role_to_act_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.setup.execute_sql("UPDATE sellers SET is_active = FALSE").await;
    let body = json!({"email": "both1@markt.com", "password": PASSWORD, "account_type": "seller"});
    server.client().post("/users/login", body).await.assert_error(403, "role_unavailable");
    let answer = server.client().log_in("both1@markt.com", PASSWORD).await;
    assert_eq!(answer.json()["current_role"], "buyer");
}

async fn a_login_shows_at_once_in_its_own_profile_and_soon_in_that_of_another_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let running = server.client().with_header("origin", FRONT_END);
    let first = running.log_in("buyer1@markt.com", PASSWORD).await.json()["last_login_at"].clone();
    assert_eq!(running.get("/users/profile").await.json()["last_login_at"], first);
    for _ in 0..3 {
        server.clock().advance(Duration::from_secs(5));
        let client = server.client().with_header("origin", FRONT_END);
        let answer = client.log_in("buyer1@markt.com", PASSWORD).await.json();
        assert_ne!(answer["last_login_at"], first);
        let assert_shown_to = async |client: &Client| {
            let profile = client.get("/users/profile").await.json();
            assert_eq!(profile["last_login_at"], answer["last_login_at"]);
            assert_eq!(profile["updated_at"], answer["updated_at"]);
        };
        assert_shown_to(&client).await;
        // session.user_cache_ttl is a minute.
        server.clock().advance(Duration::from_secs(61));
        assert_shown_to(&running).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_field_of_a_login_is_named_at_once() {
    let server = Server::start(Deployment::Embedded).await;
    let missing = json!(["Missing data for required field."]);
    let errors = server.client().post("/users/login", json!({})).await.errors("json");
    assert_eq!(errors, json!({"email": missing, "password": missing}));
    let body = json!({"email": "nope", "password": 7, "account_type": "king", "remember": "yes"});
    let expected = json!({
        "email": ["Not a valid email address."],
        "password": ["Not a valid string."],
        "account_type": ["Must be one of: buyer, seller."],
        "remember": ["Not a valid boolean."],
    });
    assert_eq!(server.client().post("/users/login", body).await.errors("json"), expected);
}

//! `POST /users/switch-role`

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, FRONT_END, PASSWORD, Server};
use crate::shapes::{USER, assert_keys};

on_both_deployments!(
    a_cookie_session_switches_and_gets_a_new_secret,
    a_bearer_session_switches_and_keeps_its_secret,
    each_device_has_a_role_of_its_own,
    a_role_outlasts_a_restart,
    who_has_one_account_stays_in_its_role,
    a_deactivated_account_is_no_role_to_switch_to,
    who_is_not_logged_in_switches_nothing,
);

const PATH: &str = "/users/switch-role";

/// Makes sure that this is a switch from one role to the other; returns the answer's body.
#[track_caller]
fn assert_switched(answer: &Answer, from: &str, to: &str) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_keys(&body, &[&["success", "previous_role", "current_role", "message", "user"]]);
    assert_eq!(
        (&body["success"], &body["previous_role"], &body["current_role"]),
        (&true.into(), &from.into(), &to.into())
    );
    assert!(body["message"].as_str().is_some_and(|message| message.contains(to)), "{body}");
    assert_keys(&body["user"], &[&USER]);
    assert_eq!((&body["user"]["username"], &body["user"]["current_role"]), (&"both1".into(), &to.into()));
    body
}

/// Makes sure that the session is in this role, wherever that shows.
async fn assert_role(client: &Client, role: &str) {
    assert_eq!(client.get("/users/profile").await.json()["current_role"], role);
    assert_eq!(client.get("/session").await.json()["current_role"], role);
    assert_eq!(client.get("/sessions/verify").await.header("x-auth-role"), role);
}

async fn a_cookie_session_switches_and_gets_a_new_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let browser = server.browser();
    let issued = browser.log_in("both1@markt.com", PASSWORD).await.session_cookie();
    let mut secrets = vec![issued.value.clone()];
    for (from, to) in [("buyer", "seller"), ("seller", "buyer"), ("buyer", "seller")] {
        let before = browser.get("/session").await.json();
        server.clock().advance(Duration::from_secs(5));
        let answer = browser.post_nothing(PATH).await;
        assert_switched(&answer, from, to);
        let cookie = answer.session_cookie();
        assert_eq!(cookie.attributes, issued.attributes, "{answer:?}");
        assert!(!secrets.contains(&cookie.value), "{answer:?}");
        secrets.push(cookie.value.clone());
        assert_role(&browser, to).await;
        assert_role(&server.with_cookie(&cookie.value), to).await;
        let after = browser.get("/session").await.json();
        assert_ne!(after["id"], before["id"]);
        for field in ["user_id", "created_at", "authenticated_at", "fresh", "remember", "transport", "expires_at"] {
            assert_eq!(after[field], before[field], "{field}");
        }
    }
    // One session, and after the grace one secret.
    server.clock().advance(Duration::from_secs(11));
    assert_eq!(browser.get("/users/sessions").await.json()["items"].as_array().unwrap().len(), 1);
    let newest = secrets.pop().unwrap();
    server.assert_alive(&newest, "both1").await;
    for old in secrets {
        let answer = server.with_cookie(&old).get("/users/profile").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    }
}

async fn a_bearer_session_switches_and_keeps_its_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let login = server.without_cookies().log_in("both1@markt.com", PASSWORD).await;
    let secret = login.json()["token"].as_str().unwrap().to_owned();
    let app = server.with_bearer(&secret);
    let id = app.get("/session").await.json()["id"].clone();
    for (from, to) in [("buyer", "seller"), ("seller", "buyer"), ("buyer", "seller")] {
        let answer = app.post_nothing(PATH).await;
        assert_switched(&answer, from, to);
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        assert_role(&app, to).await;
        assert_eq!(app.get("/session").await.json()["id"], id);
    }
    server.clock().advance(Duration::from_secs(11));
    assert_role(&app, "seller").await;
}

async fn each_device_has_a_role_of_its_own(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (phone, laptop) = (server.browser(), server.browser());
    for device in [&phone, &laptop] {
        assert_eq!(device.log_in("both1@markt.com", PASSWORD).await.status, StatusCode::OK);
    }
    let app = server.with_bearer(&server.secret_of("both1@markt.com").await);
    assert_switched(&phone.post_nothing(PATH).await, "buyer", "seller");
    assert_role(&phone, "seller").await;
    assert_role(&laptop, "buyer").await;
    assert_role(&app, "buyer").await;
    assert_switched(&app.post_nothing(PATH).await, "buyer", "seller");
    assert_switched(&phone.post_nothing(PATH).await, "seller", "buyer");
    assert_role(&phone, "buyer").await;
    assert_role(&laptop, "buyer").await;
    assert_role(&app, "seller").await;
    // The list of devices tells them apart.
    let items = laptop.get("/users/sessions").await.json()["items"].clone();
    let mut roles: Vec<_> =
        items.as_array().unwrap().iter().map(|item| item["current_role"].as_str().unwrap().to_owned()).collect();
    roles.sort();
    assert_eq!(roles, ["buyer", "buyer", "seller"]);
    // A new login starts in the default role again.
    assert_role(&server.logged_in("both1@markt.com").await, "buyer").await;
}

async fn a_role_outlasts_a_restart(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let browser = server.browser();
    browser.log_in("both1@markt.com", PASSWORD).await;
    assert_switched(&browser.post_nothing(PATH).await, "buyer", "seller");
    let server = server.stop().await.start().await;
    assert_role(&browser.at(&server), "seller").await;
}

async fn who_has_one_account_stays_in_its_role(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (email, role) in [("buyer1@markt.com", "buyer"), ("seller1@markt.com", "seller")] {
        let browser = server.browser();
        let secret = browser.log_in(email, PASSWORD).await.session_cookie().value;
        let answer = browser.post_nothing(PATH).await;
        answer.assert_error(403, "role_unavailable");
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        assert_role(&server.with_cookie(&secret), role).await;
    }
}

async fn a_deactivated_account_is_no_role_to_switch_to(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, seller) = (server.browser(), server.client().with_header("origin", FRONT_END));
    browser.log_in("both1@markt.com", PASSWORD).await;
    let body = json!({"email": "both1@markt.com", "password": PASSWORD, "account_type": "seller"});
    assert_eq!(seller.post("/users/login", body).await.status, StatusCode::OK);
    server.setup.execute_sql("UPDATE sellers SET is_active = FALSE").await;
    // A change made in SQL may go unseen for session.user_cache_ttl, a minute, and no longer.
    server.clock().advance(Duration::from_secs(61));
    browser.post_nothing(PATH).await.assert_error(403, "role_unavailable");
    assert_role(&browser, "buyer").await;
    // Who acts in it already can get out of it, but not back.
    assert_switched(&seller.post_nothing(PATH).await, "seller", "buyer");
    seller.post_nothing(PATH).await.assert_error(403, "role_unavailable");
    server.setup.execute_sql("UPDATE sellers SET is_active = TRUE").await;
    server.clock().advance(Duration::from_secs(61));
    assert_switched(&browser.post_nothing(PATH).await, "buyer", "seller");
}

async fn who_is_not_logged_in_switches_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.client().post_nothing(PATH).await.assert_error(401, "not_authenticated");
    server.with_cookie(&"x".repeat(43)).post_nothing(PATH).await.assert_error(401, "not_authenticated");
    let secret = server.secret_of("both1@markt.com").await;
    server.with_cookie(&secret).post_nothing("/users/logout").await;
    server.with_cookie(&secret).post_nothing(PATH).await.assert_error(401, "session_revoked");
}

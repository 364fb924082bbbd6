//! What access tokens are good for.

use markt_test_support::stores::{Relay, redis_url, server_address, through};
use reqwest::StatusCode;
use serde_json::json;

use super::{ACCESS_TTL, EMAIL, MOMENT, Tokens, by_tokens, caller, claims, log_in, refresh};
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::shapes::{PROFILE_ALONE, SESSION, USER, assert_keys, registration};

on_both_deployments!(
    logging_in_and_registering_hand_out_tokens_and_no_cookie,
    every_route_knows_the_caller_by_the_token,
    an_access_token_is_accepted_until_it_expires,
    a_token_carries_the_role_and_a_switch_brings_another,
    giving_the_password_again_brings_tokens_that_are_fresh,
    a_change_to_the_user_shows_at_once,
    session_secrets_and_cookies_open_nothing,
);

const TOKENS: [&str; 4] = ["access_token", "token_type", "expires_in", "refresh_token"];

async fn logging_in_and_registering_hand_out_tokens_and_no_cookie(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let browser = server.browser();
    let answer = browser.log_in(EMAIL, PASSWORD).await;
    Tokens::of(&answer);
    assert_keys(&answer.json(), &[&USER, &TOKENS]);
    let answer = server.client().post("/users/register", registration("newcomer")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let tokens = Tokens::of(&answer);
    assert_keys(&answer.json(), &[&USER, &PROFILE_ALONE, &TOKENS]);
    assert_eq!(caller(&server, &tokens).get("/users/profile").await.json()["username"], "newcomer");
    browser.get("/users/profile").await.assert_error(401, "not_authenticated");
    assert_eq!(server.client().get("/status").await.json()["auth_mode"], "jwt");
}

async fn every_route_knows_the_caller_by_the_token(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let client = caller(&server, &tokens);
    let session = client.get("/session").await;
    assert_keys(&session.json(), &[&SESSION]);
    let (session, claims) = (session.json(), claims(&tokens.access));
    assert_eq!(session["id"], claims["sid"]);
    assert_eq!((&session["transport"], &session["fresh"]), (&json!("bearer"), &json!(true)));
    let devices = client.get("/users/sessions").await.json();
    assert_eq!((&devices["items"][0]["id"], &devices["items"][0]["current"]), (&session["id"], &json!(true)));
    let verified = client.get("/sessions/verify").await;
    verified.assert_status(204);
    assert_eq!(verified.header("x-auth-session"), session["id"]);
    assert_eq!(verified.header("x-auth-user-id"), claims["sub"]);
    client.patch("/users/profile", json!({"phone_number": "+4930123"})).await.assert_status(200);
}

async fn an_access_token_is_accepted_until_it_expires(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let claims = claims(&tokens.access);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    server.clock().advance(ACCESS_TTL - MOMENT * 2);
    caller(&server, &tokens).get("/users/profile").await.assert_status(200);
    server.clock().advance(MOMENT * 2);
    caller(&server, &tokens).get("/users/profile").await.assert_error(401, "invalid_token");
    caller(&server, &tokens).post_nothing("/users/logout").await.assert_error(401, "invalid_token");
    let again = Tokens::of(&refresh(&server, &tokens.refresh).await);
    caller(&server, &again).get("/users/profile").await.assert_status(200);
}

async fn a_token_carries_the_role_and_a_switch_brings_another(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let answer = caller(&server, &tokens).post_nothing("/users/switch-role").await;
    let body = answer.json();
    assert_eq!((&body["previous_role"], &body["current_role"]), (&json!("buyer"), &json!("seller")), "{body}");
    assert!(body.get("refresh_token").is_none(), "the one that is there goes on to count: {body}");
    let switched = server.with_bearer(body["access_token"].as_str().unwrap());
    assert_eq!(switched.get("/users/profile").await.json()["current_role"], "seller");
    assert_eq!(
        caller(&server, &tokens).get("/users/profile").await.json()["current_role"],
        "buyer",
        "the old one says"
    );
    let refreshed = Tokens::of(&refresh(&server, &tokens.refresh).await);
    assert_eq!(caller(&server, &refreshed).get("/users/profile").await.json()["current_role"], "seller");
}

async fn giving_the_password_again_brings_tokens_that_are_fresh(deployment: Deployment) {
    let server = by_tokens(deployment).await.with("MARKT_SESSION__FRESH_FOR", "5m").start().await;
    let tokens = log_in(&server).await;
    server.clock().advance(std::time::Duration::from_secs(301));
    let stale = Tokens::of(&refresh(&server, &tokens.refresh).await);
    let client = caller(&server, &stale);
    assert_eq!(client.get("/session").await.json()["fresh"], false, "a refresh takes no password");
    client.delete("/users/sessions").await.assert_error(403, "reauthentication_required");
    client.post("/users/reauthenticate", json!({"password": "wrong"})).await.assert_error(403, "wrong_password");
    let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    assert_keys(&answer.json(), &[&SESSION, &TOKENS]);
    let fresh = Tokens::of(&answer);
    assert_eq!(caller(&server, &fresh).delete("/users/sessions").await.json()["revoked"], 0);
    assert_eq!(caller(&server, &stale).get("/session").await.json()["fresh"], false, "the token before it isn't");
    Tokens::of(&refresh(&server, &fresh.refresh).await);
}

async fn a_change_to_the_user_shows_at_once(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let (one, other) = (log_in(&server).await, log_in(&server).await);
    for number in ["+49301", "+49302"] {
        caller(&server, &one).patch("/users/profile", json!({ "phone_number": number })).await.assert_status(200);
        for tokens in [&one, &other] {
            assert_eq!(caller(&server, tokens).get("/users/profile").await.json()["phone_number"], number);
        }
    }
}

async fn session_secrets_and_cookies_open_nothing(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    for secret in ["a".repeat(43), tokens.access.clone()] {
        server.with_cookie(&secret).get("/users/profile").await.assert_error(401, "not_authenticated");
    }
    server.with_bearer(&"a".repeat(43)).get("/users/profile").await.assert_error(401, "not_authenticated");
    server.with_bearer("no.token.really").get("/users/profile").await.assert_error(401, "invalid_token");
    server.with_bearer(&tokens.refresh).get("/users/profile").await.assert_error(401, "invalid_token");
    server.with_bearer(&"a".repeat(9000)).get("/users/profile").await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn sessions_know_nothing_of_tokens() {
    let server = Server::start(Deployment::Embedded).await;
    let answer = server.client().log_in(EMAIL, PASSWORD).await;
    assert_keys(&answer.json(), &[&USER, &["token"]]);
    refresh(&server, "a.b.c").await.assert_error(404, "not_found");
    let tokens = log_in(&by_tokens(Deployment::Embedded).await.start().await).await;
    server.with_bearer(&tokens.access).get("/users/profile").await.assert_error(401, "not_authenticated");
}

/// That is the one thing that tokens are better at.
#[tokio::test]
async fn a_caller_with_a_token_is_known_while_redis_is_away() {
    let relay = Relay::to(server_address(&redis_url())).await;
    let url = through(&redis_url(), relay.address());
    let server = by_tokens(Deployment::Full).await.with("MARKT_REDIS_URL", url).start().await;
    let tokens = log_in(&server).await;
    let client = caller(&server, &tokens);
    client.get("/users/profile").await.assert_status(200);
    relay.cut().await;
    client.get("/users/profile").await.assert_status(200);
    refresh(&server, &tokens.refresh).await.assert_store_unavailable();
}

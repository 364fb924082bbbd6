//! `POST /auth/exchange`

use std::time::Duration;

use markt_test_support::stores::{Relay, server_address, through};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ACCESS_TTL, EMAIL, Tokens, by_either, by_tokens, caller, claims, legacy_token, log_in, refresh};
use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::shapes::{SESSION, USER, assert_keys};

on_both_deployments!(
    the_holder_of_a_token_gets_a_session_as_at_a_login,
    a_browser_gets_it_in_the_cookie_alone,
    the_session_is_not_fresh_however_new_the_token_is,
    our_own_tokens_can_be_exchanged_too,
    a_token_is_good_for_one_session,
    of_many_exchanges_at_once_one_succeeds,
    a_token_from_before_the_last_end_of_all_sessions_is_good_for_none,
    what_is_not_acceptable_gets_none,
    a_session_that_came_along_gives_way_if_the_token_is_good,
    where_the_mode_is_another_there_is_nothing_to_exchange,
);

const PATH: &str = "/auth/exchange";

async fn exchange(server: &Server, token: &str) -> Answer {
    server.with_bearer(token).post_nothing(PATH).await
}

async fn the_holder_of_a_token_gets_a_session_as_at_a_login(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let token = legacy_token(&server, "both1", json!({"role": "seller"})).await;
    server.clock().advance(Duration::from_secs(600));
    let answer = exchange(&server, &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let body = answer.json();
    assert_keys(&body, &[&USER, &["token"]]);
    assert_eq!((&body["username"], &body["current_role"]), (&json!("both1"), &json!("seller")));
    let secret = answer.session_cookie().value;
    assert_eq!(body["token"], secret);
    let session = server.session_of(&secret).await;
    assert_keys(&session, &[&SESSION]);
    assert_eq!(time(&session["authenticated_at"]), claims(&token)["iat"]);
    assert_eq!(time(&session["created_at"]), claims(&token)["iat"].as_i64().unwrap() + 600);
    assert_eq!((&session["remember"], &session["transport"]), (&json!(true), &json!("bearer")));
    server.with_bearer(&secret).get("/users/profile").await.assert_status(200);
    server.with_bearer(&secret).post_nothing("/users/logout").await.assert_status(204);
    server.assert_dead(&secret).await;
}

/// Seconds since 1970.
fn time(value: &Value) -> i64 {
    let text = format!("\"{}\"", value.as_str().unwrap());
    serde_json::from_str::<markt_domain::Timestamp>(&text).unwrap().unix_milliseconds() / 1000
}

async fn a_browser_gets_it_in_the_cookie_alone(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let browser = server.browser();
    let answer = browser.clone().with_header("authorization", format!("Bearer {token}")).post_nothing(PATH).await;
    assert_keys(&answer.json(), &[&USER]);
    assert_eq!(browser.get("/session").await.json()["transport"], "cookie");
}

async fn the_session_is_not_fresh_however_new_the_token_is(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let token = legacy_token(&server, "both1", json!({"auth_time": 1})).await;
    let secret = exchange(&server, &token).await.session_cookie().value;
    let client = server.with_bearer(&secret);
    assert_eq!(client.get("/session").await.json()["fresh"], false);
    assert_eq!(client.get("/users/sessions").await.json()["items"][0]["fresh"], false);
    client.delete("/users/sessions").await.assert_error(403, "reauthentication_required");
    let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    assert_eq!(answer.json()["fresh"], true);
    let fresh = server.with_bearer(answer.json()["token"].as_str().unwrap());
    assert_eq!(fresh.get("/session").await.json()["fresh"], true);
    fresh.delete("/users/sessions").await.assert_status(200);
}

async fn our_own_tokens_can_be_exchanged_too(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let dual = server.setup.clone().with("MARKT_AUTH__MODE", "dual").start().await;
    let secret = exchange(&dual, &tokens.access).await.session_cookie().value;
    dual.assert_alive(&secret, "both1").await;
    exchange(&dual, &tokens.access).await.assert_error(401, "invalid_token");
    let next = Tokens::of(&refresh(&dual, &tokens.refresh).await);
    exchange(&dual, &next.access).await.assert_status(200);
}

async fn a_token_is_good_for_one_session(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let secret = exchange(&server, &token).await.session_cookie().value;
    exchange(&server, &token).await.assert_error(401, "invalid_token");
    server.assert_alive(&secret, "both1").await;
    server.with_bearer(&secret).post_nothing("/users/logout").await.assert_status(204);
    exchange(&server, &token).await.assert_error(401, "invalid_token");
    let twin = server.twin().await;
    exchange(&twin, &token).await.assert_error(401, "invalid_token");
    server.with_bearer(&token).get("/users/profile").await.assert_status(200);
    exchange(&server, &legacy_token(&server, "both1", json!({})).await).await.assert_status(200);
}

async fn of_many_exchanges_at_once_one_succeeds(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    for round in 1..=5 {
        let token = legacy_token(&server, "both1", json!({})).await;
        let mut asking = JoinSet::new();
        for _ in 0..12 {
            let client = server.with_bearer(&token);
            asking.spawn(async move { client.post_nothing(PATH).await });
        }
        let answers = asking.join_all().await;
        let (good, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
        assert_eq!(good.len(), 1, "{answers:?}");
        for answer in others {
            answer.assert_error(401, "invalid_token");
        }
        let client = server.with_bearer(&good[0].session_cookie().value);
        let items = client.get("/users/sessions").await.json()["items"].as_array().unwrap().len();
        assert_eq!(items, round, "the losers leave no sessions");
    }
}

async fn a_token_from_before_the_last_end_of_all_sessions_is_good_for_none(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let moment = Duration::from_secs(2);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(legacy_token(&server, "both1", json!({})).await);
    }
    server.clock().advance(moment);
    let secret = server.secret_of(EMAIL).await;
    server.with_bearer(&secret).post_nothing("/users/logout?everywhere=true").await.assert_status(204);
    exchange(&server, &tokens[0]).await.assert_error(401, "invalid_token");
    server.clock().advance(moment);
    let later = legacy_token(&server, "both1", json!({})).await;
    let another = legacy_token(&server, "both1", json!({})).await;
    let secret = exchange(&server, &later).await.session_cookie().value;
    server.clock().advance(moment);
    let body = json!({"current_password": PASSWORD, "new_password": "Password456"});
    server.with_bearer(&secret).post("/users/password", body).await.assert_status(200);
    for token in [&another, &tokens[1]] {
        exchange(&server, token).await.assert_error(401, "invalid_token");
    }
}

async fn what_is_not_acceptable_gets_none(deployment: Deployment) {
    let server = by_either(deployment).await.with("MARKT_JWT__LEGACY__AUDIENCE", "markt").start().await;
    let good = |claims: Value| {
        let mut all = json!({"aud": "markt"});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        all
    };
    let jwt = server.setup.clone().with("MARKT_AUTH__MODE", "jwt").start().await;
    let own = log_in(&jwt).await;
    let mut tokens = vec![own.refresh.clone(), "a.b.c".to_owned()];
    for claims in [
        json!({}),
        good(json!({"type": "refresh"})),
        good(json!({"exp": 1})),
        good(json!({"sub": "USR_NOBODY00"})),
        good(json!({"jti": null})),
        good(json!({"iat": null})),
        json!({"aud": ["shop"]}),
    ] {
        tokens.push(legacy_token(&server, "both1", claims).await);
    }
    for token in tokens {
        exchange(&server, &token).await.assert_error(401, "invalid_token");
    }
    let one = legacy_token(&server, "seller1", good(json!({}))).await;
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'seller1'").await;
    exchange(&server, &one).await.assert_error(401, "invalid_token");
    server.client().post_nothing(PATH).await.assert_error(401, "not_authenticated");
    let secret = server.secret_of(EMAIL).await;
    server.with_bearer(&secret).post_nothing(PATH).await.assert_error(401, "not_authenticated");
    server.with_cookie(&secret).post_nothing(PATH).await.assert_error(401, "not_authenticated");
    let [one, other] =
        [legacy_token(&server, "both1", good(json!({}))).await, legacy_token(&server, "both1", good(json!({}))).await];
    let both = server.with_bearer(&one).with_header("authorization", format!("Bearer {other}"));
    both.post_nothing(PATH).await.assert_error(400, "ambiguous_credentials");
    server.clock().advance(ACCESS_TTL);
    exchange(&server, &own.access).await.assert_error(401, "invalid_token");
}

async fn a_session_that_came_along_gives_way_if_the_token_is_good(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let planted = server.secret_in_cookie("buyer1@markt.com").await;
    let with_cookie =
        |token: &str| server.with_cookie(&planted).with_header("authorization", format!("Bearer {token}"));
    with_cookie("a.b.c").post_nothing(PATH).await.assert_error(401, "invalid_token");
    server.assert_alive(&planted, "buyer1").await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let secret = with_cookie(&token).post_nothing(PATH).await.session_cookie().value;
    assert_ne!(public_id(&secret), public_id(&planted));
    server.assert_alive(&secret, "both1").await;
    server.assert_dead(&planted).await;
}

async fn where_the_mode_is_another_there_is_nothing_to_exchange(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    caller(&server, &tokens).post_nothing(PATH).await.assert_error(404, "not_found");
    let server = Server::start(deployment).await;
    exchange(&server, "a.b.c").await.assert_error(404, "not_found");
}

/// Nobody loses the token to a store that couldn't make a session for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_not_spent_for_nothing_while_a_store_is_away() {
    let setup = by_either(Deployment::Full).await;
    let redis_url = markt_test_support::stores::redis_url();
    let relay = Relay::to(server_address(&redis_url)).await;
    let server = setup.with("MARKT_REDIS_URL", through(&redis_url, relay.address())).start().await;
    let token = legacy_token(&server, "both1", json!({})).await;
    relay.cut().await;
    exchange(&server, &token).await.assert_store_unavailable();
    relay.restore().await;
    for _ in 0..200 {
        let answer = exchange(&server, &token).await;
        if answer.status == StatusCode::OK {
            return;
        }
        answer.assert_store_unavailable();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the token is gone");
}

//! How a client keeps its secret, and how it may send it.

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, FRONT_END, PASSWORD, Server};
use crate::setup::Setup;
use crate::shapes::registration;

on_both_deployments!(
    an_app_gets_the_secret_in_the_body_and_sends_it_as_bearer,
    secrets_of_two_sessions_are_ambiguous_even_if_they_are_one_users,
    of_a_secret_and_garbage_the_secret_counts,
    the_same_secret_twice_is_one,
);

async fn token(client: &Client) -> Option<String> {
    let answer = client.log_in("buyer1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let token = answer.json().get("token").map(|token| token.as_str().unwrap().to_owned());
    if let Some(token) = &token {
        assert_eq!(*token, answer.session_cookie().value);
    }
    token
}

async fn an_app_gets_the_secret_in_the_body_and_sends_it_as_bearer(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let token = token(&server.without_cookies()).await.unwrap();
    assert_eq!(server.with_bearer(&token).get("/users/profile").await.json()["username"], "buyer1");
    for scheme in ["bearer", "BEARER"] {
        let client = server.without_cookies().with_header("authorization", format!("{scheme} {token}"));
        assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1", "{scheme}");
    }
    let basic = server.without_cookies().with_header("authorization", format!("Basic {token}"));
    basic.get("/users/profile").await.assert_error(401, "not_authenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_gets_the_secret_in_the_body_only_if_it_says_so() {
    let server = Server::start(Deployment::Embedded).await;
    let client = || server.without_cookies();
    for (name, value) in [("origin", FRONT_END), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")] {
        assert_eq!(token(&client().with_header(name, value)).await, None, "{name}: {value}");
        let explicit = client().with_header(name, value).with_header("x-session-transport", "bearer");
        assert!(token(&explicit).await.is_some(), "{name}: {value}");
        let body = registration(&format!("user_{}", value.len()));
        let registered = client().with_header(name, value).post("/users/register", body).await;
        assert_eq!(registered.json().get("token"), None, "{name}: {value}");
    }
    assert_eq!(token(&client().with_header("x-session-transport", "cookie")).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_that_is_configured_only_who_says_so_gets_the_secret_in_the_body() {
    let server = Setup::of(Deployment::Embedded).await.with("MARKT_SESSION__BEARER", "explicit").start().await;
    assert_eq!(token(&server.without_cookies()).await, None);
    let token = token(&server.without_cookies().with_header("x-session-transport", "bearer")).await.unwrap();
    assert_eq!(server.with_bearer(&token).get("/users/profile").await.json()["username"], "buyer1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_bearer_is_off_no_secret_is_in_a_body_and_none_is_taken_as_bearer() {
    let server = Setup::of(Deployment::Embedded).await.with("MARKT_SESSION__BEARER", "off").start().await;
    assert_eq!(token(&server.without_cookies().with_header("x-session-transport", "bearer")).await, None);
    let secret = server.secret_of("buyer1@markt.com").await;
    server.with_bearer(&secret).get("/users/profile").await.assert_error(401, "not_authenticated");
    server.assert_alive(&secret, "buyer1").await;
    // Not taken means that it doesn't get in the way either.
    let other = server.secret_of("seller1@markt.com").await;
    let both = server.with_cookie(&secret).with_header("authorization", format!("Bearer {other}"));
    assert_eq!(both.get("/users/profile").await.json()["username"], "buyer1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_the_url_or_the_body_opens_nothing() {
    let server = Server::start(Deployment::Embedded).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let client = server.without_cookies();
    for name in ["markt_session", "token", "access_token", "session"] {
        let query = format!("/users/profile?{name}={secret}");
        client.get(&query).await.assert_error(401, "not_authenticated");
        for (method, path) in [(Method::GET, "/users/profile"), (Method::POST, "/users/logout")] {
            let in_json = client.request(method.clone(), path).json(&json!({ name: secret }));
            Answer::of(in_json).await.assert_error(401, "not_authenticated");
            let form = client.request(method, path).header("content-type", "application/x-www-form-urlencoded");
            let in_form = form.body(format!("{name}={secret}"));
            Answer::of(in_form).await.assert_error(401, "not_authenticated");
        }
    }
    server.assert_alive(&secret, "buyer1").await;
}

async fn secrets_of_two_sessions_are_ambiguous_even_if_they_are_one_users(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (one, two) = (server.secret_of("buyer1@markt.com").await, server.secret_of("buyer1@markt.com").await);
    let in_both_ways = server.with_cookie(&one).with_header("authorization", format!("Bearer {two}"));
    let two_cookies = server.with_cookie(&format!("{one}; markt_session={two}"));
    let two_headers = server.with_cookie(&one).with_header("cookie", format!("markt_session={two}"));
    for client in [in_both_ways, two_cookies, two_headers] {
        client.get("/users/profile").await.assert_error(400, "ambiguous_credentials");
    }
    server.assert_alive(&one, "buyer1").await;
    server.assert_alive(&two, "buyer1").await;
}

async fn of_a_secret_and_garbage_the_secret_counts(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let dead = server.secret_of("buyer1@markt.com").await;
    server.with_cookie(&dead).post_nothing("/users/logout").await;
    let invented = "x".repeat(43);
    let long = "x".repeat(8 * 1024);
    for garbage in ["", "garbage", "\"quoted\"", &invented, &dead, &long] {
        for cookies in [format!("{garbage}; markt_session={secret}"), format!("{secret}; markt_session={garbage}")] {
            let answer = server.with_cookie(&cookies).get("/users/profile").await;
            assert_eq!(answer.json()["username"], "buyer1", "{garbage}");
        }
        let mixed = server.with_cookie(garbage).with_header("authorization", format!("Bearer {secret}"));
        assert_eq!(mixed.get("/users/profile").await.json()["username"], "buyer1", "{garbage}");
        let error_type = if garbage == dead { "session_revoked" } else { "not_authenticated" };
        server.with_cookie(garbage).get("/users/profile").await.assert_error(401, error_type);
    }
    let mut bytes = HeaderMap::new();
    bytes.append("cookie", HeaderValue::from_bytes(b"markt_session=\xff\xfe\x80").unwrap());
    bytes.append("cookie", HeaderValue::try_from(format!("markt_session={secret}")).unwrap());
    let request = server.without_cookies().request(Method::GET, "/users/profile").headers(bytes);
    assert_eq!(Answer::of(request).await.json()["username"], "buyer1");
}

async fn the_same_secret_twice_is_one(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let client = server
        .with_cookie(&format!("{secret}; markt_session={secret}"))
        .with_header("authorization", format!("Bearer {secret}"));
    assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
}

//! `GET /sessions/verify`: what a gateway learns of who asks.

use std::time::Duration;

use markt_test_support::stores::{Relay, redis_url, server_address, through};
use reqwest::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;

const PATH: &str = "/sessions/verify";

/// The headers that tell who asks.
const WHO: [&str; 5] = ["x-auth-user-id", "x-auth-username", "x-auth-role", "x-auth-session", "x-auth-fresh"];

on_both_deployments!(
    the_headers_tell_who_asks,
    role_and_freshness_are_those_of_the_session,
    who_is_not_logged_in_gets_no_such_headers,
    the_cookie_is_renewed_through_the_gateway,
);

fn who(answer: &Answer) -> [&str; 5] {
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    WHO.map(|name| answer.header(name))
}

async fn the_headers_tell_who_asks(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (name, role) in [("buyer1", "buyer"), ("seller1", "seller"), ("both1", "buyer")] {
        let login = server.without_cookies().log_in(&format!("{name}@markt.com"), PASSWORD).await;
        let (id, secret) = (login.json()["id"].as_str().unwrap().to_owned(), login.session_cookie().value);
        for client in [server.with_cookie(&secret), server.with_bearer(&secret)] {
            // What the client says of itself is not what the gateway is told.
            let answer = client.with_header("x-auth-user-id", "USR_00000000").with_header("x-auth-fresh", "no");
            let answer = answer.get(PATH).await;
            assert_eq!(who(&answer), [id.as_str(), name, role, &public_id(&secret), "true"]);
            assert!(!format!("{:?}", answer.headers).contains(&secret), "the secret is nobody else's");
        }
    }
}

async fn role_and_freshness_are_those_of_the_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie("both1@markt.com").await;
    server.clock().advance(Duration::from_secs(15 * 60));
    let answer = server.with_cookie(&secret).get(PATH).await;
    assert_eq!(who(&answer)[2..], ["buyer", &public_id(&secret), "false"]);
    let switched = server.with_cookie(&secret).post_nothing("/users/switch-role").await.session_cookie().value;
    // The secret that was replaced leads to what the session is now.
    for presented in [&secret, &switched] {
        let answer = server.with_cookie(presented).get(PATH).await;
        assert_eq!(who(&answer)[2..], ["seller", &public_id(&switched), "false"]);
    }
    let body = json!({ "password": PASSWORD });
    let fresh = server.with_cookie(&switched).post("/users/reauthenticate", body).await.session_cookie().value;
    let answer = server.with_cookie(&fresh).get(PATH).await;
    assert_eq!(who(&answer)[2..], ["seller", &public_id(&fresh), "true"]);
}

async fn who_is_not_logged_in_gets_no_such_headers(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (one, two) = (server.secret_of("buyer1@markt.com").await, server.secret_of("seller1@markt.com").await);
    let (revoked, expired) = (server.secret_of("both1@markt.com").await, server.secret_of("both1@markt.com").await);
    server.with_cookie(&revoked).post_nothing("/users/logout").await;
    server.clock().advance(Duration::from_secs(6 * 24 * 60 * 60));
    for secret in [&one, &two] {
        assert_eq!(server.with_cookie(secret).get(PATH).await.status, StatusCode::NO_CONTENT);
    }
    let nobody = server.without_cookies().get(PATH).await;
    nobody.assert_error(401, "not_authenticated");
    let ambiguous = server.with_cookie(&one).with_header("authorization", format!("Bearer {two}")).get(PATH).await;
    ambiguous.assert_error(400, "ambiguous_credentials");
    server.clock().advance(Duration::from_secs(24 * 60 * 60));
    let expired = server.with_cookie(&expired).get(PATH).await;
    expired.assert_error(401, "session_expired");
    for answer in [nobody, ambiguous, expired] {
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("x-auth-")), "{answer:?}");
    }
}

async fn the_cookie_is_renewed_through_the_gateway(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie("buyer1@markt.com").await;
    server.clock().advance(Duration::from_secs(24 * 60 * 60));
    let answer = server.with_cookie(&secret).get(PATH).await;
    assert_eq!(who(&answer)[1], "buyer1");
    let cookie = answer.session_cookie();
    assert_eq!((cookie.value, cookie.attributes["max-age"].as_str()), (secret, "604800"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_old_that_no_header_can_hold_is_left_out() {
    let server = Server::start(Deployment::Embedded).await;
    for name in ["'ann' || char(10) || 'x-auth-role: admin'", "'ann' || char(13) || 'lee'", "'ann' || char(127)"] {
        let secret = server.secret_of("buyer1@markt.com").await;
        server.setup.execute_sql(&format!("UPDATE users SET username = {name} WHERE email = 'buyer1@markt.com'")).await;
        server.clock().advance(Duration::from_secs(60));
        let answer = server.with_cookie(&secret).get(PATH).await;
        assert_eq!(who(&answer)[1..3], ["", "buyer"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_the_gateway_is_told_so() {
    let relay = Relay::to(server_address(&redis_url())).await;
    let url = through(&redis_url(), relay.address());
    let server = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", url).start().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    assert_eq!(who(&server.with_cookie(&secret).get(PATH).await)[1], "buyer1");
    relay.cut().await;
    let answer = server.with_cookie(&secret).get(PATH).await;
    answer.assert_store_unavailable();
    assert!(WHO.iter().all(|name| answer.header(name).is_empty()), "{answer:?}");
    server.without_cookies().get(PATH).await.assert_error(401, "not_authenticated");
}

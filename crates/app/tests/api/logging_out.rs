//! `POST /users/logout`: which sessions end, and which go on.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, Server};

on_both_deployments!(
    a_logout_ends_this_session_alone_and_clears_the_cookie,
    a_logout_by_bearer_ends_the_session,
    who_is_not_logged_in_cannot_log_out,
    a_logout_everywhere_ends_all_of_the_users_sessions_and_no_one_elses,
    everywhere_is_true_or_false,
    a_logout_with_the_secrets_of_two_sessions_ends_neither,
);

async fn a_logout_ends_this_session_alone_and_clears_the_cookie(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let other = server.secret_of("buyer1@markt.com").await;
    let issued = server.client().log_in("buyer1@markt.com", "Password123").await.session_cookie();
    let answer = server.with_cookie(&secret).post_nothing("/users/logout").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert_eq!(answer.text, "");
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut cleared = answer.session_cookie();
    assert_eq!((cleared.name.as_str(), cleared.value.as_str()), ("markt_session", ""));
    assert_eq!(cleared.attributes.remove("max-age").as_deref(), Some("0"));
    // Browsers take a cookie away only by one whose other attributes are the same.
    cleared.attributes.remove("expires");
    let mut attributes = issued.attributes;
    attributes.remove("max-age");
    assert_eq!(cleared.attributes, attributes);
    server.assert_dead(&secret).await;
    server.assert_alive(&other, "buyer1").await;
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_error(401, "session_revoked");
}

async fn a_logout_by_bearer_ends_the_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let answer = server.with_bearer(&secret).post_nothing("/users/logout").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    server.assert_dead(&secret).await;
}

async fn who_is_not_logged_in_cannot_log_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for path in ["/users/logout", "/users/logout?everywhere=true"] {
        server.client().post_nothing(path).await.assert_error(401, "not_authenticated");
        server.with_cookie(&"x".repeat(43)).post_nothing(path).await.assert_error(401, "not_authenticated");
    }
    let body = json!({"email": "buyer1@markt.com", "password": "Password123", "remember": false});
    let secret = server.secret_with(body).await;
    server.clock().advance(Duration::from_secs(25 * 60 * 60));
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_error(401, "session_expired");
}

async fn a_logout_everywhere_ends_all_of_the_users_sessions_and_no_one_elses(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut mine = Vec::new();
    for _ in 0..4 {
        mine.push(server.secret_of("buyer1@markt.com").await);
    }
    let mut theirs = Vec::new();
    for user in ["seller1", "both1"] {
        theirs.push((server.secret_of(&format!("{user}@markt.com")).await, user));
    }
    let answer = server.with_cookie(&mine[2]).post_nothing("/users/logout?everywhere=true").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    assert_eq!(answer.session_cookie().value, "");
    for secret in &mine {
        server.assert_dead(secret).await;
    }
    for (secret, username) in theirs {
        server.assert_alive(&secret, username).await;
    }
    // Who logs in again is in.
    let secret = server.secret_of("buyer1@markt.com").await;
    server.assert_alive(&secret, "buyer1").await;
}

async fn everywhere_is_true_or_false(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let other = server.secret_of("buyer1@markt.com").await;
    for odd in ["maybe", "", "TRUEish", "2", "%00"] {
        let answer = server.with_cookie(&secret).post_nothing(&format!("/users/logout?everywhere={odd}")).await;
        assert_eq!(answer.errors("query"), json!({"everywhere": ["Not a valid boolean."]}), "{odd}");
        server.assert_alive(&secret, "buyer1").await;
    }
    for no in ["false", "False", "0"] {
        let secret = server.secret_of("buyer1@markt.com").await;
        let answer = server.with_cookie(&secret).post_nothing(&format!("/users/logout?everywhere={no}")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{no}: {answer:?}");
        server.assert_dead(&secret).await;
        server.assert_alive(&other, "buyer1").await;
    }
    for yes in ["True", "TRUE", "1"] {
        let [one, other] = [server.secret_of("buyer1@markt.com").await, server.secret_of("buyer1@markt.com").await];
        let answer = server.with_cookie(&one).post_nothing(&format!("/users/logout?everywhere={yes}")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{yes}: {answer:?}");
        server.assert_dead(&other).await;
    }
}

async fn a_logout_with_the_secrets_of_two_sessions_ends_neither(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (one, two) = (server.secret_of("buyer1@markt.com").await, server.secret_of("seller1@markt.com").await);
    let client = server.with_cookie(&one).with_header("authorization", format!("Bearer {two}"));
    client.post_nothing("/users/logout").await.assert_error(400, "ambiguous_credentials");
    server.assert_alive(&one, "buyer1").await;
    server.assert_alive(&two, "seller1").await;
}

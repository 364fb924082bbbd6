//! The service on its way from tokens to sessions (`auth.mode = dual`).

use markt_domain::ports::clock::Clock as _;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    ACCESS_TTL, EMAIL, Tokens, assert_let_in, by_either, by_tokens, caller, legacy_token, log_in, refresh, signed,
};
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::shapes::{SESSION, USER, assert_keys};

on_both_deployments!(
    a_login_makes_a_session_and_tokens_are_accepted_on_every_route,
    tokens_that_are_out_go_on_to_count_when_the_mode_is_switched_and_back,
    of_a_session_and_a_token_of_one_user_the_session_counts,
    a_session_and_a_token_of_two_users_are_ambiguous,
    a_dead_session_does_not_keep_a_token_from_counting,
    tokens_of_strangers_are_not_accepted,
    what_another_system_means_by_our_claims_gives_nothing,
    a_logout_ends_what_the_caller_came_by,
    what_changes_a_session_takes_one_and_nobody_is_told_to_be_logged_out,
);

async fn a_login_makes_a_session_and_tokens_are_accepted_on_every_route(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let answer = server.client().log_in(EMAIL, PASSWORD).await;
    assert_keys(&answer.json(), &[&USER, &["token"]]);
    assert!(answer.sets_cookie());
    assert_eq!(server.client().get("/status").await.json()["auth_mode"], "dual");
    let token = legacy_token(&server, "both1", json!({})).await;
    let client = server.with_bearer(&token);
    assert_eq!(client.get("/users/profile").await.json()["username"], "both1");
    let session = client.get("/session").await.json();
    assert_keys(&session, &[&SESSION]);
    assert_eq!((&session["fresh"], &session["transport"]), (&json!(false), &json!("bearer")));
    client.patch("/users/profile", json!({"phone_number": "+4930123"})).await.assert_status(200);
    client.get("/users/sessions").await.assert_status(200);
    client.get("/sessions/verify").await.assert_status(204);
    client.delete("/users/sessions").await.assert_error(403, "reauthentication_required");
}

async fn tokens_that_are_out_go_on_to_count_when_the_mode_is_switched_and_back(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let dual = server.setup.clone().with("MARKT_AUTH__MODE", "dual").start().await;
    assert_let_in(&dual, &tokens).await;
    let switched = caller(&dual, &tokens).post_nothing("/users/switch-role").await.json();
    let switched = dual.with_bearer(switched["access_token"].as_str().unwrap());
    assert_eq!(switched.get("/users/profile").await.json()["current_role"], "seller");
    let refreshed = Tokens::of(&refresh(&dual, &tokens.refresh).await);
    assert_let_in(&dual, &refreshed).await;
    let secret = dual.secret_of(EMAIL).await;
    dual.assert_alive(&secret, "both1").await;
    assert_let_in(&server, &refreshed).await;
    Tokens::of(&refresh(&server, &refreshed.refresh).await);
    let by_sessions = server.setup.clone().with("MARKT_AUTH__MODE", "session").start().await;
    by_sessions.assert_alive(&secret, "both1").await;
    caller(&by_sessions, &refreshed).get("/users/profile").await.assert_error(401, "not_authenticated");
}

async fn of_a_session_and_a_token_of_one_user_the_session_counts(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let secret = server.secret_in_cookie(EMAIL).await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let client = server.with_cookie(&secret).with_header("authorization", format!("Bearer {token}"));
    for _ in 0..2 {
        let session = client.get("/session").await.json();
        assert_eq!(session["id"], crate::server::public_id(&secret));
    }
}

async fn a_session_and_a_token_of_two_users_are_ambiguous(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let secret = server.secret_in_cookie(EMAIL).await;
    let token = legacy_token(&server, "buyer1", json!({})).await;
    let client = server.with_cookie(&secret).with_header("authorization", format!("Bearer {token}"));
    client.get("/users/profile").await.assert_error(400, "ambiguous_credentials");
    let expired = legacy_token(&server, "buyer1", json!({"exp": 1})).await;
    let client = server.with_cookie(&secret).with_header("authorization", format!("Bearer {expired}"));
    assert_eq!(client.get("/users/profile").await.json()["username"], "both1", "a token that is void says nothing");
}

async fn a_dead_session_does_not_keep_a_token_from_counting(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let secret = server.secret_in_cookie(EMAIL).await;
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
    let token = legacy_token(&server, "both1", json!({})).await;
    let client = server.with_cookie(&secret).with_header("authorization", format!("Bearer {token}"));
    assert_eq!(client.get("/users/profile").await.json()["username"], "both1");
    let client = server.with_cookie(&secret).with_header("authorization", "Bearer a.b.c");
    client.get("/users/profile").await.assert_error(401, "session_revoked");
}

async fn tokens_of_strangers_are_not_accepted(deployment: Deployment) {
    let setup = by_either(deployment).await.with("MARKT_JWT__LEGACY__ISSUER", "https://old.example.com");
    let server = setup.start().await;
    let with_issuer = json!({"iss": "https://old.example.com"});
    let good = legacy_token(&server, "both1", with_issuer.clone()).await;
    server.with_bearer(&good).get("/users/profile").await.assert_status(200);
    let claims = super::claims(&good);
    for token in [
        signed(&claims, "another secret of forty-two characters, too"),
        legacy_token(&server, "both1", json!({})).await,
        legacy_token(&server, "both1", json!({"iss": "https://new.example.com"})).await,
        legacy_token(&server, "both1", json!({"iss": "https://old.example.com", "type": "refresh"})).await,
        legacy_token(&server, "both1", json!({"iss": "https://old.example.com", "sub": "USR_NOBODY00"})).await,
        legacy_token(&server, "both1", json!({"iss": "https://old.example.com", "jti": null})).await,
    ] {
        server.with_bearer(&token).get("/users/profile").await.assert_error(401, "invalid_token");
    }
}

/// Neither a fresh session, nor another one's place.
async fn what_another_system_means_by_our_claims_gives_nothing(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let secret = server.secret_of(EMAIL).await;
    let (now, id) = (server.clock().now().unix_milliseconds() / 1000, crate::server::public_id(&secret));
    let token = legacy_token(&server, "both1", json!({"auth_time": now, "sid": id, "role": "admin"})).await;
    let client = server.with_bearer(&token);
    let session = client.get("/session").await.json();
    assert_eq!((&session["fresh"], &session["current_role"]), (&json!(false), &json!("buyer")));
    assert_ne!(session["id"], id);
    client.post_nothing("/users/logout").await.assert_status(204);
    server.assert_alive(&secret, "both1").await;
}

async fn a_logout_ends_what_the_caller_came_by(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let (secret, token) = (server.secret_of(EMAIL).await, legacy_token(&server, "both1", json!({})).await);
    let client = server.with_bearer(&token);
    client.post_nothing("/users/logout").await.assert_status(204);
    client.get("/users/profile").await.assert_status(200);
    server.assert_alive(&secret, "both1").await;
    client.post_nothing("/users/logout?everywhere=true").await.assert_status(204);
    server.assert_dead(&secret).await;
    server.clock().advance(ACCESS_TTL * 5);
    client.get("/users/profile").await.assert_error(401, "invalid_token");
}

/// Clients wipe what they hold on a 401; and a password must not be changed by a request that is refused.
async fn what_changes_a_session_takes_one_and_nobody_is_told_to_be_logged_out(deployment: Deployment) {
    let server = by_either(deployment).await.start().await;
    let secret = server.secret_of(EMAIL).await;
    let client = server.with_bearer(&legacy_token(&server, "both1", json!({})).await);
    let passwords = json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": "Password456"});
    for path in ["/users/switch-role", "/users/reauthenticate", "/users/password"] {
        client.post(path, passwords.clone()).await.assert_error(403, "reauthentication_required");
    }
    server.assert_alive(&secret, "both1").await;
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_still_come_with_tokens_are_counted_by_client() {
    let server = by_either(Deployment::Embedded).await.start().await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let client = server.with_bearer(&token);
    for agent in
        ["okhttp/4.9.0", "okhttp/4.12.0", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"]
    {
        client.clone().with_header("user-agent", agent).get("/users/profile").await.assert_status(200);
    }
    server.with_bearer("a.b.c").get("/users/profile").await.assert_error(401, "invalid_token");
    let secret = server.secret_of(EMAIL).await;
    server.assert_alive(&secret, "both1").await;
    let metrics = reqwest::get(format!("{}/metrics", server.admin_url)).await.unwrap().text().await.unwrap();
    let mut counts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("markt_legacy_token_requests_total")).collect();
    counts.sort_unstable();
    assert_eq!(
        counts,
        [
            r#"markt_legacy_token_requests_total{client="Firefox on Linux",issuer="legacy"} 1"#,
            r#"markt_legacy_token_requests_total{client="okhttp",issuer="legacy"} 2"#,
        ],
        "{metrics}"
    );
    let by_sessions = Server::start(Deployment::Embedded).await;
    let metrics = reqwest::get(format!("{}/metrics", by_sessions.admin_url)).await.unwrap();
    assert_eq!(metrics.status(), StatusCode::OK);
    assert!(!metrics.text().await.unwrap().contains("legacy_token"));
}

//! `markt-auth users show`, `deactivate` and `activate`, beside a server that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::Notify;

use crate::on_both_deployments;
use crate::process::{assert_failed, run, said, said_json};
use crate::server::{Deployment, PASSWORD, Server};

on_both_deployments!(
    a_deactivated_users_sessions_are_dead_at_once_and_stay_so,
    a_deactivated_user_can_only_log_in_again_when_activated,
    a_user_is_found_by_id_and_by_address_in_any_case,
    a_user_is_shown_without_what_is_secret,
    a_login_that_races_with_the_deactivation_does_not_outlive_it,
    who_is_not_there_is_a_refusal,
);

const EMAIL: &str = "buyer1@markt.com";

async fn id_of(server: &Server, email: &str) -> String {
    server.setup.query_texts(&format!("SELECT id FROM users WHERE email = '{email}'")).await.concat()
}

async fn a_deactivated_users_sessions_are_dead_at_once_and_stay_so(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(server.secret_of(EMAIL).await);
        // The server has just seen the user, and would remember for a while.
        server.assert_alive(sessions.last().unwrap(), "buyer1").await;
    }
    let stranger = server.secret_of("seller1@markt.com").await;
    let id = id_of(&server, EMAIL).await;
    let answer = said_json(&server.setup, &["users", "deactivate", EMAIL, "--json"]).await;
    assert_eq!(answer, json!({"id": id, "is_active": false, "ended_sessions": 3}));
    for secret in &sessions {
        if deployment == Deployment::Full {
            // It is told by Redis, while the command needn't wait for that.
            server.until_not_let_in(secret).await;
        }
        server.assert_dead(secret).await;
        server.with_bearer(secret).post_nothing("/users/logout").await.assert_error(401, "session_revoked");
    }
    server.assert_alive(&stranger, "seller1").await;
    said(&server.setup, &["users", "activate", EMAIL]).await;
    let new = server.secret_of(EMAIL).await;
    server.clock().advance(Duration::from_secs(120));
    for secret in &sessions {
        server.assert_dead(secret).await;
    }
    server.assert_alive(&new, "buyer1").await;
    let listed = server.with_cookie(&new).get("/users/sessions").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
}

async fn a_deactivated_user_can_only_log_in_again_when_activated(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.client().post("/users/password-reset", json!({"email": EMAIL})).await;
    let code = server.mailed_code(EMAIL, 1).await;
    // Twice is as good as once.
    for _ in 0..2 {
        assert!(said(&server.setup, &["users", "deactivate", EMAIL]).await.contains(EMAIL));
        server.client().log_in(EMAIL, PASSWORD).await.assert_error(403, "account_deactivated");
        server.client().log_in(EMAIL, "Password124").await.assert_error(401, "invalid_credentials");
    }
    // Nor is there a way around by a code that was sent before.
    let body = json!({"email": EMAIL, "code": code, "new_password": "Password456"});
    let password = match server.client().post("/users/password-reset/confirm", body).await.status {
        StatusCode::OK => "Password456",
        _ => PASSWORD,
    };
    server.client().log_in(EMAIL, password).await.assert_error(403, "account_deactivated");
    for _ in 0..2 {
        assert!(said(&server.setup, &["users", "activate", EMAIL]).await.contains(EMAIL));
        server.assert_alive(&server.secret_with(json!({"email": EMAIL, "password": password})).await, "buyer1").await;
    }
}

async fn a_user_is_found_by_id_and_by_address_in_any_case(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let id = id_of(&server, EMAIL).await;
    for user in [id.as_str(), EMAIL, "Buyer1@MARKT.com"] {
        let secret = server.secret_of(EMAIL).await;
        assert_eq!(said_json(&server.setup, &["users", "show", user, "--json"]).await["is_active"], true);
        let answer = said_json(&server.setup, &["users", "deactivate", user, "--json"]).await;
        assert_eq!((&answer["id"], &answer["is_active"]), (&id.as_str().into(), &false.into()), "{user}");
        server.assert_dead(&secret).await;
        assert_eq!(said_json(&server.setup, &["users", "show", user, "--json"]).await["is_active"], false);
        let answer = said_json(&server.setup, &["users", "activate", user, "--json"]).await;
        assert_eq!(answer, json!({"id": id, "is_active": true}));
    }
}

async fn a_user_is_shown_without_what_is_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("both1@markt.com").await;
    let profile = server.with_cookie(&secret).get("/users/profile").await.json();
    let hash = server.setup.query_texts("SELECT password_hash FROM users WHERE username = 'both1'").await.concat();
    assert!(hash.starts_with("$argon2"), "{hash}");
    let shown = said_json(&server.setup, &["users", "show", "both1@markt.com", "--json"]).await;
    let text = said(&server.setup, &["users", "show", "both1@markt.com"]).await;
    for field in ["id", "email", "username", "is_buyer", "is_seller", "email_verified", "created_at", "last_login_at"] {
        assert_eq!(shown[field], profile[field], "{field}");
        let value = shown[field].as_str().map_or_else(|| shown[field].to_string(), ToOwned::to_owned);
        assert!(text.lines().any(|line| line.contains(field) && line.contains(&value)), "{field}: {text}");
    }
    for output in [shown.to_string(), text] {
        assert!(!output.contains("argon2") && !output.contains(&secret), "{output}");
    }
}

async fn a_login_that_races_with_the_deactivation_does_not_outlive_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for _ in 0..3 {
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let logins: Vec<_> = (0..3)
            .map(|_| {
                let (client, begun, ended) = (server.without_cookies(), Arc::clone(&begun), Arc::clone(&ended));
                tokio::spawn(async move {
                    let mut secrets = Vec::new();
                    while !ended.load(Ordering::SeqCst) {
                        let answer = client.log_in(EMAIL, PASSWORD).await;
                        if answer.status == StatusCode::OK {
                            secrets.push(answer.session_cookie().value);
                            begun.notify_one();
                        } else {
                            answer.assert_error(403, "account_deactivated");
                        }
                    }
                    secrets
                })
            })
            .collect();
        begun.notified().await;
        said(&server.setup, &["users", "deactivate", EMAIL]).await;
        ended.store(true, Ordering::SeqCst);
        let mut secrets = Vec::new();
        for login in logins {
            secrets.extend(login.await.unwrap());
        }
        for secret in secrets {
            let answer = server.with_cookie(&secret).get("/users/profile").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        }
        said(&server.setup, &["users", "activate", EMAIL]).await;
    }
}

async fn who_is_not_there_is_a_refusal(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for user in ["nobody@markt.com", "USR_AAAAAAAA", "buyer1", "", "%@markt.com"] {
        for command in ["show", "deactivate", "activate"] {
            for json in [&[][..], &["--json"]] {
                let arguments = [&["users", command, user], json].concat();
                assert_failed(&run(&server.setup, &arguments).await, 1, "no user");
            }
        }
    }
    assert_eq!(server.setup.query_texts("SELECT id FROM users WHERE NOT is_active").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_usage_is_told_from_a_refusal() {
    let server = Server::start(Deployment::Embedded).await;
    for arguments in [
        &["users"][..],
        &["users", "frobnicate", EMAIL],
        &["users", "show"],
        &["users", "deactivate"],
        &["users", "show", EMAIL, "seller1@markt.com"],
        &["users", "deactivate", "--force", EMAIL],
    ] {
        assert_failed(&run(&server.setup, arguments).await, 2, "Usage");
    }
    let nowhere = server.setup.clone().with("MARKT_DATABASE_URL", "postgres://nobody@127.0.0.1:9/nowhere");
    assert_failed(&run(&nowhere, &["users", "deactivate", EMAIL]).await, 1, "database_url");
    assert_eq!(server.setup.query_texts("SELECT id FROM users WHERE NOT is_active").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_over_the_same_stores_knows_at_once() {
    let server = Server::start(Deployment::Full).await;
    let twin = server.twin().await;
    let secret = server.secret_of(EMAIL).await;
    for there in [&server, &twin] {
        there.assert_alive(&secret, "buyer1").await;
    }
    said(&server.setup, &["users", "deactivate", EMAIL]).await;
    for there in [&twin, &server] {
        there.assert_dead_soon(&secret).await;
        there.client().log_in(EMAIL, PASSWORD).await.assert_error(403, "account_deactivated");
    }
}

//! Passwords that were not set through this service.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};

on_both_deployments!(
    a_password_of_the_system_before_is_taken_and_its_hash_replaced,
    a_user_without_a_password_cannot_log_in,
);

/// Made by passlib 1.7.4 (`pbkdf2_sha256.hash`), for the password "password".
const PASSLIB: &str = "$pbkdf2-sha256$29000$lpLS2ntPSUlpLaU0plQKIQ$K9e.VRvfXraYglT/47fm5luYPuwyOohFEBAMGDDm9vQ";

async fn a_password_of_the_system_before_is_taken_and_its_hash_replaced(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let query = "SELECT password_hash FROM users WHERE username = 'buyer1'";
    server.setup.execute_sql(&format!("UPDATE users SET password_hash = '{PASSLIB}' WHERE username = 'buyer1'")).await;
    server.client().log_in("buyer1@markt.com", PASSWORD).await.assert_error(401, "invalid_credentials");
    assert_eq!(server.setup.query_texts(query).await, [PASSLIB]);
    for _ in 0..2 {
        let answer = server.client().log_in("buyer1@markt.com", "password").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let hash = server.setup.query_texts(query).await.concat();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
    server.client().log_in("buyer1@markt.com", PASSWORD).await.assert_error(401, "invalid_credentials");
}

async fn a_user_without_a_password_cannot_log_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for hash in ["NULL", "''", "'Password123'", "'$argon2id$'", "'$pbkdf2-sha256$29000$lpLS2ntPSUlpLaU0plQKIQ$'"] {
        server.setup.execute_sql(&format!("UPDATE users SET password_hash = {hash} WHERE username = 'buyer1'")).await;
        for password in ["", PASSWORD, "NULL"] {
            let answer = server.client().log_in("buyer1@markt.com", password).await;
            answer.assert_error(401, "invalid_credentials");
        }
        // So that there are never too many.
        server.clock().advance(Duration::from_secs(15 * 60));
    }
    let errors = server.client().post("/users/login", json!({"email": "buyer1@markt.com", "password": null})).await;
    assert_eq!(errors.errors("json"), json!({"password": ["Field may not be null."]}));
}

//! A Redis that comes back from a backup: what was ended since stays ended.

use std::time::{Duration, Instant};

use markt_test_support::stores::OwnRedis;
use reqwest::StatusCode;
use serde_json::json;

use crate::process;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

const EMAIL: &str = "buyer1@markt.com";

/// How long a Redis that is back may take to be found again.
const AGAIN: Duration = Duration::from_secs(20);

/// A server over a Redis of its own, of which there is a backup with these sessions of one user in it.
struct BackedUp {
    redis: OwnRedis,
    server: Server,
    secrets: Vec<String>,
}

impl BackedUp {
    async fn with(sessions: usize) -> Self {
        let redis = OwnRedis::start().await;
        let server = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", redis.url()).start().await;
        let mut secrets = Vec::new();
        for _ in 0..sessions {
            secrets.push(server.secret_in_cookie(EMAIL).await);
        }
        for secret in &secrets {
            server.assert_alive(secret, "buyer1").await;
        }
        command(&redis, &["SAVE"]).await;
        Self { redis, server, secrets }
    }

    /// Kills Redis, starts it again with the backup, and waits until the server has found it.
    async fn restore(&mut self) {
        self.redis.kill();
        self.redis.restart().await;
        let sessions = command(&self.redis, &["KEYS", "session:*"]).await;
        assert_eq!(sessions.lines().count(), self.secrets.len(), "the sessions didn't come back");
        let started = Instant::now();
        let nobody = "x".repeat(43);
        while self.server.with_cookie(&nobody).get("/session").await.status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(started.elapsed() < AGAIN, "Redis isn't found again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn command(store: &OwnRedis, command: &[&str]) -> String {
    redis(&store.url(), command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_back_stay_dead_after_a_logout_everywhere() {
    let mut backed_up = BackedUp::with(2).await;
    let (server, secrets) = (&backed_up.server, &backed_up.secrets);
    let other_node = server.twin().await;
    other_node.assert_alive(&secrets[1], "buyer1").await;
    let answer = server.with_cookie(&secrets[0]).post_nothing("/users/logout?everywhere=true").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    backed_up.restore().await;
    for secret in &backed_up.secrets {
        backed_up.server.assert_dead(secret).await;
    }
    // Another node may go on with what it read of the user for session.user_cache_ttl.
    backed_up.server.clock().advance(Duration::from_secs(60));
    for secret in &backed_up.secrets {
        other_node.assert_dead(secret).await;
    }
    let new = backed_up.server.secret_of(EMAIL).await;
    backed_up.server.assert_alive(&new, "buyer1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_back_stay_dead_after_all_others_were_ended() {
    let mut backed_up = BackedUp::with(3).await;
    let client = backed_up.server.with_cookie(&backed_up.secrets[1]);
    assert_eq!(client.delete("/users/sessions").await.json(), json!({"revoked": 2}));
    backed_up.restore().await;
    // The one that outlived them may have got a new secret since, so that this one must not come back.
    for secret in &backed_up.secrets {
        backed_up.server.assert_dead(secret).await;
    }
    let new = backed_up.server.secret_of(EMAIL).await;
    let listed = backed_up.server.with_cookie(&new).get("/users/sessions").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_that_outlived_the_others_comes_back_with_a_backup_made_since() {
    let mut backed_up = BackedUp::with(2).await;
    let client = backed_up.server.with_cookie(&backed_up.secrets[1]);
    assert_eq!(client.delete("/users/sessions").await.json(), json!({"revoked": 1}));
    let ended = backed_up.secrets.remove(0);
    command(&backed_up.redis, &["SAVE"]).await;
    backed_up.restore().await;
    for _ in 0..2 {
        backed_up.server.assert_alive(&backed_up.secrets[0], "buyer1").await;
        backed_up.server.assert_dead(&ended).await;
        // A user who is read anew makes no difference.
        backed_up.server.clock().advance(Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_back_stay_dead_after_a_new_password() {
    let mut backed_up = BackedUp::with(3).await;
    let body = json!({"current_password": PASSWORD, "new_password": "Password456"});
    let answer = backed_up.server.with_cookie(&backed_up.secrets[1]).post("/users/password", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    backed_up.restore().await;
    // The secret that the caller had before is one of those that the new password was meant to end.
    for secret in &backed_up.secrets {
        backed_up.server.assert_dead(secret).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_back_stay_dead_after_their_user_was_deactivated() {
    let mut backed_up = BackedUp::with(2).await;
    users(&backed_up.server.setup, "deactivate").await;
    backed_up.server.assert_dead(&backed_up.secrets[0]).await;
    backed_up.restore().await;
    // Another process did it: this one may go on with what it read of the user for session.user_cache_ttl.
    backed_up.server.clock().advance(Duration::from_secs(60));
    for secret in &backed_up.secrets {
        backed_up.server.assert_dead(secret).await;
    }
    // Nor does the user's return bring them back.
    users(&backed_up.server.setup, "activate").await;
    for secret in &backed_up.secrets {
        backed_up.server.assert_dead(secret).await;
    }
    let new = backed_up.server.secret_of(EMAIL).await;
    backed_up.server.assert_alive(&new, "buyer1").await;
}

/// `markt-auth users`, over the server's stores.
async fn users(setup: &Setup, command: &str) {
    let output = process::run(setup, &["users", command, EMAIL]).await;
    assert!(output.status.success(), "{output:?}");
}

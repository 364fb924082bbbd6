//! What is revoked is dead at once, and nothing else is.

use serde_json::{Value, json};

use super::{APP, BUYER, FIREFOX, SELLER, alone, create, ids, listed, log_in, session_of, user_id};
use crate::on_both_deployments;
use crate::process::{assert_failed, run, said, said_json};
use crate::redis::redis;
use crate::server::{Deployment, Server, public_id};

on_both_deployments!(
    a_session_revoked_by_its_id_is_dead_at_once_for_the_running_server,
    all_of_a_users_sessions_are_revoked_for_good,
    what_a_selector_picks_is_revoked_and_nothing_else,
    a_dry_run_counts_and_samples_and_changes_nothing,
    more_than_one_session_is_not_revoked_by_mistake,
    what_isnt_there_is_a_refusal,
    without_a_selector_nothing_is_revoked,
    many_sessions_are_revoked_by_one_command,
);

/// Makes sure that the running server knows, which in Redis' case is told it while the command needn't wait for that.
async fn assert_dead(server: &Server, deployment: Deployment, secret: &str) {
    if deployment == Deployment::Full {
        server.until_not_let_in(secret).await;
    }
    server.assert_dead(secret).await;
}

async fn a_session_revoked_by_its_id_is_dead_at_once_for_the_running_server(deployment: Deployment) {
    let server = alone(deployment).await;
    let (revoked, other) = (log_in(&server, BUYER, APP).await, log_in(&server, BUYER, APP).await);
    for secret in [&revoked, &other] {
        server.assert_alive(secret, "buyer1").await;
    }
    let id = public_id(&revoked);
    let answer = said_json(&server.setup, &["sessions", "revoke", &id, "--json"]).await;
    assert_eq!(answer, json!({"dry_run": false, "revoked": 1, "access_tokens_accepted_for_seconds": 0}));
    assert_dead(&server, deployment, &revoked).await;
    server.assert_alive(&other, "buyer1").await;
    assert_failed(&run(&server.setup, &["sessions", "show", &id]).await, 1, "revoked_by_operator");
    let again = run(&server.setup, &["sessions", "revoke", &id]).await;
    assert_failed(&again, 1, "it has ended before (revoked_by_operator)");
}

async fn all_of_a_users_sessions_are_revoked_for_good(deployment: Deployment) {
    let server = alone(deployment).await;
    let id = user_id(&server, BUYER).await;
    for user in [["--email", BUYER], ["--user", id.as_str()]] {
        let mut secrets = Vec::new();
        for _ in 0..3 {
            secrets.push(log_in(&server, BUYER, APP).await);
            server.assert_alive(secrets.last().unwrap(), "buyer1").await;
        }
        let stranger = log_in(&server, SELLER, APP).await;
        // One whose key comes back, as from a backup.
        let key = format!("session:{}", public_id(&secrets[0]));
        let backup = match deployment {
            Deployment::Full => Some(redis(&server.setup.redis_url(), &["GET", &key]).await),
            Deployment::Embedded => None,
        };
        let text = said(&server.setup, &[&["sessions", "revoke"], &user[..]].concat()).await;
        assert_eq!(text, "3 sessions revoked.\n");
        for secret in &secrets {
            assert_dead(&server, deployment, secret).await;
        }
        server.assert_alive(&stranger, "seller1").await;
        if let Some(backup) = backup {
            redis(&server.setup.redis_url(), &["SET", &key, &backup, "EX", "600"]).await;
            server.twin().await.assert_dead(&secrets[0]).await;
            let shown = said_json(&server.setup, &["sessions", "show", &public_id(&secrets[0]), "--json"]).await;
            assert_eq!(shown["reason"], "epoch_ended");
            redis(&server.setup.redis_url(), &["DEL", &key]).await;
        }
        // The user can log in again.
        server.assert_alive(&log_in(&server, BUYER, APP).await, "buyer1").await;
        said(&server.setup, &["sessions", "revoke", "--user", &id]).await;
    }
}

async fn what_a_selector_picks_is_revoked_and_nothing_else(deployment: Deployment) {
    let server = alone(deployment).await;
    let (phone, browser) = (log_in(&server, BUYER, APP).await, log_in(&server, BUYER, FIREFOX).await);
    let seller = log_in(&server, SELLER, APP).await;
    for (secret, name) in [(&phone, "buyer1"), (&browser, "buyer1"), (&seller, "seller1")] {
        server.assert_alive(secret, name).await;
    }
    // One needs no --yes.
    let text = said(&server.setup, &["sessions", "revoke", "--device", "firefox", "--ip", "127.0.0.0/8"]).await;
    assert_eq!(text, "1 session revoked.\n");
    assert_dead(&server, deployment, &browser).await;
    server.assert_alive(&phone, "buyer1").await;
    // Of a user and more: it is no end of an epoch.
    let text = said(&server.setup, &["sessions", "revoke", "--email", BUYER, "--device", "okhttp"]).await;
    assert_eq!(text, "1 session revoked.\n");
    assert_dead(&server, deployment, &phone).await;
    server.assert_alive(&seller, "seller1").await;
    let user = said_json(&server.setup, &["users", "show", BUYER, "--json"]).await;
    assert_eq!(user["session_epoch"], 0);
    assert_eq!(said(&server.setup, &["sessions", "revoke", "--role", "buyer", "--yes"]).await, "0 sessions revoked.\n");
    server.assert_alive(&seller, "seller1").await;
}

async fn a_dry_run_counts_and_samples_and_changes_nothing(deployment: Deployment) {
    let server = alone(deployment).await;
    let sessions: Vec<_> = (0..25).map(|n| session_of(&format!("USR_{n:08}"))).collect();
    create(&server, &sessions).await;
    let secret = log_in(&server, SELLER, APP).await;
    let before = ids(&listed(&server, &[]).await);
    let answer =
        said_json(&server.setup, &["sessions", "revoke", "--role", "buyer", "--dry-run", "--yes", "--json"]).await;
    assert_eq!((&answer["dry_run"], &answer["matching"]), (&json!(true), &json!(25)));
    let sample = answer["sample"].as_array().unwrap();
    assert_eq!(ids(sample).len(), 10);
    assert!(ids(sample).iter().all(|id| before.contains(id)));
    let text = said(&server.setup, &["sessions", "revoke", "--role", "buyer", "--dry-run"]).await;
    assert!(text.starts_with("25 sessions would be revoked.\n10 of them:\n"), "{text}");
    for arguments in [["--email", SELLER], ["--user", "USR_00000003"]] {
        let arguments = [&["sessions", "revoke", "--dry-run", "--json"], &arguments[..]].concat();
        assert_eq!(said_json(&server.setup, &arguments).await["matching"], 1);
    }
    let one = public_id(&secret);
    assert_eq!(said_json(&server.setup, &["sessions", "revoke", &one, "--dry-run", "--json"]).await["matching"], 1);
    assert_eq!(ids(&listed(&server, &[]).await), before);
    server.assert_alive(&secret, "seller1").await;
    assert_eq!(said_json(&server.setup, &["users", "show", SELLER, "--json"]).await["session_epoch"], 0);
}

async fn more_than_one_session_is_not_revoked_by_mistake(deployment: Deployment) {
    let server = alone(deployment).await;
    let secrets = [log_in(&server, BUYER, APP).await, log_in(&server, SELLER, APP).await];
    let output = run(&server.setup, &["sessions", "revoke", "--device", "okhttp"]).await;
    assert_failed(&output, 1, "2 sessions would be revoked");
    assert_eq!(listed(&server, &[]).await.len(), 2);
    let answer: Value =
        said_json(&server.setup, &["sessions", "revoke", "--device", "okhttp", "--yes", "--json"]).await;
    assert_eq!(answer["revoked"], 2);
    for secret in &secrets {
        assert_dead(&server, deployment, secret).await;
    }
    assert!(listed(&server, &[]).await.is_empty());
}

async fn what_isnt_there_is_a_refusal(deployment: Deployment) {
    let server = alone(deployment).await;
    let unknown = public_id(&"x".repeat(43));
    assert_failed(&run(&server.setup, &["sessions", "revoke", &unknown]).await, 1, "there is no session");
    for user in [["--user", "USR_AAAAAAAA"], ["--email", "nobody@markt.com"]] {
        assert_failed(&run(&server.setup, &[&["sessions", "revoke"], &user[..]].concat()).await, 1, "there is no user");
    }
    // Of a user who is gone, sessions may be left.
    create(&server, &[session_of("USR_GONE0000")]).await;
    let text = said(&server.setup, &["sessions", "revoke", "--user", "USR_GONE0000"]).await;
    assert_eq!(text, "1 session revoked.\n");
    assert!(listed(&server, &[]).await.is_empty());
}

async fn without_a_selector_nothing_is_revoked(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    let id = public_id(&secret);
    for arguments in [
        &["sessions", "revoke"][..],
        &["sessions", "revoke", "--yes"],
        &["sessions", "revoke", "--dry-run"],
        &["sessions", "revoke", "--json", "--yes"],
        &["sessions", "revoke", &id, "--role", "seller"],
        &["sessions", "revoke", "--user", ""],
    ] {
        assert_failed(&run(&server.setup, arguments).await, 2, "--help");
    }
    server.assert_alive(&secret, "buyer1").await;
}

async fn many_sessions_are_revoked_by_one_command(deployment: Deployment) {
    let server = alone(deployment).await;
    let sessions: Vec<_> = (0..2_000).map(|n| session_of(&format!("USR_{:08}", n % 700))).collect();
    create(&server, &sessions).await;
    let kept = log_in(&server, SELLER, APP).await;
    let answer = said_json(&server.setup, &["sessions", "revoke", "--role", "buyer", "--yes", "--json"]).await;
    assert_eq!(answer["revoked"], 2_000);
    assert_eq!(ids(&listed(&server, &["--limit", "5000"]).await), [public_id(&kept)]);
    server.assert_alive(&kept, "seller1").await;
}

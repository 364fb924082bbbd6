//! The numbers.

use std::time::Duration;

use markt_domain::session::Session;
use serde_json::{Value, json};

use super::{APP, BUYER, FIREFOX, SELLER, alone, create, log_in, session_of};
use crate::on_both_deployments;
use crate::process::{said, said_json};
use crate::redis::redis;
use crate::server::{Deployment, public_id};

on_both_deployments!(sessions_are_counted_by_role_transport_and_device, an_empty_store_is_counted_too,);

async fn sessions_are_counted_by_role_transport_and_device(deployment: Deployment) {
    let server = alone(deployment).await;
    for (email, device) in [(BUYER, FIREFOX), (BUYER, APP), (SELLER, APP)] {
        log_in(&server, email, device).await;
    }
    let old = session_of("USR_00000001");
    let hour = Duration::from_secs(3600);
    let old = Session { created_at: old.created_at.minus(hour), idle_expires_at: old.created_at.plus(hour), ..old };
    create(&server, std::slice::from_ref(&old)).await;
    let numbers = said_json(&server.setup, &["sessions", "stats", "--json"]).await;
    assert_eq!((&numbers["active"], &numbers["unreadable"]), (&json!(4), &json!(0)));
    assert_eq!(numbers["by_role"], json!({"buyer": 3, "seller": 1}));
    assert_eq!(numbers["by_transport"], json!({"bearer": 3, "cookie": 1}));
    assert_eq!(numbers["by_device"]["okhttp"], 2);
    assert_eq!(numbers["by_device"]["Firefox on Linux"], 1);
    assert_eq!(numbers["expiring_within_24h"], 1);
    assert_eq!(numbers["oldest"]["id"], old.id.to_string());
    assert!(numbers["bytes"].as_u64().unwrap() > 1_000, "{numbers}");
    let text = said(&server.setup, &["sessions", "stats"]).await;
    for line in ["active 4", "buyer 3", "cookie 1", "2 okhttp"] {
        let shown = text.lines().any(|shown| shown.split_whitespace().eq(line.split_whitespace()));
        assert!(shown, "{line}: {text}");
    }
    assert!(text.contains(&old.id.to_string()), "{text}");
}

async fn an_empty_store_is_counted_too(deployment: Deployment) {
    let server = alone(deployment).await;
    let numbers = said_json(&server.setup, &["sessions", "stats", "--json"]).await;
    assert_eq!((&numbers["active"], &numbers["oldest"]), (&json!(0), &Value::Null));
    said(&server.setup, &["sessions", "stats"]).await;
    assert_eq!(said(&server.setup, &["sessions", "list"]).await, "No sessions.\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_index_is_counted() {
    let server = alone(Deployment::Full).await;
    let (removed, lost) = (log_in(&server, BUYER, APP).await, log_in(&server, SELLER, APP).await);
    log_in(&server, BUYER, APP).await;
    let index = async || said_json(&server.setup, &["sessions", "stats", "--json"]).await["index"].clone();
    let whole = json!({"entries": 3, "ended": 0, "dangling": 0, "missing": 0, "unreadable": 0});
    assert_eq!(index().await, whole);
    let url = server.setup.redis_url();
    redis(&url, &["DEL", &format!("session:{}", public_id(&removed))]).await;
    let seller = super::user_id(&server, SELLER).await;
    redis(&url, &["ZREM", &format!("user-sessions:{seller}"), &public_id(&lost)]).await;
    assert_eq!(index().await, json!({"entries": 2, "ended": 0, "dangling": 1, "missing": 1, "unreadable": 0}));
    let text = said(&server.setup, &["sessions", "stats"]).await;
    assert!(text.contains("1 of sessions that are gone before their end"), "{text}");
}

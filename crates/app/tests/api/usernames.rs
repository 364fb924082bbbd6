//! `GET /users/check-username` and `GET /status`

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, Server};
use crate::shapes::assert_keys;

on_both_deployments!(a_username_can_be_had_is_taken_or_is_reserved);

async fn a_username_can_be_had_is_taken_or_is_reserved(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let asked = async |name: &str| {
        let answer = server.client().get(&format!("/users/check-username?username={name}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {answer:?}");
        assert_keys(&answer.json(), &[&["available", "message"]]);
        (answer.json()["available"].as_bool().unwrap(), answer.json()["message"].as_str().unwrap().to_owned())
    };
    let free = asked("ann_lee").await;
    let taken = asked("buyer1").await;
    let reserved = asked("admin").await;
    assert_eq!((free.0, taken.0, reserved.0), (true, false, false));
    assert!(free.1 != taken.1 && taken.1 != reserved.1, "{free:?} {taken:?} {reserved:?}");
    assert_eq!(asked("BUYER1").await, taken);
    for name in ["Admin", "SUPPORT", "markt"] {
        assert_eq!(asked(name).await, reserved, "{name}");
    }
    server.register("ann_lee").await;
    assert_eq!(asked("ann_lee").await, taken);
    assert_eq!(asked("Ann_LEE").await, taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_username_is_refused() {
    let server = Server::start(Deployment::Embedded).await;
    let length = "Must be between 3-20 characters";
    let characters = "Only letters, numbers and underscores allowed";
    for (query, message) in [
        ("", "Missing data for required field."),
        ("user=ann_lee", "Missing data for required field."),
        ("username=", length),
        ("username", length),
        ("username=ab", length),
        ("username=aaaaaaaaaaaaaaaaaaaaa", length),
        ("username=ann%20lee", characters),
        ("username=ann+lee", characters),
        ("username=%C3%A4nnlee", characters),
        ("username=%ff%fe%fd", characters),
        ("username=ann%00", "Null characters are not allowed."),
    ] {
        let answer = server.client().get(&format!("/users/check-username?{query}")).await;
        assert_eq!(answer.errors("query"), json!({"username": [message]}), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_says_what_runs_here() {
    let server = Server::start(Deployment::Embedded).await;
    let answer = server.client().get("/status").await;
    assert_eq!(answer.status, StatusCode::OK);
    let version = env!("CARGO_PKG_VERSION");
    let expected = json!({"status": "ok", "environment": "development", "version": version, "auth_mode": "session"});
    assert_eq!(answer.json(), expected);
}

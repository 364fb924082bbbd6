//! The admin listener.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, Server};

on_both_deployments!(
    a_server_that_runs_is_live_and_ready,
    health_is_asked_on_the_admin_listener_alone,
    the_admin_listener_answers_errors_as_the_api_does,
    every_answer_of_the_admin_listener_has_the_requests_id,
    a_server_that_has_stopped_listens_no_more,
);

async fn a_server_that_runs_is_live_and_ready(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let live = reqwest::get(format!("{}/health/live", server.admin_url)).await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    let ready = reqwest::get(format!("{}/health/ready", server.admin_url)).await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    let checks = match deployment {
        Deployment::Embedded => json!({"database": "ok"}),
        Deployment::Full => json!({"database": "ok", "redis": "ok", "revocation": "ok"}),
    };
    assert_eq!(ready.json::<serde_json::Value>().await.unwrap(), json!({"status": "ok", "checks": checks}));
}

async fn health_is_asked_on_the_admin_listener_alone(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for path in ["/health/live", "/health/ready", "/metrics", "/api/v1/health/live"] {
        let public = server.client().request_at_root(Method::GET, path);
        Answer::of(public).await.assert_error(404, "not_found");
    }
    for path in ["/api/v1/status", "/api/v1/users/login", "/swagger-ui/"] {
        let answer = reqwest::get(format!("{}{path}", server.admin_url)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

async fn the_admin_listener_answers_errors_as_the_api_does(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Client::to(&server.admin_url, false);
    for path in ["/", "/nowhere", "/health", "/metrics/", "/api/v1/status"] {
        for method in [Method::GET, Method::POST] {
            Answer::of(admin.request_at_root(method, path)).await.assert_error(404, "not_found");
        }
    }
    for path in ["/health/live", "/health/ready", "/metrics", "/api/v1/events"] {
        for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = Answer::of(admin.request_at_root(method, path)).await;
            answer.assert_error(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        }
    }
}

async fn every_answer_of_the_admin_listener_has_the_requests_id(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let admin = Client::to(&server.admin_url, false);
    for path in ["/health/live", "/health/ready", "/metrics", "/nowhere"] {
        let ask = async || Answer::of(admin.request_at_root(Method::GET, path)).await;
        let (one, other) = (ask().await, ask().await);
        assert_eq!(one.header("x-request-id").len(), 32, "{path}: {one:?}");
        assert_ne!(one.header("x-request-id"), other.header("x-request-id"), "{path}");
        let named = admin.request_at_root(Method::GET, path).header("x-request-id", "probe-7");
        assert_eq!(Answer::of(named).await.header("x-request-id"), "probe-7", "{path}");
    }
    let stream = reqwest::get(format!("{}/api/v1/events", server.admin_url)).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["x-request-id"].len(), 32);
}

async fn a_server_that_has_stopped_listens_no_more(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let urls = [format!("{}/api/v1/status", server.url), format!("{}/health/live", server.admin_url)];
    server.stop().await;
    for url in urls {
        assert!(reqwest::get(&url).await.unwrap_err().is_connect(), "{url}");
    }
}

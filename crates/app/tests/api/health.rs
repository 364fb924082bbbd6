//! The admin listener.

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, Server};

on_both_deployments!(
    a_server_that_runs_is_live_and_ready,
    health_is_asked_on_the_admin_listener_alone,
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
        let public = server.client().request_at_root(reqwest::Method::GET, path);
        crate::answer::Answer::of(public).await.assert_error(404, "not_found");
    }
    for path in ["/api/v1/status", "/api/v1/users/login", "/swagger-ui/"] {
        let answer = reqwest::get(format!("{}{path}", server.admin_url)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

async fn a_server_that_has_stopped_listens_no_more(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let urls = [format!("{}/api/v1/status", server.url), format!("{}/health/live", server.admin_url)];
    server.stop().await;
    for url in urls {
        assert!(reqwest::get(&url).await.unwrap_err().is_connect(), "{url}");
    }
}

//! The main job: log in, profile, log out.

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, Server};

on_both_deployments!(a_user_logs_in_sees_the_profile_logs_out_and_is_refused);

async fn a_user_logs_in_sees_the_profile_logs_out_and_is_refused(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.client();
    let answer = client.post("/users/login", json!({"email": "BUYER1@markt.com", "password": "Password123"})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
    assert_eq!(client.post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    client.get("/users/profile").await.assert_error(401, "not_authenticated");
}

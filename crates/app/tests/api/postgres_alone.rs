//! The third way to deploy: everything in PostgreSQL, without Redis.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_codes_live_in_postgres_where_there_is_no_redis() {
    let server = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", "").start().await;
    let ready = reqwest::get(format!("{}/health/ready", server.admin_url)).await.unwrap();
    let body: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(body, json!({"status": "ok", "checks": {"database": "ok"}}));

    let new = server.register("ann_lee").await;
    let code = server.mailed_code("ann_lee@example.com", 1).await;
    let server = server.stop().await.start().await;
    let body = json!({"email": "ann_lee@example.com", "verification_code": code});
    assert_eq!(server.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    assert_eq!(server.with_cookie(&new).get("/users/profile").await.json()["email_verified"], true);

    let brief = server.secret_with(json!({"email": "buyer1@markt.com", "password": PASSWORD, "remember": false})).await;
    let mine = [server.secret_of("seller1@markt.com").await, server.secret_of("seller1@markt.com").await];
    let answer = server.with_cookie(&mine[0]).post_nothing("/users/logout?everywhere=true").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    for secret in &mine {
        server.assert_dead(secret).await;
    }
    server.assert_alive(&brief, "buyer1").await;
    server.clock().advance(Duration::from_secs(24 * 60 * 60));
    server.assert_expired(&brief).await;
    server.assert_alive(&new, "ann_lee").await;
}

//! What is left of sessions in Redis once they have ended: nothing.

use std::time::Duration;

use markt_test_support::stores::OwnRedis;
use reqwest::StatusCode;
use serde_json::json;

use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

const EMAIL: &str = "both1@markt.com";

/// Longer than a node may go by what it knows of a user, so that this isn't forgotten before the rest.
const IDLE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_in_redis_an_idle_timeout_after_the_last_session_ended() {
    let store = OwnRedis::start().await;
    let setup = Setup::of(Deployment::Full).await.in_real_time().with("MARKT_REDIS_URL", store.url());
    let setup = setup
        .with("MARKT_SESSION__IDLE_TIMEOUT", format!("{}s", IDLE.as_secs()))
        .with("MARKT_SESSION__IDLE_TIMEOUT_NOT_REMEMBERED", "2s")
        .with("MARKT_SESSION__USER_CACHE_TTL", "1s")
        .with("MARKT_HTTP__REQUEST_TIMEOUT", "1s")
        .with("MARKT_SESSION__ROTATION_GRACE", "1s");
    let server = setup.start().await;
    let running_out = live(&server).await;
    server.assert_alive(&running_out, "seller1").await;
    tokio::time::sleep(IDLE + Duration::from_millis(500)).await;
    assert_eq!(redis(&store.url(), &["KEYS", "*"]).await, "");
}

/// Sessions that end in all ways: by being ended, by giving way; and the one that is left, which runs out.
async fn live(server: &Server) -> String {
    let old = server.secret_in_cookie(EMAIL).await;
    let rotated = server.with_cookie(&old).post_nothing("/users/switch-role").await.session_cookie().value;
    let ended = server.secret_of(EMAIL).await;
    assert_eq!(server.with_cookie(&ended).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    server.secret_of(EMAIL).await;
    assert_eq!(server.with_cookie(&rotated).delete("/users/sessions").await.status, StatusCode::OK);
    assert_eq!(server.with_cookie(&rotated).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    let everywhere = server.secret_of("buyer1@markt.com").await;
    let answer = server.with_cookie(&everywhere).post_nothing("/users/logout?everywhere=true").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let replaced = server.secret_of("seller1@markt.com").await;
    let brief = json!({"email": "seller1@markt.com", "password": PASSWORD, "remember": false});
    server.with_cookie(&replaced).post("/users/login", brief).await.session_cookie().value
}

//! Where the service works by tokens: the sessions hold the chains of refresh tokens.

use serde_json::{Value, json};

use super::{ids, listed, user_id};
use crate::on_both_deployments;
use crate::process::{said, said_json};
use crate::server::{Deployment, PASSWORD, Server};
use crate::tokens::by_tokens;

on_both_deployments!(chains_are_listed_and_revoked_and_refresh_no_more, with_a_deny_list_access_tokens_end_too,);

const EMAIL: &str = "both1@markt.com";

async fn log_in(server: &Server) -> Value {
    server.without_cookies().log_in(EMAIL, PASSWORD).await.json()
}

async fn refresh(server: &Server, tokens: &Value) -> u16 {
    let body = json!({"refresh_token": tokens["refresh_token"]});
    server.without_cookies().post("/auth/refresh", body).await.status.as_u16()
}

async fn chains_are_listed_and_revoked_and_refresh_no_more(deployment: Deployment) {
    let server = by_tokens(deployment).await.limited().await.start().await;
    let (first, second) = (log_in(&server).await, log_in(&server).await);
    let sessions = listed(&server, &["--transport", "bearer"]).await;
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["refresh_generation"] == 1), "{sessions:?}");
    assert_eq!(refresh(&server, &second).await, 200);
    let moved_on: Vec<_> =
        listed(&server, &[]).await.into_iter().filter(|session| session["refresh_generation"] == 2).collect();
    let [id] = &ids(&moved_on)[..] else { panic!("one chain has moved on") };
    assert_eq!(said_json(&server.setup, &["sessions", "show", id, "--json"]).await["let_in"], true);

    let text = said(&server.setup, &["sessions", "revoke", id]).await;
    assert!(text.contains("1 session revoked") && text.contains("for 15m at most"), "{text}");
    assert_eq!(refresh(&server, &second).await, 401);
    assert_eq!(refresh(&server, &first).await, 200);
    // That is the point of the comparison: its access token lives on.
    let answer = server.with_bearer(second["access_token"].as_str().unwrap()).get("/users/profile").await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let user = user_id(&server, EMAIL).await;
    let answer = said_json(&server.setup, &["sessions", "revoke", "--user", &user, "--json"]).await;
    assert_eq!(answer, json!({"dry_run": false, "revoked": 1, "access_tokens_accepted_for_seconds": 900}));
    assert_eq!(refresh(&server, &first).await, 401);
}

async fn with_a_deny_list_access_tokens_end_too(deployment: Deployment) {
    let server = by_tokens(deployment).await.limited().await.with("MARKT_JWT__DENYLIST", "true").start().await;
    let tokens = log_in(&server).await;
    let client = server.with_bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(client.get("/users/profile").await.status, 200);
    let answer = said_json(&server.setup, &["sessions", "revoke", "--email", EMAIL, "--json"]).await;
    assert_eq!(answer["access_tokens_accepted_for_seconds"], 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while client.get("/users/profile").await.status == 200 {
        assert!(deployment == Deployment::Full && std::time::Instant::now() < deadline, "still let in");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

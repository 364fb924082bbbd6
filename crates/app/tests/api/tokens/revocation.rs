//! How soon a caller with a token is out: refresh tokens at once, access tokens when they expire, unless the service asks
//! for each request (`jwt.denylist`).

use serde_json::json;

use super::{ACCESS_TTL, EMAIL, Tokens, assert_let_in, by_tokens, caller, log_in, refresh};
use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};

on_both_deployments!(
    a_logout_ends_the_chain_at_once_and_the_access_token_when_it_expires,
    a_logout_everywhere_ends_all_chains,
    a_changed_password_ends_the_other_chains_and_renews_this_one,
    a_reset_password_ends_all_chains,
    the_other_devices_can_be_logged_out,
    a_deactivated_user_is_out_once_the_copy_of_the_user_is_old,
    with_the_deny_list_every_logout_is_immediate,
    with_the_deny_list_an_epoch_that_an_operator_began_counts,
    with_the_deny_list_a_changed_password_ends_the_other_devices_tokens_at_once,
);

async fn log_out(server: &Server, tokens: &Tokens, query: &str) {
    let answer: Answer = caller(server, tokens).post_nothing(&format!("/users/logout{query}")).await;
    answer.assert_status(204);
    assert!(!answer.sets_cookie(), "{answer:?}");
}

async fn assert_no_more_tokens(server: &Server, tokens: &Tokens) {
    refresh(server, &tokens.refresh).await.assert_error(401, "invalid_token");
}

async fn assert_access_ends_at_expiry(server: &Server, tokens: &Tokens) {
    assert_let_in(server, tokens).await;
    server.clock().advance(ACCESS_TTL);
    caller(server, tokens).get("/users/profile").await.assert_error(401, "invalid_token");
}

async fn a_logout_ends_the_chain_at_once_and_the_access_token_when_it_expires(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let (tokens, other) = (log_in(&server).await, log_in(&server).await);
    log_out(&server, &tokens, "").await;
    assert_no_more_tokens(&server, &tokens).await;
    Tokens::of(&refresh(&server, &other.refresh).await);
    log_out(&server, &tokens, "").await;
    assert_access_ends_at_expiry(&server, &tokens).await;
}

async fn a_logout_everywhere_ends_all_chains(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let (tokens, other) = (log_in(&server).await, log_in(&server).await);
    log_out(&server, &tokens, "?everywhere=true").await;
    assert_no_more_tokens(&server, &tokens).await;
    assert_no_more_tokens(&server, &other).await;
    assert_access_ends_at_expiry(&server, &other).await;
    Tokens::of(&refresh(&server, &log_in(&server).await.refresh).await);
}

async fn a_changed_password_ends_the_other_chains_and_renews_this_one(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let (tokens, other) = (log_in(&server).await, log_in(&server).await);
    let body = json!({"current_password": PASSWORD, "new_password": "Password456"});
    let renewed = Tokens::of(&caller(&server, &tokens).post("/users/password", body).await);
    assert_ne!(renewed.refresh, tokens.refresh);
    assert_no_more_tokens(&server, &other).await;
    let again = Tokens::of(&refresh(&server, &renewed.refresh).await);
    assert_let_in(&server, &again).await;
}

async fn a_reset_password_ends_all_chains(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    server.client().post("/users/password-reset", json!({ "email": EMAIL })).await.assert_status(202);
    let code = server.mailed_code(EMAIL, 1).await;
    let body = json!({"email": EMAIL, "code": code, "new_password": "Password456"});
    server.client().post("/users/password-reset/confirm", body).await.assert_status(200);
    assert_no_more_tokens(&server, &tokens).await;
}

async fn the_other_devices_can_be_logged_out(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let [tokens, second, third] = [log_in(&server).await, log_in(&server).await, log_in(&server).await];
    let id = caller(&server, &second).get("/session").await.json()["id"].as_str().unwrap().to_owned();
    caller(&server, &tokens).delete(&format!("/users/sessions/{id}")).await.assert_status(204);
    assert_no_more_tokens(&server, &second).await;
    assert_eq!(caller(&server, &tokens).delete("/users/sessions").await.json()["revoked"], 1);
    assert_no_more_tokens(&server, &third).await;
    Tokens::of(&refresh(&server, &tokens.refresh).await);
}

async fn a_deactivated_user_is_out_once_the_copy_of_the_user_is_old(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    assert_let_in(&server, &tokens).await;
    server.setup.execute_sql("UPDATE users SET is_active = false WHERE username = 'both1'").await;
    server.clock().advance(std::time::Duration::from_secs(61));
    caller(&server, &tokens).get("/users/profile").await.assert_error(401, "session_revoked");
    assert_no_more_tokens(&server, &tokens).await;
}

async fn with_the_deny_list_every_logout_is_immediate(deployment: Deployment) {
    let server = by_tokens(deployment).await.with("MARKT_JWT__DENYLIST", "true").start().await;
    let [one, two, three] = [log_in(&server).await, log_in(&server).await, log_in(&server).await];
    for tokens in [&one, &two, &three] {
        assert_let_in(&server, tokens).await;
    }
    let refreshed = Tokens::of(&refresh(&server, &one.refresh).await);
    log_out(&server, &refreshed, "").await;
    for tokens in [&one, &refreshed] {
        caller(&server, tokens).get("/users/profile").await.assert_error(401, "session_revoked");
    }
    assert_let_in(&server, &two).await;
    log_out(&server, &two, "?everywhere=true").await;
    for tokens in [&two, &three] {
        caller(&server, tokens).get("/users/profile").await.assert_error(401, "session_revoked");
    }
    assert_let_in(&server, &log_in(&server).await).await;
}

/// In SQL, past the service; also where the session itself is answered from memory.
async fn with_the_deny_list_an_epoch_that_an_operator_began_counts(deployment: Deployment) {
    let server = by_tokens(deployment).await.with("MARKT_JWT__DENYLIST", "true").start().await;
    let tokens = log_in(&server).await;
    assert_let_in(&server, &tokens).await;
    server
        .setup
        .execute_sql("UPDATE auth_user_states SET session_epoch = session_epoch + 1, version = version + 1")
        .await;
    server.clock().advance(std::time::Duration::from_secs(61));
    for _ in 0..5 {
        caller(&server, &tokens).get("/users/profile").await.assert_error(401, "session_revoked");
    }
}

async fn with_the_deny_list_a_changed_password_ends_the_other_devices_tokens_at_once(deployment: Deployment) {
    let server = by_tokens(deployment).await.with("MARKT_JWT__DENYLIST", "true").start().await;
    let (one, other) = (log_in(&server).await, log_in(&server).await);
    let body = json!({"current_password": PASSWORD, "new_password": "Password456"});
    assert_let_in(&server, &other).await;
    let renewed = Tokens::of(&caller(&server, &one).post("/users/password", body).await);
    caller(&server, &other).get("/users/profile").await.assert_error(401, "session_revoked");
    assert_let_in(&server, &renewed).await;
    assert_let_in(&server, &one).await;
}

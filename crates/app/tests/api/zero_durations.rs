//! Durations that may be none at all, of a server that is told so.

use std::time::Duration;

use markt_domain::ports::clock::Clock as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;
use crate::tokens::{Tokens, by_tokens, caller};

const MILLISECOND: Duration = Duration::from_millis(1);

const EMAIL: &str = "both1@markt.com";

on_both_deployments!(
    without_a_grace_a_replaced_secret_is_unknown_at_once_on_every_node,
    without_a_grace_of_requests_that_rotate_at_once_one_comes_through,
    without_a_grace_a_refresh_token_that_comes_again_ends_its_session_at_once,
    where_freshness_lasts_for_no_time_nobody_is_fresh,
    without_an_interval_every_use_of_a_session_is_written_down_before_the_answer,
    where_no_copy_of_a_user_is_kept_a_change_in_sql_is_seen_at_once,
);

async fn with(deployment: Deployment, key: &str) -> Server {
    Setup::of(deployment).await.with(key, "0s").start().await
}

async fn without_a_grace_a_replaced_secret_is_unknown_at_once_on_every_node(deployment: Deployment) {
    let server = with(deployment, "MARKT_SESSION__ROTATION_GRACE").await;
    let twin = server.twin().await;
    for path in ["/users/reauthenticate", "/users/switch-role", "/users/password"] {
        let former = server.secret_in_cookie(EMAIL).await;
        let body = json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": PASSWORD});
        let answer = server.with_cookie(&former).post(path, body).await;
        answer.assert_status(200);
        let present = answer.session_cookie().value;
        for node in [&server, &twin] {
            node.assert_unknown(&former).await;
            node.assert_alive(&present, "both1").await;
        }
        server.with_cookie(&present).post_nothing("/users/logout").await.assert_status(204);
        server.assert_dead(&present).await;
        // That session has ended, but nobody can tell any more that this was once its secret.
        server.assert_unknown(&former).await;
    }
}

async fn without_a_grace_of_requests_that_rotate_at_once_one_comes_through(deployment: Deployment) {
    let server = with(deployment, "MARKT_SESSION__ROTATION_GRACE").await;
    for _ in 0..5 {
        let secret = server.secret_in_cookie(EMAIL).await;
        let (one, other) = (server.with_cookie(&secret), server.with_cookie(&secret));
        let (one, other) =
            tokio::join!(one.post_nothing("/users/switch-role"), other.post_nothing("/users/switch-role"));
        let (made, refused): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(|answer| answer.sets_cookie());
        assert_eq!((made.len(), refused.len()), (1, 1), "{made:?} {refused:?}");
        made[0].assert_status(200);
        refused[0].assert_status(401);
        server.assert_alive(&made[0].session_cookie().value, "both1").await;
        server.assert_unknown(&secret).await;
    }
}

async fn without_a_grace_a_refresh_token_that_comes_again_ends_its_session_at_once(deployment: Deployment) {
    let server = by_tokens(deployment).await.with("MARKT_SESSION__ROTATION_GRACE", "0s").start().await;
    let refresh =
        async |token: &str| server.without_cookies().post("/auth/refresh", json!({ "refresh_token": token })).await;
    let first = Tokens::of(&server.without_cookies().log_in(EMAIL, PASSWORD).await);
    let second = Tokens::of(&refresh(&first.refresh).await);
    refresh(&first.refresh).await.assert_error(401, "invalid_token");
    refresh(&second.refresh).await.assert_error(401, "invalid_token");
    // An access token lives on until it expires.
    caller(&server, &second).get("/users/profile").await.assert_status(200);
}

async fn where_freshness_lasts_for_no_time_nobody_is_fresh(deployment: Deployment) {
    let server = with(deployment, "MARKT_SESSION__FRESH_FOR").await;
    let client = server.logged_in(EMAIL).await;
    server.logged_in(EMAIL).await;
    for _ in 0..2 {
        assert_eq!(client.get("/session").await.json()["fresh"], false);
        assert_eq!(client.get("/sessions/verify").await.header("x-auth-fresh"), "false");
        client.delete("/users/sessions").await.assert_error(403, "reauthentication_required");
        let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
        assert_eq!((answer.status, &answer.json()["fresh"]), (StatusCode::OK, &json!(false)), "{answer:?}");
    }
}

/// When the session was last used, as the store has it.
async fn written(server: &Server, deployment: Deployment, secret: &str) -> String {
    match deployment {
        Deployment::Embedded => {
            server.setup.query_texts("SELECT CAST(last_activity AS TEXT) FROM auth_sessions").await.concat()
        }
        Deployment::Full => redis(&server.setup.redis_url(), &["GET", &format!("session:{}", public_id(secret))]).await,
    }
}

async fn without_an_interval_every_use_of_a_session_is_written_down_before_the_answer(deployment: Deployment) {
    let server = with(deployment, "MARKT_SESSION__TOUCH_INTERVAL").await;
    let secret = server.secret_in_cookie(EMAIL).await;
    for _ in 0..5 {
        server.clock().advance(MILLISECOND);
        server.assert_alive(&secret, "both1").await;
        let now = server.clock().now();
        let expected = match deployment {
            Deployment::Embedded => now.unix_milliseconds().to_string(),
            Deployment::Full => format!("\"last_activity\":{}", serde_json::to_string(&now).unwrap()),
        };
        let written = written(&server, deployment, &secret).await;
        assert!(written.contains(&expected), "{expected} isn't in {written}");
    }
}

async fn where_no_copy_of_a_user_is_kept_a_change_in_sql_is_seen_at_once(deployment: Deployment) {
    let server = with(deployment, "MARKT_SESSION__USER_CACHE_TTL").await;
    let secret = server.secret_in_cookie(EMAIL).await;
    for number in ["+491", "+492", "+493"] {
        server.assert_alive(&secret, "both1").await;
        let change = format!("UPDATE users SET phone_number = '{number}' WHERE username = 'both1'");
        server.setup.execute_sql(&change).await;
        let profile = server.with_cookie(&secret).get("/users/profile").await.json();
        assert_eq!(profile["phone_number"], number);
    }
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'both1'").await;
    server.with_cookie(&secret).get("/users/profile").await.assert_error(401, "session_revoked");
}

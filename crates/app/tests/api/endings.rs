//! Why was I logged out: what the client of a session that has ended is told.

use std::time::Duration;

use markt_test_support::stores::redis_url;
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Client;
use crate::on_both_deployments;
use crate::process::Process;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;

const EMAIL: &str = "buyer1@markt.com";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both_deployments!(
    the_reason_is_given_on_every_route,
    a_session_that_was_ended_is_remembered_for_a_day,
    a_session_that_ran_out_is_said_to_have,
    a_session_that_ran_out_before_all_were_ended_is_still_said_to_have_run_out,
    a_secret_that_was_never_handed_out_opens_nothing,
    a_reason_does_not_get_in_the_way_of_a_living_session,
    whoever_logs_in_with_the_secret_of_an_ended_session_is_in,
    the_reason_is_in_the_log_and_the_secret_is_not,
);

/// The key of what Redis remembers of a session's end.
fn ended_key(secret: &str) -> String {
    format!("ended:{}", &public_id(secret)[..16])
}

async fn the_reason_is_given_on_every_route(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let expired = server.secret_with(json!({"email": EMAIL, "password": PASSWORD, "remember": false})).await;
    server.clock().advance(DAY - Duration::from_secs(1));
    let revoked = server.secret_of(EMAIL).await;
    server.with_cookie(&revoked).post_nothing("/users/logout").await;
    server.clock().advance(Duration::from_secs(1));
    for (secret, reason) in [(&revoked, "session_revoked"), (&expired, "session_expired")] {
        for client in [server.with_cookie(secret), server.with_bearer(secret)] {
            for path in ["/users/profile", "/session", "/session?touch=false", "/users/sessions", "/sessions/verify"] {
                client.get(path).await.assert_error(401, reason);
            }
            for path in ["/users/logout", "/users/logout?everywhere=true", "/users/switch-role"] {
                client.post_nothing(path).await.assert_error(401, reason);
            }
            let id = public_id(secret);
            for path in ["/users/sessions", &format!("/users/sessions/{id}")] {
                client.delete(path).await.assert_error(401, reason);
            }
            let password = json!({ "password": PASSWORD });
            client.post("/users/reauthenticate", password).await.assert_error(401, reason);
        }
    }
}

async fn a_session_that_was_ended_is_remembered_for_a_day(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    server.with_cookie(&secret).post_nothing("/users/logout").await;
    match deployment {
        Deployment::Embedded => {
            server.clock().advance(DAY - Duration::from_secs(1));
            server.assert_dead(&secret).await;
            server.clock().advance(Duration::from_secs(1));
        }
        // Redis forgets by a clock that nobody moves.
        Deployment::Full => {
            let key = ended_key(&secret);
            let seconds: u64 = redis(&redis_url(), &["TTL", &key]).await.parse().unwrap();
            assert!((86_300..=86_400).contains(&seconds), "{seconds}");
            server.assert_dead(&secret).await;
            assert_eq!(redis(&redis_url(), &["DEL", &key]).await, "1");
        }
    }
    server.assert_unknown(&secret).await;
}

async fn a_session_that_ran_out_is_said_to_have(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let brief = server.secret_with(json!({"email": EMAIL, "password": PASSWORD, "remember": false})).await;
    let secret = server.secret_of(EMAIL).await;
    server.clock().advance(DAY);
    server.assert_expired(&brief).await;
    server.clock().advance(6 * DAY);
    for _ in 0..2 {
        server.assert_expired(&secret).await;
    }
    if deployment == Deployment::Full {
        // What is left in Redis when a session's key is gone says when the session would have ended.
        assert_eq!(redis(&redis_url(), &["DEL", &format!("session:{}", public_id(&secret))]).await, "1");
        server.assert_expired(&secret).await;
        let seconds: u64 = redis(&redis_url(), &["TTL", &ended_key(&secret)]).await.parse().unwrap();
        assert!((8 * 86_400 - 100..=8 * 86_400).contains(&seconds), "{seconds}: a day longer than the session");
    }
}

async fn a_session_that_ran_out_before_all_were_ended_is_still_said_to_have_run_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let brief = server.secret_with(json!({"email": EMAIL, "password": PASSWORD, "remember": false})).await;
    server.clock().advance(DAY);
    if deployment == Deployment::Full {
        // As Redis would have done by itself.
        assert_eq!(redis(&redis_url(), &["DEL", &format!("session:{}", public_id(&brief))]).await, "1");
    }
    let secret = server.secret_of(EMAIL).await;
    server.with_cookie(&secret).post_nothing("/users/logout?everywhere=true").await;
    server.assert_expired(&brief).await;
    server.assert_dead(&secret).await;
}

async fn a_secret_that_was_never_handed_out_opens_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    // The public id, which anybody may read in a log, is no secret.
    for unknown in ["x".repeat(43), public_id(&secret), public_id(&secret)[..43].to_owned()] {
        server.assert_unknown(&unknown).await;
    }
}

async fn a_reason_does_not_get_in_the_way_of_a_living_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (dead, alive) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    server.with_cookie(&dead).post_nothing("/users/logout").await;
    let unknown = "x".repeat(43);
    for pair in [format!("{dead}; markt_session={alive}"), format!("{alive}; markt_session={dead}")] {
        server.assert_alive(&pair, "buyer1").await;
    }
    for pair in [format!("{dead}; markt_session={unknown}"), format!("{unknown}; markt_session={dead}")] {
        server.assert_dead(&pair).await;
    }
}

async fn whoever_logs_in_with_the_secret_of_an_ended_session_is_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    server.with_cookie(&secret).post_nothing("/users/logout").await;
    let answer = server.with_cookie(&secret).log_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    server.assert_alive(&answer.session_cookie().value, "buyer1").await;
    server.assert_dead(&secret).await;
}

async fn the_reason_is_in_the_log_and_the_secret_is_not(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let process = Process::serve(&server.setup);
    let of_process =
        |secret: &str| Client::to(&process.url, false).with_header("cookie", format!("markt_session={secret}"));
    let (left, stolen) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    assert_eq!(of_process(&left).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    let thief = of_process(&stolen).with_header("user-agent", "curl/8.14.1");
    for client in [of_process(&left), thief, of_process(&stolen)] {
        client.get("/session").await.assert_error(401, "session_revoked");
    }
    let log = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    for (secret, event, reason) in [
        (&left, "session_refused", "logged_out"),
        (&stolen, "binding_mismatch", "user_agent"),
        (&stolen, "session_refused", "binding_mismatch"),
    ] {
        let told = |line: &str| [event, reason, &public_id(secret)].iter().all(|part| line.contains(*part));
        assert!(log.lines().any(told), "no {event} ({reason}) in {log}");
        assert!(!log.contains(secret.as_str()), "{secret} in {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_deleted_in_redis_counts_like_a_revocation() {
    let server = Server::start(Deployment::Full).await;
    let (secret, other) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    server.assert_alive(&secret, "buyer1").await;
    assert_eq!(redis(&redis_url(), &["DEL", &format!("session:{}", public_id(&secret))]).await, "1");
    server.assert_dead_soon(&secret).await;
    server.assert_alive(&other, "buyer1").await;
    let listed = server.with_cookie(&other).get("/users/sessions").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(server.with_cookie(&other).delete("/users/sessions").await.json(), json!({"revoked": 0}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_deleted_in_sql_opens_nothing_any_more() {
    let server = Setup::of(Deployment::Embedded).await.start().await;
    let secret = server.secret_of(EMAIL).await;
    server.assert_alive(&secret, "buyer1").await;
    server.setup.execute_sql("DELETE FROM auth_sessions").await;
    server.until_not_let_in(&secret).await;
    server.assert_unknown(&secret).await;
}

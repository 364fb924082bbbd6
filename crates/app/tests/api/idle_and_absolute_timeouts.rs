//! The three clocks of a session: the idle one, which its use winds up, the absolute one, and freshness.

use std::time::{Duration, Instant};

use markt_domain::Timestamp;
use markt_domain::ports::clock::Clock as _;
use markt_test_support::stores::redis_url;
use reqwest::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const EMAIL: &str = "both1@markt.com";

on_both_deployments!(
    a_session_that_is_used_does_not_run_out,
    nothing_extends_the_absolute_timeout,
    the_use_of_a_session_is_written_down_once_in_a_touch_interval,
    a_timeout_shorter_than_the_touch_interval_slides_all_the_same,
    who_only_looks_does_not_keep_the_session_alive,
    the_cookie_is_renewed_along_with_the_session,
    the_cookie_never_outlives_the_absolute_timeout,
    a_cookie_that_ends_with_the_browser_or_was_not_sent_is_not_renewed,
    an_answer_that_sets_the_cookie_itself_is_left_alone,
    a_session_is_fresh_for_a_quarter_of_an_hour_after_the_password_was_given,
    in_real_time_a_session_lives_while_it_is_used_and_no_longer,
);

fn now(server: &Server) -> Timestamp {
    server.clock().now()
}

#[track_caller]
fn assert_renewed(answer: &Answer, secret: &str, max_age: Duration) {
    let cookie = answer.session_cookie();
    assert_eq!(cookie.value, secret, "{answer:?}");
    assert_eq!(cookie.attributes["max-age"], max_age.as_secs().to_string(), "{answer:?}");
}

#[track_caller]
fn assert_not_renewed(answer: &Answer) {
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
}

async fn a_session_that_is_used_does_not_run_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (remember, idle) in [(true, 7 * DAY), (false, DAY)] {
        let secret = server.secret_with(json!({"email": EMAIL, "password": PASSWORD, "remember": remember})).await;
        for _ in 0..4 {
            server.clock().advance(idle - SECOND);
            server.assert_alive(&secret, "both1").await;
            let session = server.session_of(&secret).await;
            assert_eq!(session["last_activity"], now(&server).to_string());
            let absolute_end = session["expires_at"].as_str().unwrap();
            assert_eq!(session["idle_expires_at"], now(&server).plus(idle).to_string().as_str().min(absolute_end));
        }
        server.clock().advance(idle);
        server.assert_expired(&secret).await;
    }
}

async fn nothing_extends_the_absolute_timeout(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secret = server.secret_in_cookie(EMAIL).await;
    let (created_at, expires_at) = (now(&server), now(&server).plus(30 * DAY));
    let mut password = PASSWORD.to_owned();
    for day in 1..30 {
        server.clock().advance(DAY);
        let client = server.with_cookie(&secret);
        let answer = match day % 3 {
            0 => client.post("/users/reauthenticate", json!({ "password": password })).await,
            1 => client.post_nothing("/users/switch-role").await,
            _ => {
                let new = format!("Password{day}");
                let body = json!({"current_password": password, "new_password": new});
                password = new;
                client.post("/users/password", body).await
            }
        };
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        secret = answer.session_cookie().value;
        let session = server.session_of(&secret).await;
        assert_eq!(session["created_at"], created_at.to_string());
        assert_eq!(session["expires_at"], expires_at.to_string());
    }
    server.clock().advance(DAY - SECOND);
    server.assert_alive(&secret, "both1").await;
    server.clock().advance(SECOND);
    server.assert_expired(&secret).await;
}

async fn the_use_of_a_session_is_written_down_once_in_a_touch_interval(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    let mut written = now(&server);
    for _ in 0..3 {
        for _ in 0..2 {
            server.clock().advance(29 * SECOND + SECOND / 2);
            server.assert_alive(&secret, "both1").await;
            assert_eq!(server.session_of(&secret).await["last_activity"], written.to_string());
        }
        server.clock().advance(SECOND);
        server.assert_alive(&secret, "both1").await;
        written = now(&server);
        let session = server.session_of(&secret).await;
        assert_eq!(session["last_activity"], written.to_string());
        assert_eq!(session["idle_expires_at"], written.plus(7 * DAY).to_string());
    }
}

async fn a_timeout_shorter_than_the_touch_interval_slides_all_the_same(deployment: Deployment) {
    for seconds in [5, 30, 60, 90] {
        let setup = Setup::of(deployment).await.with("MARKT_SESSION__IDLE_TIMEOUT", format!("{seconds}s"));
        let server = setup.start().await;
        let used = server.secret_of(EMAIL).await;
        for gap in [40, 80, 10, 80, 80, 5, 85, 80] {
            server.clock().advance(SECOND * seconds * gap / 100);
            server.assert_alive(&used, "both1").await;
        }
        server.clock().advance(SECOND * seconds);
        server.assert_expired(&used).await;
    }
}

async fn who_only_looks_does_not_keep_the_session_alive(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    let first = server.session_of(&secret).await;
    for _ in 0..2 {
        server.clock().advance(3 * DAY);
        let answer = server.with_cookie(&secret).get("/session?touch=false").await;
        assert_not_renewed(&answer);
        let session = answer.json();
        for field in ["last_activity", "idle_expires_at"] {
            assert_eq!(session[field], first[field]);
        }
    }
    server.clock().advance(DAY);
    server.with_cookie(&secret).get("/session?touch=false").await.assert_error(401, "session_expired");
    let other = server.secret_of(EMAIL).await;
    let errors = server.with_cookie(&other).get("/session?touch=maybe").await.errors("query");
    assert_eq!(errors, json!({"touch": ["Not a valid boolean."]}));
    server.clock().advance(6 * DAY);
    // Without it, or with `true`, asking is a use like any other.
    for query in ["", "?touch=true", "?touch=True"] {
        let answer = server.with_cookie(&other).get(&format!("/session{query}")).await;
        assert_eq!(answer.json()["last_activity"], now(&server).to_string(), "{query}");
        server.clock().advance(6 * DAY);
    }
}

async fn the_cookie_is_renewed_along_with_the_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let answer = server.browser().log_in(EMAIL, PASSWORD).await;
    let (issued, secret) = (answer.session_cookie().attributes, answer.session_cookie().value);
    let client = server.with_cookie(&secret);
    for path in ["/users/profile", "/session", "/users/sessions", "/sessions/verify"] {
        server.clock().advance(59 * SECOND);
        assert_not_renewed(&client.get(path).await);
        server.clock().advance(SECOND);
        let renewed = client.get(path).await;
        assert_renewed(&renewed, &secret, 7 * DAY);
        assert_eq!(renewed.session_cookie().attributes, issued, "{path}");
        assert_not_renewed(&client.get(path).await);
    }
    // What was asked for may be refused: the session was used all the same.
    server.clock().advance(MINUTE);
    let refused = client.post("/users/reauthenticate", json!({"password": "Password124"})).await;
    refused.assert_error(403, "wrong_password");
    assert_renewed(&refused, &secret, 7 * DAY);
    server.clock().advance(MINUTE);
    assert_renewed(&client.post("/users/reauthenticate", json!({})).await, &secret, 7 * DAY);
}

async fn the_cookie_never_outlives_the_absolute_timeout(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie(EMAIL).await;
    let client = server.with_cookie(&secret);
    for (days, max_age) in [(6, 7 * DAY), (6, 7 * DAY), (6, 7 * DAY), (5, 7 * DAY), (1, 6 * DAY), (5, DAY)] {
        server.clock().advance(days * DAY);
        assert_renewed(&client.get("/users/profile").await, &secret, max_age);
        if deployment == Deployment::Full {
            let key = format!("session:{}", public_id(&secret));
            // It is written a moment later, together with others.
            let deadline = Instant::now() + MINUTE;
            loop {
                let left: u64 = redis(&redis_url(), &["TTL", &key]).await.parse().unwrap();
                if (max_age.as_secs() - 60..=max_age.as_secs()).contains(&left) {
                    break;
                }
                assert!(Instant::now() < deadline, "{left}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    server.clock().advance(DAY - MINUTE);
    let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    assert_eq!(answer.session_cookie().attributes["max-age"], "60");
    server.clock().advance(MINUTE);
    server.assert_expired(&answer.session_cookie().value).await;
}

async fn a_cookie_that_ends_with_the_browser_or_was_not_sent_is_not_renewed(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let brief = server.secret_with(json!({"email": EMAIL, "password": PASSWORD, "remember": false})).await;
    let (app, in_cookie) = (server.secret_of(EMAIL).await, server.secret_in_cookie(EMAIL).await);
    server.clock().advance(HOUR);
    for client in [server.with_cookie(&brief), server.with_bearer(&app), server.with_bearer(&in_cookie)] {
        let answer = client.get("/session").await;
        assert_eq!(answer.json()["last_activity"], now(&server).to_string(), "it was not even used");
        assert_not_renewed(&answer);
    }
    // A client that sends both keeps a cookie, which must not be left behind.
    server.clock().advance(HOUR);
    let both = server.with_cookie(&app).with_header("authorization", format!("Bearer {app}"));
    assert_renewed(&both.get("/session").await, &app, 7 * DAY);
    server.clock().advance(HOUR);
    // Garbage in the cookie is not made a session by the secret beside it.
    let beside = server.with_cookie(&"x".repeat(43)).with_header("authorization", format!("Bearer {app}"));
    assert_not_renewed(&beside.get("/session").await);
}

async fn an_answer_that_sets_the_cookie_itself_is_left_alone(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie(EMAIL).await;
    server.clock().advance(HOUR);
    let rotated = server.with_cookie(&secret).post_nothing("/users/switch-role").await.session_cookie();
    assert_ne!(rotated.value, secret);
    assert_eq!(rotated.attributes["max-age"], (7 * DAY).as_secs().to_string());
    server.clock().advance(HOUR);
    assert_eq!(server.with_cookie(&rotated.value).post_nothing("/users/logout").await.session_cookie().value, "");
}

async fn a_session_is_fresh_for_a_quarter_of_an_hour_after_the_password_was_given(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secret = server.secret_in_cookie(EMAIL).await;
    let mut given = now(&server);
    for _ in 0..2 {
        for (wait, fresh) in [(Duration::ZERO, true), (15 * MINUTE - SECOND, true), (SECOND, false), (HOUR, false)] {
            server.clock().advance(wait);
            let session = server.with_cookie(&secret).get("/session").await.json();
            assert_eq!(session["fresh"], fresh, "{wait:?}");
            assert_eq!(session["authenticated_at"], given.to_string());
        }
        // A new secret is not a password.
        secret = server.with_cookie(&secret).post_nothing("/users/switch-role").await.session_cookie().value;
        assert_eq!(server.session_of(&secret).await["fresh"], false);
        let wrong = server.with_cookie(&secret).post("/users/reauthenticate", json!({"password": "Password124"})).await;
        wrong.assert_error(403, "wrong_password");
        assert_eq!(server.session_of(&secret).await["fresh"], false);
        let answer = server.with_cookie(&secret).post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
        assert_eq!(answer.json()["fresh"], true, "{answer:?}");
        (secret, given) = (answer.session_cookie().value, now(&server));
    }
}

async fn in_real_time_a_session_lives_while_it_is_used_and_no_longer(deployment: Deployment) {
    const IDLE: Duration = Duration::from_secs(3);
    let setup = Setup::of(deployment).await.in_real_time().with("MARKT_SESSION__IDLE_TIMEOUT", "3s");
    let server = setup.start().await;
    let (used, unused) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    let started = Instant::now();
    while started.elapsed() < IDLE + SECOND / 4 {
        server.assert_alive(&used, "both1").await;
        tokio::time::sleep(SECOND / 4).await;
    }
    assert_vanished(deployment, &unused).await;
    server.assert_expired(&unused).await;
    server.assert_alive(&used, "both1").await;
    tokio::time::sleep(IDLE + SECOND / 4).await;
    assert_vanished(deployment, &used).await;
    server.assert_expired(&used).await;
}

/// Redis forgets sessions by itself; SQL has them forgotten now and then.
async fn assert_vanished(deployment: Deployment, secret: &str) {
    if deployment == Deployment::Full {
        assert_eq!(redis(&redis_url(), &["EXISTS", &format!("session:{}", public_id(secret))]).await, "0");
    }
}

//! What happens to a session at the same moment: its end wins.

use std::time::Duration;

use markt_test_support::stores::redis_url;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::redis::redis;
use crate::server::{Deployment, PASSWORD, Server, public_id};

const EMAIL: &str = "both1@markt.com";

/// How often each race is run.
const ROUNDS: usize = 20;

on_both_deployments!(
    a_session_is_dead_after_its_logout_whatever_else_it_did_in_that_moment,
    a_session_that_is_revoked_from_another_device_is_dead_whatever_it_did_in_that_moment,
    a_logout_everywhere_ends_every_session_that_was_there_before_it,
    the_session_that_outlives_the_others_is_not_dead_for_a_moment,
    of_two_devices_that_end_all_others_at_once_one_is_told_so_at_most,
    changes_to_one_session_at_once_are_all_made,
);

/// What a session may do while it is ended, each of which writes to it.
async fn keep_busy(client: &Client, n: usize) -> Answer {
    match n % 4 {
        0 => client.post_nothing("/users/switch-role").await,
        1 => client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await,
        2 => client.patch("/users/profile", json!({"phone_number": format!("+49{n}")})).await,
        _ => client.get("/session").await,
    }
}

/// The secrets that were handed out, besides this one.
fn secrets_among(answers: &[Answer], secret: &str) -> Vec<String> {
    let handed_out = answers.iter().filter(|answer| answer.sets_cookie());
    let values = handed_out.map(|answer| answer.session_cookie().value).filter(|value| !value.is_empty());
    std::iter::once(secret.to_owned()).chain(values).collect()
}

/// Does what a session may do, all at once, and this besides.
async fn all_at_once(server: &Server, secret: &str, ending: impl AsyncFnOnce()) -> Vec<Answer> {
    let mut busy = JoinSet::new();
    for n in 0..4 {
        let client = server.with_cookie(secret);
        busy.spawn(async move { keep_busy(&client, n).await });
    }
    ending().await;
    let answers = busy.join_all().await;
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 200 | 401), "{answer:?}");
    }
    answers
}

async fn listed(server: &Server, secret: &str) -> Vec<Value> {
    let answer = server.with_cookie(secret).get("/users/sessions").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
}

async fn a_session_is_dead_after_its_logout_whatever_else_it_did_in_that_moment(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let witness = server.secret_in_cookie(EMAIL).await;
    for round in 0..ROUNDS {
        let secret = if round % 2 == 0 { server.secret_in_cookie(EMAIL).await } else { server.secret_of(EMAIL).await };
        server.clock().advance(Duration::from_secs(60));
        let answers = all_at_once(&server, &secret, async || {
            let answer = server.with_cookie(&secret).post_nothing("/users/logout").await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        });
        for secret in secrets_among(&answers.await, &secret) {
            server.assert_dead(&secret).await;
        }
        assert_eq!(listed(&server, &witness).await, [public_id(&witness)], "round {round}");
    }
}

async fn a_session_that_is_revoked_from_another_device_is_dead_whatever_it_did_in_that_moment(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let witness = server.secret_in_cookie(EMAIL).await;
    for round in 0..ROUNDS {
        let secret = server.secret_in_cookie(EMAIL).await;
        let path = format!("/users/sessions/{}", if round % 2 == 0 { String::new() } else { public_id(&secret) });
        let answers = all_at_once(&server, &secret, async || {
            let answer = server.with_cookie(&witness).delete(path.trim_end_matches('/')).await;
            assert!(answer.status.is_success(), "{answer:?}");
        });
        for secret in secrets_among(&answers.await, &secret) {
            server.assert_dead(&secret).await;
        }
        assert_eq!(listed(&server, &witness).await, [public_id(&witness)], "round {round}");
    }
}

async fn a_logout_everywhere_ends_every_session_that_was_there_before_it(deployment: Deployment) {
    const LOGINS: usize = 4;
    let server = Server::start(deployment).await;
    for _ in 0..ROUNDS / 2 {
        let mut before = Vec::new();
        for _ in 0..2 {
            before.push(server.secret_in_cookie(EMAIL).await);
        }
        let mut logins = JoinSet::new();
        for _ in 0..LOGINS {
            let client = server.without_cookies();
            logins.spawn(async move { client.log_in(EMAIL, PASSWORD).await });
        }
        let answers = all_at_once(&server, &before[0], async || {
            let answer = server.with_cookie(&before[1]).post_nothing("/users/logout?everywhere=true").await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        });
        before.extend(secrets_among(&answers.await, &before[0]));
        for secret in &before {
            server.assert_dead(secret).await;
        }
        // A login that was under way is of before or of after, and no half of either.
        let mut alive = Vec::new();
        for login in logins.join_all().await {
            assert_eq!(login.status, StatusCode::OK, "{login:?}");
            let secret = login.session_cookie().value;
            match server.with_cookie(&secret).get("/session").await {
                answer if answer.status == StatusCode::OK => alive.push(secret),
                answer => answer.assert_error(401, "session_revoked"),
            }
        }
        alive.push(server.secret_of(EMAIL).await);
        assert_eq!(listed(&server, &alive[0]).await.len(), alive.len());
        server.with_cookie(&alive[0]).post_nothing("/users/logout?everywhere=true").await;
    }
}

async fn the_session_that_outlives_the_others_is_not_dead_for_a_moment(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut kept = server.secret_in_cookie(EMAIL).await;
    for round in 0..ROUNDS {
        let other = server.secret_in_cookie(EMAIL).await;
        server.clock().advance(Duration::from_secs(1));
        let mut watch = JoinSet::new();
        for _ in 0..3 {
            let client = server.with_cookie(&kept);
            watch.spawn(async move {
                for _ in 0..8 {
                    let answer = client.get("/session").await;
                    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                }
            });
        }
        // Nor if it gets a new secret meanwhile.
        let client = server.with_cookie(&kept);
        watch.spawn(async move {
            let answer = client.post_nothing("/users/switch-role").await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        });
        let client = server.with_cookie(&kept);
        let answer = if round % 2 == 0 {
            client.delete("/users/sessions").await
        } else {
            client.post("/users/password", json!({"current_password": PASSWORD, "new_password": PASSWORD})).await
        };
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        watch.join_all().await;
        server.assert_dead(&other).await;
        assert_eq!(listed(&server, &kept).await.len(), 1, "round {round}");
        server.with_cookie(&kept).post_nothing("/users/logout").await;
        kept = server.secret_in_cookie(EMAIL).await;
    }
}

async fn of_two_devices_that_end_all_others_at_once_one_is_told_so_at_most(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for _ in 0..ROUNDS {
        let mut devices = JoinSet::new();
        for secret in [server.secret_in_cookie(EMAIL).await, server.secret_in_cookie(EMAIL).await] {
            let client = server.with_cookie(&secret);
            devices.spawn(async move { (secret, client.delete("/users/sessions").await) });
        }
        let mut told = 0;
        for (secret, answer) in devices.join_all().await {
            if answer.status == StatusCode::OK {
                told += 1;
            } else {
                answer.assert_error(401, "session_revoked");
                server.assert_dead(&secret).await;
            }
        }
        assert!(told <= 1, "each of the two believes that it ended the other");
    }
}

async fn changes_to_one_session_at_once_are_all_made(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for round in 0..ROUNDS {
        let (secret, other) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
        server.clock().advance(Duration::from_secs(20 * 60));
        let mut changes = JoinSet::new();
        for n in 0..8 {
            let client = server.with_bearer(&secret);
            changes.spawn(async move {
                match n {
                    0 => client.post_nothing("/users/switch-role").await,
                    1 => client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await,
                    _ => client.get("/session").await,
                }
            });
        }
        let mut answers = changes.join_all().await;
        answers.retain(|answer| answer.sets_cookie());
        assert_eq!(answers.len(), 1, "{answers:?}");
        let session = server.session_of(&answers[0].session_cookie().value).await;
        assert_eq!((&session["current_role"], &session["fresh"]), (&"seller".into(), &true.into()), "round {round}");
        assert_eq!(session["last_activity"], session["authenticated_at"], "round {round}");
        // A device is a role of its own.
        assert_eq!(server.session_of(&other).await["current_role"], "buyer");
    }
}

/// A session that outlives the others does so from the moment that SQL has it. What Redis is told comes after, and may
/// fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_that_outlives_the_others_does_so_before_redis_hears_of_it() {
    for tries in 1..=2 {
        let (server, secret) = others_ended_in_sql_alone(tries).await;
        server.assert_alive(&secret, "both1").await;
        assert_eq!(server.with_cookie(&secret).delete("/users/sessions").await.json(), json!({"revoked": 1}));
        server.assert_alive(&secret, "both1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_that_outlives_the_others_may_be_rotated_before_redis_hears_of_it() {
    let (server, secret) = others_ended_in_sql_alone(1).await;
    let rotated = server.with_cookie(&secret).post_nothing("/users/switch-role").await.session_cookie().value;
    server.assert_alive(&rotated, "both1").await;
    server.assert_alive(&secret, "both1").await;
}

/// A session whose user ended all others so often, each time without Redis taking notice; and one of the others.
async fn others_ended_in_sql_alone(times: usize) -> (Server, String) {
    let server = Server::start(Deployment::Full).await;
    let (secret, other) = (server.secret_in_cookie(EMAIL).await, server.secret_in_cookie(EMAIL).await);
    let user = server.session_of(&secret).await["user_id"].as_str().unwrap().to_owned();
    let key = format!("user-state:{user}");
    // Something else in the place of what the script writes first.
    redis(&redis_url(), &["DEL", &key]).await;
    redis(&redis_url(), &["SET", &key, "in the way", "EX", "600"]).await;
    for _ in 0..times {
        let answer = server.with_cookie(&secret).delete("/users/sessions").await;
        assert!(answer.status.is_server_error(), "{answer:?}");
    }
    redis(&redis_url(), &["DEL", &key]).await;
    server.assert_dead(&other).await;
    (server, secret)
}

//! Each end is told, once, with all that a gateway needs, wherever it happened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Follower, alone};
use crate::on_both_deployments;
use crate::process;
use crate::server::{Deployment, PASSWORD, Server, public_id};

const EMAIL: &str = "both1@markt.com";

on_both_deployments!(
    ends_are_told_with_who_and_why,
    a_session_that_goes_on_under_another_id_is_told,
    what_operators_end_is_told,
    who_comes_back_is_told_what_was_missed_and_nothing_twice,
);

async fn user_id(server: &Server, secret: &str) -> Value {
    server.session_of(secret).await["user_id"].clone()
}

async fn ends_are_told_with_who_and_why(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let [one, two, three] =
        [server.secret_of(EMAIL).await, server.secret_of(EMAIL).await, server.secret_of(EMAIL).await];
    let user = user_id(&server, &one).await;
    server.with_cookie(&one).post_nothing("/users/logout").await.assert_status(204);
    let told = follower.next_of("session_ended", &public_id(&one)).await;
    assert_eq!((&told["user_id"], &told["reason"]), (&user, &"logged_out".into()));
    assert!(told["at"].as_str().unwrap().ends_with('Z'), "{told}");
    server.with_cookie(&two).delete(&format!("/users/sessions/{}", public_id(&three))).await.assert_status(204);
    assert_eq!(follower.next_of("session_ended", &public_id(&three)).await["reason"], "revoked_by_user");
    let four = server.secret_of(EMAIL).await;
    server.with_cookie(&four).delete("/users/sessions").await.assert_status(200);
    let told = follower.next().await;
    assert_eq!((told.name.as_str(), &told.data["user_id"]), ("sessions_ended", &user));
    assert_eq!((&told.data["except"], &told.data["reason"]), (&public_id(&four).into(), &"revoked_by_user".into()));
    server.with_cookie(&four).post_nothing("/users/logout?everywhere=true").await.assert_status(204);
    let told = follower.next().await;
    assert_eq!((told.name.as_str(), &told.data["except"]), ("sessions_ended", &Value::Null));
    assert_eq!((&told.data["user_id"], &told.data["reason"]), (&user, &"logged_out_everywhere".into()));
}

async fn a_session_that_goes_on_under_another_id_is_told(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let first = server.secret_in_cookie(EMAIL).await;
    let second = server.with_cookie(&first).post_nothing("/users/switch-role").await.session_cookie().value;
    let told = follower.next_of("session_replaced", &public_id(&first)).await;
    assert_eq!(told["successor"], public_id(&second));
    let passwords = json!({"current_password": PASSWORD, "new_password": "Password456"});
    let third = server.with_cookie(&second).post("/users/password", passwords).await.session_cookie().value;
    let told = follower.next().await;
    assert_eq!((told.name.as_str(), &told.data["except"]), ("sessions_ended", &public_id(&second).into()), "{told:?}");
    assert_eq!(follower.next_of("session_replaced", &public_id(&second)).await["successor"], public_id(&third));
}

async fn what_operators_end_is_told(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let (one, two) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    let user = user_id(&server, &two).await;
    process::said(&server.setup, &["sessions", "revoke", &public_id(&one)]).await;
    assert_eq!(follower.next_of("session_ended", &public_id(&one)).await["reason"], "revoked_by_operator");
    process::said(&server.setup, &["users", "deactivate", EMAIL]).await;
    let told = follower.next().await;
    assert_eq!((told.name.as_str(), &told.data["user_id"]), ("sessions_ended", &user));
    assert_eq!(told.data["reason"], "deactivated");
}

async fn who_comes_back_is_told_what_was_missed_and_nothing_twice(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let mut secrets = Vec::new();
    for _ in 0..6 {
        secrets.push(server.secret_of(EMAIL).await);
    }
    let log_out = async |server: &Server, secret: &str| {
        server.with_cookie(secret).post_nothing("/users/logout").await.assert_status(204);
    };
    log_out(&server, &secrets[0]).await;
    log_out(&server, &secrets[1]).await;
    // More may have been read by now than was looked at.
    let first = follower.next().await;
    assert_eq!(first.data["session_id"], public_id(&secrets[0]));
    drop(follower);
    log_out(&server, &secrets[2]).await;
    // The same goes for another process, after this one's end.
    let setup = server.stop().await;
    let server = setup.start().await;
    let mut follower = Follower::of(&server, Some(&first.id)).await;
    for secret in &secrets[1..3] {
        follower.next_of("session_ended", &public_id(secret)).await;
    }
    log_out(&server, &secrets[3]).await;
    follower.next_of("session_ended", &public_id(&secrets[3])).await;
    // From the place where a stream began, with nothing told yet.
    let begun = Follower::of(&server, None).await.last_id.clone();
    log_out(&server, &secrets[4]).await;
    let mut follower = Follower::of(&server, Some(&begun)).await;
    follower.next_of("session_ended", &public_id(&secrets[4])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_tells_what_ends_on_any_of_them_once_and_well_within_a_second() {
    let one = alone(Deployment::Full).await;
    let two = one.twin().await;
    let mut followers = [Follower::of(&one, None).await, Follower::of(&two, None).await];
    let mut logouts = JoinSet::new();
    for n in 0..40 {
        let server = if n % 2 == 0 { &one } else { &two };
        let secret = server.secret_of(EMAIL).await;
        let client = server.with_cookie(&secret);
        logouts.spawn(async move {
            assert_eq!(client.post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
            public_id(&secret)
        });
    }
    let mut ended = logouts.join_all().await;
    ended.sort();
    for follower in &mut followers {
        let mut told = BTreeMap::new();
        while told.len() < ended.len() {
            let event = follower.next().await;
            let before = told.insert(event.data["session_id"].as_str().unwrap().to_owned(), event.id);
            assert_eq!(before, None, "it is told twice");
        }
        assert_eq!(told.into_keys().collect::<Vec<_>>(), ended);
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        let secret = one.secret_of(EMAIL).await;
        one.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
        let answered = Instant::now();
        for follower in &mut followers {
            follower.next_of("session_ended", &public_id(&secret)).await;
            times.push(answered.elapsed());
        }
    }
    times.sort();
    eprintln!("told after the logout's answer: median {:?}, at most {:?}", times[20], times[39]);
    assert!(times[20] < Duration::from_millis(500), "{times:?}");
}

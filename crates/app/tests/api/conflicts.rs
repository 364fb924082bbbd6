//! `POST /users/register`, where the address or the name is taken.

use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::shapes::{registration, with};

on_both_deployments!(
    an_address_or_a_name_is_taken_in_any_case,
    a_conflict_writes_nothing_and_leaves_the_session_that_came_along,
    of_many_who_register_an_address_at_once_one_gets_it,
    of_many_who_register_a_name_at_once_one_gets_it,
);

const TABLES: [&str; 5] = ["users", "buyers", "user_addresses", "auth_user_states", "auth_sessions"];

async fn an_address_or_a_name_is_taken_in_any_case(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for email in ["buyer1@markt.com", "BUYER1@Markt.com", " buyer1@markt.com "] {
        let answer = server.client().post("/users/register", with(registration("ann_lee"), "email", email)).await;
        answer.assert_error(409, "conflict");
        assert_eq!(answer.json()["message"], "Email already registered");
    }
    for username in ["buyer1", "BUYER1", "Buyer1"] {
        let answer = server.client().post("/users/register", with(registration("ann_lee"), "username", username)).await;
        answer.assert_error(409, "conflict");
        assert_eq!(answer.json()["message"], "Username already taken");
    }
    server.register("ann_lee").await;
}

async fn a_conflict_writes_nothing_and_leaves_the_session_that_came_along(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let before = server.setup.count_rows(&TABLES).await;
    for (field, taken) in [("username", "Seller1"), ("email", "Seller1@markt.com")] {
        let body = with(with(registration("ann_lee"), "address", json!({"city": "Ulm"})), field, taken);
        let answer = server.with_cookie(&secret).post("/users/register", body).await;
        answer.assert_error(409, "conflict");
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(server.setup.count_rows(&TABLES).await, before);
    server.assert_alive(&secret, "buyer1").await;
    server.assert_alive(&server.register("ann_lee").await, "ann_lee").await;
    let setup = server.stop().await;
    assert_eq!(setup.mails_to("ann_lee@example.com").len(), 1);
    assert_eq!(setup.mails_to("Seller1@markt.com").len(), 0);
}

async fn of_many_who_register_an_address_at_once_one_gets_it(deployment: Deployment) {
    race(deployment, |n| {
        let body = registration(&format!("ann_{n}"));
        with(body, "email", if n % 2 == 0 { "ann@example.com" } else { "ANN@Example.com" })
    })
    .await;
}

async fn of_many_who_register_a_name_at_once_one_gets_it(deployment: Deployment) {
    race(deployment, |n| {
        let body = registration(&format!("ann_{n}"));
        with(body, "username", if n % 2 == 0 { "ann_lee" } else { "Ann_Lee" })
    })
    .await;
}

async fn race(deployment: Deployment, body: impl Fn(usize) -> serde_json::Value) {
    const RUNNERS: usize = 20;
    let server = Server::start(deployment).await;
    let mut runners = JoinSet::new();
    for n in 0..RUNNERS {
        let (client, body) = (server.without_cookies(), body(n));
        runners.spawn(async move { client.post("/users/register", body).await });
    }
    let answers = runners.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in lost {
        answer.assert_error(409, "conflict");
    }
    let profile = won[0].json();
    server.assert_alive(&won[0].session_cookie().value, profile["username"].as_str().unwrap()).await;
    let query = "SELECT email FROM users WHERE lower(username) LIKE 'ann%'";
    assert_eq!(server.setup.query_texts(query).await, [profile["email"].as_str().unwrap()]);
    if deployment == Deployment::Embedded {
        // The sessions that were made for the others are gone with them.
        let query = "SELECT user_id FROM auth_sessions";
        assert_eq!(server.setup.query_texts(query).await, [profile["id"].as_str().unwrap()]);
    }
    let code = server.mailed_code(profile["email"].as_str().unwrap(), 1).await;
    let body = json!({"email": profile["email"], "verification_code": code});
    assert_eq!(server.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    let answer = server.client().log_in(profile["email"].as_str().unwrap(), PASSWORD).await;
    assert_eq!(answer.json()["id"], profile["id"]);
}

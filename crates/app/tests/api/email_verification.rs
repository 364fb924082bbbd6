//! `POST /users/email-verification/send` and `…/verify`

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, code_in, wrong_code};

const EMAIL: &str = "ann_lee@example.com";

on_both_deployments!(
    the_right_code_verifies_the_address_and_running_sessions_know_it_at_once,
    five_wrong_codes_void_the_right_one,
    a_code_is_good_for_ten_minutes,
    a_new_code_voids_the_one_before,
    a_code_is_good_once_even_for_many_at_once,
    a_code_is_nobody_elses,
    nobody_learns_from_the_answer_which_addresses_are_known,
);

async fn verify(server: &Server, email: &str, code: impl Into<Value>) -> Answer {
    let body = json!({"email": email, "verification_code": code.into()});
    server.client().post("/users/email-verification/verify", body).await
}

async fn send(server: &Server, email: &str) -> Answer {
    let answer = server.client().post("/users/email-verification/send", json!({ "email": email })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer
}

async fn the_right_code_verifies_the_address_and_running_sessions_know_it_at_once(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.register("ann_lee").await;
    let session = server.with_cookie(&secret);
    let code = server.mailed_code(EMAIL, 1).await;
    assert_eq!(session.get("/users/profile").await.json()["email_verified"], false);
    verify(&server, EMAIL, wrong_code(&code, 1)).await.assert_error(400, "invalid_code");
    assert_eq!(session.get("/users/profile").await.json()["email_verified"], false);
    let answer = verify(&server, "Ann_Lee@EXAMPLE.com", code.as_str()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.json()["message"].is_string(), "{answer:?}");
    assert_eq!(session.get("/users/profile").await.json()["email_verified"], true);
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.json()["email_verified"], true);
    verify(&server, EMAIL, code).await.assert_error(400, "invalid_code");
}

async fn five_wrong_codes_void_the_right_one(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    let code = server.mailed_code(EMAIL, 1).await;
    for step in 1..=5 {
        verify(&server, EMAIL, wrong_code(&code, step)).await.assert_error(400, "invalid_code");
    }
    verify(&server, EMAIL, code).await.assert_error(400, "invalid_code");
    server.client().log_in(EMAIL, PASSWORD).await.assert_error(403, "unverified_email");
    // A new code has tries of its own: the fifth may be the right one.
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 2).await;
    for step in 1..=4 {
        verify(&server, EMAIL, wrong_code(&code, step)).await.assert_error(400, "invalid_code");
    }
    assert_eq!(verify(&server, EMAIL, code).await.status, StatusCode::OK);
}

async fn a_code_is_good_for_ten_minutes(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    server.register("bob_lee").await;
    let (early, late) = (server.mailed_code(EMAIL, 1).await, server.mailed_code("bob_lee@example.com", 1).await);
    server.clock().advance(Duration::from_secs(10 * 60 - 1));
    assert_eq!(verify(&server, EMAIL, early).await.status, StatusCode::OK);
    server.clock().advance(Duration::from_secs(1));
    verify(&server, "bob_lee@example.com", late).await.assert_error(400, "invalid_code");
}

async fn a_new_code_voids_the_one_before(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    let old = server.mailed_code(EMAIL, 1).await;
    send(&server, EMAIL).await;
    let new = server.mailed_code(EMAIL, 2).await;
    assert_ne!(old, new);
    verify(&server, EMAIL, old).await.assert_error(400, "invalid_code");
    assert_eq!(verify(&server, EMAIL, new).await.status, StatusCode::OK);
}

async fn a_code_is_good_once_even_for_many_at_once(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    let code = server.mailed_code(EMAIL, 1).await;
    let mut tries = JoinSet::new();
    for _ in 0..8 {
        let body = json!({"email": EMAIL, "verification_code": code});
        let client = server.without_cookies();
        tries.spawn(async move { client.post("/users/email-verification/verify", body).await });
    }
    let answers = tries.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in lost {
        answer.assert_error(400, "invalid_code");
    }
    server.logged_in(EMAIL).await;
}

async fn a_code_is_nobody_elses(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    server.register("bob_lee").await;
    let (anns, bobs) = (server.mailed_code(EMAIL, 1).await, server.mailed_code("bob_lee@example.com", 1).await);
    assert_ne!(anns, bobs);
    verify(&server, EMAIL, bobs).await.assert_error(400, "invalid_code");
    assert_eq!(verify(&server, EMAIL, anns).await.status, StatusCode::OK);
}

async fn nobody_learns_from_the_answer_which_addresses_are_known(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    let mut bodies = Vec::new();
    for email in [EMAIL, "nobody@example.com", "buyer1@markt.com", "ANN_LEE@EXAMPLE.COM"] {
        bodies.push(send(&server, email).await.text);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let mut bodies = Vec::new();
    let code = server.mailed_code(EMAIL, 3).await;
    for email in [EMAIL, "nobody@example.com", "buyer1@markt.com"] {
        let answer = verify(&server, email, wrong_code(&code, 1)).await;
        answer.assert_error(400, "invalid_code");
        let mut body = answer.json();
        body["request_id"].take();
        bodies.push(body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let setup = server.stop().await;
    assert_eq!(setup.mails_to(EMAIL).len(), 3);
    for email in ["nobody@example.com", "buyer1@markt.com"] {
        assert_eq!(setup.mails_to(email), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_comes_in_a_mail_of_text_that_no_machine_answers() {
    let server = Server::start(Deployment::Embedded).await;
    server.register("ann_lee").await;
    let code = server.mailed_code(EMAIL, 1).await;
    let mails = server.setup.mails_to(EMAIL);
    assert_eq!(mails.len(), 1);
    assert_eq!(code_in(&mails[0]), code);
    for part in ["From: Markt <no-reply@markt.localhost>", "Subject: ", "Auto-Submitted: auto-generated", "ann_lee"] {
        assert!(mails[0].contains(part), "{part} is missing from {}", mails[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_six_digits() {
    let server = Server::start(Deployment::Embedded).await;
    for odd in ["", "12345", "1234567", "abcdef", "12345\u{665}", "١٢٣٤٥٦", " 12345", "12345\n"] {
        let errors = verify(&server, EMAIL, odd).await.errors("json");
        assert_eq!(errors, json!({"verification_code": ["Must be 6 digits."]}), "{odd}");
    }
    let errors = verify(&server, "nope", 123_456).await.errors("json");
    let expected = json!({"email": ["Not a valid email address."], "verification_code": ["Not a valid string."]});
    assert_eq!(errors, expected);
    let errors = verify(&server, EMAIL, "12345\0").await.errors("json");
    assert_eq!(errors, json!({"verification_code": ["Null characters are not allowed."]}));
    let missing = json!(["Missing data for required field."]);
    let errors = server.client().post("/users/email-verification/send", json!({})).await.errors("json");
    assert_eq!(errors, json!({ "email": missing }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_that_is_configured_an_address_need_not_be_verified() {
    let setup = crate::setup::Setup::of(Deployment::Embedded).await;
    let server = setup.with("MARKT_AUTH__REQUIRE_VERIFIED_EMAIL", "false").start().await;
    server.register("ann_lee").await;
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.json()["email_verified"], false);
}

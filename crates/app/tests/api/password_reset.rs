//! `POST /users/password-reset` and `…/confirm`

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, code_in, wrong_code};
use crate::setup::Setup;
use crate::shapes::{assert_keys, with};

on_both_deployments!(
    a_code_that_was_mailed_sets_a_new_password_and_ends_every_session,
    nobody_learns_from_the_answers_which_addresses_are_known,
    a_code_is_good_for_ten_minutes,
    a_code_is_good_once,
    five_wrong_codes_void_the_right_one,
    a_new_code_voids_the_one_before,
    a_code_is_nobody_elses_and_good_for_nothing_else,
    of_many_who_bring_the_same_code_at_once_one_sets_the_password,
    a_weak_password_does_not_use_the_codes_tries_up,
    the_address_counts_as_verified_after_it,
    a_login_that_races_with_the_reset_does_not_outlive_it,
);

const EMAIL: &str = "buyer1@markt.com";
const NEW: &str = "Password456";

async fn send(server: &Server, email: &str) -> Answer {
    let answer = server.client().post("/users/password-reset", json!({ "email": email })).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

async fn confirm(server: &Server, email: &str, code: &str, password: &str) -> Answer {
    let body = json!({"email": email, "code": code, "new_password": password});
    server.client().post("/users/password-reset/confirm", body).await
}

/// Makes sure that the present password is this one, and not the other.
async fn assert_password(server: &Server, email: &str, right: &str, wrong: &str) {
    server.client().log_in(email, wrong).await.assert_error(401, "invalid_credentials");
    assert_eq!(server.client().log_in(email, right).await.json()["email"], email);
}

async fn a_code_that_was_mailed_sets_a_new_password_and_ends_every_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let browser = server.browser();
    let mut sessions = vec![browser.log_in(EMAIL, PASSWORD).await.session_cookie().value];
    sessions.extend([server.secret_of(EMAIL).await, server.secret_of(EMAIL).await]);
    let stranger = server.secret_of("seller1@markt.com").await;
    assert_keys(&send(&server, "Buyer1@MARKT.com").await.json(), &[&["message"]]);
    let code = server.mailed_code(EMAIL, 1).await;
    // Asking for a code changes nothing yet.
    for secret in &sessions {
        server.assert_alive(secret, "buyer1").await;
    }
    server.clock().advance(Duration::from_secs(5));
    let body = json!({"email": "BUYER1@markt.com", "code": code, "new_password": NEW});
    let answer = browser.post("/users/password-reset/confirm", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_keys(&answer.json(), &[&["message"]]);
    for secret in &sessions {
        server.assert_dead(secret).await;
    }
    server.assert_alive(&stranger, "seller1").await;
    assert_password(&server, EMAIL, NEW, PASSWORD).await;
    server.assert_alive(&server.secret_with(json!({"email": EMAIL, "password": NEW})).await, "buyer1").await;
}

async fn nobody_learns_from_the_answers_which_addresses_are_known(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'seller1'").await;
    let addresses = [EMAIL, "nobody@markt.com", "seller1@markt.com"];
    let mut bodies = Vec::new();
    for email in addresses {
        bodies.push(send(&server, email).await.text);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let code = wrong_code(&server.mailed_code(EMAIL, 1).await, 1);
    let mut bodies = Vec::new();
    for email in addresses {
        let answer = confirm(&server, email, &code, NEW).await;
        answer.assert_error(400, "invalid_code");
        bodies.push(with(answer.json(), "request_id", Value::Null));
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    let setup = server.stop().await;
    assert_eq!(setup.mails_to(EMAIL).len(), 1);
    for email in &addresses[1..] {
        assert_eq!(setup.mails_to(email), Vec::<String>::new());
    }
}

async fn a_code_is_good_for_ten_minutes(deployment: Deployment) {
    let server = Server::start(deployment).await;
    send(&server, EMAIL).await;
    send(&server, "seller1@markt.com").await;
    let (early, late) = (server.mailed_code(EMAIL, 1).await, server.mailed_code("seller1@markt.com", 1).await);
    server.clock().advance(Duration::from_secs(10 * 60 - 1));
    assert_eq!(confirm(&server, EMAIL, &early, NEW).await.status, StatusCode::OK);
    server.clock().advance(Duration::from_secs(1));
    confirm(&server, "seller1@markt.com", &late, NEW).await.assert_error(400, "invalid_code");
    assert_password(&server, "seller1@markt.com", PASSWORD, NEW).await;
}

async fn a_code_is_good_once(deployment: Deployment) {
    let server = Server::start(deployment).await;
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 1).await;
    assert_eq!(confirm(&server, EMAIL, &code, NEW).await.status, StatusCode::OK);
    let session = server.secret_with(json!({"email": EMAIL, "password": NEW})).await;
    confirm(&server, EMAIL, &code, "Password789").await.assert_error(400, "invalid_code");
    server.assert_alive(&session, "buyer1").await;
    assert_password(&server, EMAIL, NEW, "Password789").await;
}

async fn five_wrong_codes_void_the_right_one(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let session = server.secret_of(EMAIL).await;
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 1).await;
    for step in 1..=5 {
        confirm(&server, EMAIL, &wrong_code(&code, step), NEW).await.assert_error(400, "invalid_code");
    }
    confirm(&server, EMAIL, &code, NEW).await.assert_error(400, "invalid_code");
    server.assert_alive(&session, "buyer1").await;
    // A new code has tries of its own: the fifth may be the right one.
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 2).await;
    for step in 1..=4 {
        confirm(&server, EMAIL, &wrong_code(&code, step), NEW).await.assert_error(400, "invalid_code");
    }
    assert_eq!(confirm(&server, EMAIL, &code, NEW).await.status, StatusCode::OK);
}

async fn a_new_code_voids_the_one_before(deployment: Deployment) {
    let server = Server::start(deployment).await;
    send(&server, EMAIL).await;
    let old = server.mailed_code(EMAIL, 1).await;
    send(&server, EMAIL).await;
    let new = server.mailed_code(EMAIL, 2).await;
    assert_ne!(old, new);
    confirm(&server, EMAIL, &old, NEW).await.assert_error(400, "invalid_code");
    assert_eq!(confirm(&server, EMAIL, &new, NEW).await.status, StatusCode::OK);
}

async fn a_code_is_nobody_elses_and_good_for_nothing_else(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for name in ["ann_lee", "bob_lee"] {
        server.register(name).await;
    }
    let (ann, bob) = ("ann_lee@example.com", "bob_lee@example.com");
    let to_verify = server.mailed_code(ann, 1).await;
    send(&server, ann).await;
    send(&server, bob).await;
    let (anns, bobs) = (server.mailed_code(ann, 2).await, server.mailed_code(bob, 2).await);
    assert!(to_verify != anns && anns != bobs, "{to_verify} {anns} {bobs}");
    confirm(&server, ann, &bobs, NEW).await.assert_error(400, "invalid_code");
    confirm(&server, ann, &to_verify, NEW).await.assert_error(400, "invalid_code");
    let verify = async |code: &str| {
        let body = json!({"email": ann, "verification_code": code});
        server.client().post("/users/email-verification/verify", body).await
    };
    verify(&anns).await.assert_error(400, "invalid_code");
    // Each is still good for what it is for.
    assert_eq!(verify(&to_verify).await.status, StatusCode::OK);
    assert_eq!(confirm(&server, ann, &anns, NEW).await.status, StatusCode::OK);
    assert_password(&server, ann, NEW, PASSWORD).await;
}

async fn of_many_who_bring_the_same_code_at_once_one_sets_the_password(deployment: Deployment) {
    let server = Setup::of(deployment).await.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off").start().await;
    for round in 1..=5 {
        send(&server, EMAIL).await;
        let code = server.mailed_code(EMAIL, round).await;
        let mut runners = JoinSet::new();
        for n in 0..4 {
            let (client, password) = (server.without_cookies(), format!("Password{round}of{n}"));
            let body = json!({"email": EMAIL, "code": code, "new_password": password});
            runners.spawn(async move { (client.post("/users/password-reset/confirm", body).await, password) });
        }
        let answers = runners.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(answer, _)| answer.status == StatusCode::OK);
        assert_eq!(won.len(), 1, "{answers:?}");
        for (answer, password) in lost {
            answer.assert_error(400, "invalid_code");
            server.client().log_in(EMAIL, password).await.assert_error(401, "invalid_credentials");
        }
        assert_password(&server, EMAIL, &won[0].1, PASSWORD).await;
    }
}

async fn a_weak_password_does_not_use_the_codes_tries_up(deployment: Deployment) {
    let server = Server::start(deployment).await;
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 1).await;
    for weak in ["password456", "PASSWORD456", "Passwordabc", "Pass456", "", &"Aa1".repeat(43)] {
        let errors = confirm(&server, EMAIL, &code, weak).await.errors("json");
        assert!(errors["new_password"].is_array() && errors.as_object().unwrap().len() == 1, "{weak}: {errors}");
    }
    let odd = ["12345", "1234567", "abcdef", "１２３４５６"];
    for odd in odd {
        let errors = confirm(&server, EMAIL, odd, NEW).await.errors("json");
        assert_eq!(errors, json!({"code": ["Must be 6 digits."]}), "{odd}");
    }
    let missing = json!(["Missing data for required field."]);
    let errors = server.client().post("/users/password-reset/confirm", json!({})).await.errors("json");
    assert_eq!(errors, json!({"email": missing, "code": missing, "new_password": missing}));
    let errors = server.client().post("/users/password-reset", json!({"email": "nope"})).await.errors("json");
    assert_eq!(errors, json!({"email": ["Not a valid email address."]}));
    assert_eq!(confirm(&server, EMAIL, &code, NEW).await.status, StatusCode::OK);
}

async fn the_address_counts_as_verified_after_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    server.register("ann_lee").await;
    server.client().log_in("ann_lee@example.com", PASSWORD).await.assert_error(403, "unverified_email");
    send(&server, "ann_lee@example.com").await;
    let code = server.mailed_code("ann_lee@example.com", 2).await;
    assert_eq!(confirm(&server, "ann_lee@example.com", &code, NEW).await.status, StatusCode::OK);
    assert_eq!(server.client().log_in("ann_lee@example.com", NEW).await.json()["email_verified"], true);
}

async fn a_login_that_races_with_the_reset_does_not_outlive_it(deployment: Deployment) {
    let setup = Setup::of(deployment).await;
    let setup = setup.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off").with("MARKT_LIMITS__CODES_PER_ACCOUNT", "off");
    let server = setup.start().await;
    let mut present = PASSWORD.to_owned();
    for round in 1..=6 {
        send(&server, EMAIL).await;
        let code = server.mailed_code(EMAIL, round).await;
        let mut logins = JoinSet::new();
        for _ in 0..6 {
            let (client, present) = (server.without_cookies(), present.clone());
            logins.spawn(async move { client.log_in(EMAIL, &present).await });
        }
        let new = format!("Password4round{round}");
        assert_eq!(confirm(&server, EMAIL, &code, &new).await.status, StatusCode::OK);
        for answer in logins.join_all().await {
            if answer.status == StatusCode::OK {
                let secret = answer.session_cookie().value;
                server.assert_dead(&secret).await;
            } else {
                answer.assert_error(401, "invalid_credentials");
            }
        }
        present = new;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_comes_in_a_mail_that_says_what_it_is_for() {
    let server = Server::start(Deployment::Embedded).await;
    server.register("ann_lee").await;
    server.mailed_code("ann_lee@example.com", 1).await;
    send(&server, "ann_lee@example.com").await;
    let code = server.mailed_code("ann_lee@example.com", 2).await;
    let mails = server.setup.mails_to("ann_lee@example.com");
    assert_eq!(code_in(&mails[1]), code);
    for part in ["From: Markt <no-reply@markt.localhost>", "Auto-Submitted: auto-generated", "ann_lee", "password"] {
        assert!(mails[1].contains(part), "{part} is missing from {}", mails[1]);
    }
    let subject = |mail: &str| mail.lines().find(|line| line.starts_with("Subject: ")).map(str::to_owned);
    assert_ne!(subject(&mails[0]), subject(&mails[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_over_the_same_stores_knows_at_once() {
    let server = Server::start(Deployment::Full).await;
    let twin = server.twin().await;
    let session = server.secret_of(EMAIL).await;
    for there in [&server, &twin] {
        there.assert_alive(&session, "buyer1").await;
    }
    send(&server, EMAIL).await;
    let code = server.mailed_code(EMAIL, 1).await;
    assert_eq!(confirm(&server, EMAIL, &code, NEW).await.status, StatusCode::OK);
    for there in [&twin, &server] {
        there.assert_dead_soon(&session).await;
        assert_password(there, EMAIL, NEW, PASSWORD).await;
        confirm(there, EMAIL, &code, NEW).await.assert_error(400, "invalid_code");
    }
}

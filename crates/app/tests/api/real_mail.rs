//! Codes by mail, through a real mail server.

use std::time::Duration;

use markt_test_support::smtp::{Answer as Reply, Message, SmtpServer};
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Client;
use crate::on_both_deployments;
use crate::process::Process;
use crate::server::{Deployment, PASSWORD, code_in, wrong_code};
use crate::setup::Setup;
use crate::shapes::registration;

on_both_deployments!(
    codes_of_both_kinds_arrive_and_work,
    no_answer_waits_for_a_mail_server_that_hangs,
    what_was_posted_before_the_end_is_delivered,
    a_mail_server_that_comes_late_gets_the_mail_all_the_same,
    nothing_of_a_code_is_logged,
);

const EMAIL: &str = "ann_lee@example.com";
const NEW: &str = "Password456";

/// The defaults, but that mail goes to this server.
async fn setup(deployment: Deployment, smtp_url: impl Into<String>) -> Setup {
    let setup = Setup::of(deployment).await.with("MARKT_MAIL__TRANSPORT", "smtp");
    setup.with("MARKT_MAIL__SMTP_URL", smtp_url).with("MARKT_MAIL__FROM", "Markt <no-reply@markt.example>")
}

/// The code in a mail that came to the right place.
#[track_caller]
fn code_of(message: &Message) -> String {
    assert_eq!((message.from.as_str(), message.to.as_slice()), ("no-reply@markt.example", &[EMAIL.to_owned()][..]));
    assert!(message.text.contains("From: Markt <no-reply@markt.example>\r\n"), "{}", message.text);
    assert!(message.text.contains("To: ann_lee@example.com\r\n"), "{}", message.text);
    code_in(&message.text)
}

async fn codes_of_both_kinds_arrive_and_work(deployment: Deployment) {
    let smtp = SmtpServer::start();
    let server = setup(deployment, smtp.url()).await.start().await;
    let client = server.client();
    server.register("ann_lee").await;
    let code = code_of(&smtp.wait_for_messages(1).await[0]);
    let body = json!({"email": EMAIL, "verification_code": code});
    assert_eq!(client.post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(client.post("/users/password-reset", json!({"email": EMAIL})).await.status, StatusCode::ACCEPTED);
    let code = code_of(&smtp.wait_for_messages(2).await[1]);
    let body = json!({"email": EMAIL, "code": code, "new_password": NEW});
    assert_eq!(client.post("/users/password-reset/confirm", body).await.status, StatusCode::OK);
    assert_eq!(client.log_in(EMAIL, NEW).await.status, StatusCode::OK);
    // Whom nobody knows, nobody writes to.
    for path in ["/users/password-reset", "/users/email-verification/send"] {
        let answer = client.post(path, json!({"email": "nobody@example.com"})).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    let setup = server.stop().await;
    assert_eq!(smtp.messages().len(), 2);
    assert_eq!(setup.mails_to(EMAIL), Vec::<String>::new());
}

async fn no_answer_waits_for_a_mail_server_that_hangs(deployment: Deployment) {
    let smtp = SmtpServer::start();
    smtp.answer([Reply::FallSilent]);
    // An answer that waited would run into the time limit.
    let server = setup(deployment, smtp.url()).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "3s").start().await;
    server.register("ann_lee").await;
    smtp.wait_until(|record| record.attempts == 1).await;
    for (path, email) in [
        ("/users/email-verification/send", EMAIL),
        ("/users/password-reset", EMAIL),
        ("/users/password-reset", "buyer1@markt.com"),
    ] {
        let answer = server.client().post(path, json!({ "email": email })).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    assert_eq!(smtp.record().messages, []);
}

async fn what_was_posted_before_the_end_is_delivered(deployment: Deployment) {
    const USERS: usize = 5;
    let smtp = SmtpServer::start();
    let server = setup(deployment, smtp.url()).await.start().await;
    for n in 0..USERS {
        server.register(&format!("ann_{n}")).await;
    }
    server.client().post("/users/password-reset", json!({"email": "buyer1@markt.com"})).await;
    server.stop().await;
    let mut recipients: Vec<_> = smtp.messages().into_iter().flat_map(|message| message.to).collect();
    recipients.sort();
    let mut expected: Vec<_> = (0..USERS).map(|n| format!("ann_{n}@example.com")).collect();
    expected.push("buyer1@markt.com".to_owned());
    assert_eq!(recipients, expected);
}

async fn a_mail_server_that_comes_late_gets_the_mail_all_the_same(deployment: Deployment) {
    let port = markt_test_support::smtp::free_port();
    let server = setup(deployment, format!("smtp://127.0.0.1:{port}")).await.start().await;
    server.register("ann_lee").await;
    let smtp = SmtpServer::start_on(port);
    smtp.answer([Reply::Refuse(451, "greylisted, come again".into())]);
    let code = code_of(&smtp.wait_for_messages(1).await[0]);
    let body = json!({"email": EMAIL, "verification_code": code});
    assert_eq!(server.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
}

async fn nothing_of_a_code_is_logged(deployment: Deployment) {
    const SMTP_PASSWORD: &str = "Unmistakable3Smtp";
    let smtp = SmtpServer::start_with_credentials("markt", SMTP_PASSWORD);
    let url = format!("smtp://markt:{SMTP_PASSWORD}@127.0.0.1:{}", smtp.port());
    let setup = setup(deployment, url).await.with("MARKT_TELEMETRY__LOG_LEVEL", "trace");
    let process = Process::serve(&setup);
    let client = Client::to(&process.url, true);
    let mut secrets = vec![SMTP_PASSWORD.to_owned(), PASSWORD.to_owned(), NEW.to_owned()];
    let registered = client.post("/users/register", registration("ann_lee")).await;
    secrets.push(registered.session_cookie().value);
    let to_verify = code_of(&smtp.wait_for_messages(1).await[0]);
    let verify = json!({"email": EMAIL, "verification_code": wrong_code(&to_verify, 1)});
    client.post("/users/email-verification/verify", verify).await.assert_error(400, "invalid_code");
    let verify = json!({"email": EMAIL, "verification_code": to_verify});
    assert_eq!(client.post("/users/email-verification/verify", verify).await.status, StatusCode::OK);
    // One that is refused for good, and one that is cut off: what went wrong is logged, but not with what.
    smtp.answer([Reply::Refuse(550, "no such mailbox".into()), Reply::HangUp]);
    for _ in 0..2 {
        client.post("/users/password-reset", json!({"email": EMAIL})).await;
    }
    let to_reset = code_of(&smtp.wait_for_messages(2).await[1]);
    let body = json!({"email": EMAIL, "code": to_reset, "new_password": NEW});
    assert_eq!(client.post("/users/password-reset/confirm", body).await.status, StatusCode::OK);
    let logged_in = client.log_in(EMAIL, NEW).await;
    secrets.push(logged_in.session_cookie().value);
    let changed = client.post("/users/password", json!({"current_password": NEW, "new_password": PASSWORD})).await;
    secrets.push(changed.session_cookie().value);
    secrets.extend([wrong_code(&to_verify, 1), to_verify, to_reset]);
    let log = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    for event in ["answered", "mail not sent", "password_reset", "password_changed"] {
        assert!(log.contains(event), "{event} is not in the log: {log}");
    }
    // Between what can't belong to it, as six digits may well stand in a longer number.
    let words: Vec<&str> = log.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
    for secret in secrets {
        assert!(!words.contains(&secret.as_str()), "{secret} stands in the log: {log}");
        assert!(secret.len() == 6 || !log.contains(&secret), "{secret} stands in the log: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_delivers_its_mail_first() {
    let smtp = SmtpServer::start();
    let setup = setup(Deployment::Embedded, smtp.url()).await;
    let process = Process::serve(&setup);
    let client = Client::to(&process.url, false);
    for n in 0..5 {
        let answer = client.post("/users/register", registration(&format!("ann_{n}"))).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}: {}", process.terminate());
    }
    tokio::time::timeout(Duration::from_secs(20), tokio::task::spawn_blocking(move || process.terminate()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(smtp.messages().len(), 5);
}

//! A mail server that is looked at.

use std::time::Duration;

use markt_test_support::smtp::{SmtpServer, free_port};

use crate::{MailFacts, MailTrouble};

const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_server_that_answers_is_taken_leave_of_and_gets_no_mail() {
    let server = SmtpServer::start();
    let facts = MailFacts::gather(&server.url(), PATIENCE).await.unwrap();
    assert_eq!(facts, MailFacts { is_encrypted: false, offers_tls: false, logs_in: false });
    let record = server.wait_until(|record| record.goodbyes == 1).await;
    assert_eq!((record.connections, record.attempts), (1, 0));
}

#[tokio::test]
async fn a_wrong_password_is_told_apart_from_a_server_that_is_not_there() {
    let server = SmtpServer::start_with_credentials("ann", "hunter2");
    let url = |password: &str| server.url().replace("smtp://", &format!("smtp://ann:{password}@"));
    assert!(MailFacts::gather(&server.url().replace("ann:hunter2@", ""), PATIENCE).await.is_ok());
    let error = MailFacts::gather(&url("geheim"), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, MailTrouble::Login(_)), "{error:?}");
    assert!(!error.to_string().contains("geheim"), "{error}");

    let nobody = format!("smtp://ann:geheim@127.0.0.1:{}", free_port());
    let error = MailFacts::gather(&nobody, PATIENCE).await.unwrap_err();
    assert!(matches!(&error, MailTrouble::Unreachable(_)), "{error:?}");
    assert!(!error.to_string().contains("geheim"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_that_has_to_have_it_is_told_of() {
    let server = SmtpServer::start();
    let error = MailFacts::gather(&format!("{}?tls=required", server.url()), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, MailTrouble::Tls(_)), "{error:?}");
    let error = MailFacts::gather(&server.url().replace("smtp://", "smtps://"), PATIENCE).await.unwrap_err();
    assert!(matches!(&error, MailTrouble::Tls(_) | MailTrouble::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let error = MailFacts::gather(&url, Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(&error, MailTrouble::Unreachable(_)), "{error:?}");
}

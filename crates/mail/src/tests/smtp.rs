//! Mail to a server, which fails in all the ways that servers fail.

use std::time::{Duration, Instant};

use markt_domain::credentials::EmailAddress;
use markt_domain::ports::mailer::{Mail, MailContent, Mailer as _};
use markt_test_support::smtp::{Answer, Message, SmtpServer, free_port};

use super::{Log, clock, code, mail, mail_of};
use crate::outbox::{CAPACITY, Patience};
use crate::{Outbox, Transport};

/// Tries again soon, and closes in good time.
const HASTY: Patience = Patience { pauses: [Duration::from_millis(30); 2], at_close: Duration::from_secs(20) };

fn outbox_with(url: &str, patience: Patience) -> Outbox {
    let transport = Transport::smtp(url).unwrap();
    Outbox::open_with("Märkt <no-reply@example.com>", transport, clock(), patience).unwrap()
}

fn outbox(url: &str) -> Outbox {
    outbox_with(url, HASTY)
}

fn refusal(code: u16, text: &str) -> Answer {
    Answer::Refuse(code, text.to_owned())
}

fn mail_to(address: &str) -> Mail {
    Mail { to: EmailAddress::parse(address).unwrap(), ..mail() }
}

fn recipients(messages: &[Message]) -> Vec<&str> {
    messages.iter().flat_map(|message| &message.to).map(String::as_str).collect()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    let outbox = outbox(&server.url());
    outbox.post(mail());
    let message = server.wait_for_messages(1).await.remove(0);
    assert_eq!(
        (message.from.as_str(), message.to.as_slice()),
        ("no-reply@example.com", &["ann@example.com".to_owned()][..])
    );
    let (header, body) = message.text.split_once("\r\n\r\n").unwrap();
    for line in [
        "From: =?utf-8?b?TcOkcmt0?= <no-reply@example.com>",
        "To: ann@example.com",
        "Subject: Your Markt verification code",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        assert!(header.lines().any(|found| found == line), "{line} is missing from {header}");
    }
    for part in ["Hello ann_lee,\r\n", &format!("code is {}.\r\n", code().expose()), "10 minutes"] {
        assert!(body.contains(part), "{part} is missing from {body}");
    }
    outbox.close().await;
    assert_eq!(log.complaints(), [""; 0]);
}

#[tokio::test]
async fn who_did_not_ask_to_reset_a_password_is_told_what_it_means() {
    let server = SmtpServer::start();
    let outbox = outbox(&server.url());
    outbox.post(mail_of(MailContent::ResetPassword(code())));
    outbox.close().await;
    let text = server.messages().remove(0).text;
    let text = text.replace("\r\n", " ");
    for part in ["Subject: Your Markt password reset code", code().expose(), "10 minutes", "password is unchanged"] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_for_now_gets_a_mail_again_and_once_only() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    server.answer([refusal(451, "4.7.1 try later"), refusal(450, "busy")]);
    let outbox = outbox(&server.url());
    outbox.post(mail_to("ann@example.com"));
    outbox.post(mail_to("bob@example.com"));
    outbox.close().await;
    let record = server.record();
    assert_eq!(recipients(&record.messages), ["ann@example.com", "bob@example.com"]);
    assert_eq!(record.attempts, 4);
    let complaints = log.complaints();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[0].contains("mail not sent yet") && complaints[0].contains("451 4.7.1"), "{complaints:?}");
}

#[tokio::test]
async fn a_server_that_keeps_refusing_is_not_asked_for_ever() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    server.answer((0..3).map(|_| refusal(451, "later")));
    let outbox = outbox(&server.url());
    outbox.post(mail_to("ann@example.com"));
    outbox.post(mail_to("bob@example.com"));
    outbox.close().await;
    let record = server.record();
    assert_eq!(recipients(&record.messages), ["bob@example.com"]);
    assert_eq!(record.attempts, 4);
    assert!(log.complaints()[2].contains("mail not sent kind"), "{:?}", log.complaints());
}

#[tokio::test]
async fn a_server_that_refuses_for_good_is_not_asked_again() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    let quotation = format!("5.7.1 rejected: 'Hello ann_lee, Your verification code is {}'", code().expose());
    server.answer([refusal(550, &quotation)]);
    let outbox = outbox(&server.url());
    outbox.post(mail_to("ann@example.com"));
    outbox.post(mail_to("bob@example.com"));
    outbox.close().await;
    let record = server.record();
    assert_eq!(recipients(&record.messages), ["bob@example.com"]);
    assert_eq!(record.attempts, 2);
    let complaints = log.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("ERROR") && complaints[0].contains("550 5.7.1"), "{complaints:?}");
}

#[tokio::test]
async fn a_server_that_hangs_up_in_the_middle_gets_the_mail_again() {
    let server = SmtpServer::start();
    server.answer([Answer::HangUp]);
    let outbox = outbox(&server.url());
    outbox.post(mail());
    outbox.close().await;
    let record = server.record();
    assert_eq!((record.messages.len(), record.attempts, record.connections), (1, 2, 2));
}

#[tokio::test]
async fn a_server_that_is_away_at_first_gets_the_mail_once_it_is_there() {
    let log = Log::listen();
    let port = free_port();
    let long = Patience { pauses: [Duration::from_millis(500); 2], ..HASTY };
    let outbox = outbox_with(&format!("smtp://127.0.0.1:{port}"), long);
    outbox.post(mail());
    let refused = async {
        while log.complaints().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    let server = SmtpServer::start_on(port);
    assert_eq!(server.wait_for_messages(1).await.len(), 1);
    assert!(log.complaints()[0].contains("refused"), "{:?}", log.complaints());
    outbox.close().await;
}

#[tokio::test]
async fn the_right_password_opens_the_server() {
    let server = SmtpServer::start_with_credentials("postman", "hunter2");
    let outbox = outbox(&format!("smtp://postman:hunter2@127.0.0.1:{}", server.port()));
    outbox.post(mail());
    outbox.close().await;
    assert_eq!(server.messages().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_logged_without_being_shown() {
    let (server, log) = (SmtpServer::start_with_credentials("postman", "another"), Log::listen());
    let outbox = outbox(&format!("smtp://postman:hunter2@127.0.0.1:{}", server.port()));
    outbox.post(mail());
    outbox.close().await;
    let record = server.record();
    assert_eq!((record.messages.len(), record.connections), (0, 1));
    let complaints = log.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("verify_email") && complaints[0].contains("535 5.7.8"), "{complaints:?}");
}

#[tokio::test]
async fn many_mails_take_one_connection_which_is_ended_politely() {
    let server = SmtpServer::start();
    let outbox = outbox(&server.url());
    for number in 0..20 {
        outbox.post(mail_to(&format!("user{number}@example.com")));
    }
    outbox.close().await;
    let record = server.record();
    let expected: Vec<String> = (0..20).map(|number| format!("user{number}@example.com")).collect();
    assert_eq!(recipients(&record.messages), expected);
    assert_eq!((record.connections, record.goodbyes), (1, 1));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_on_and_gets_the_mail_again_over_another_connection() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    server.answer([Answer::Accept, Answer::FallSilent]);
    let transport = Transport::smtp_with(&server.url(), Duration::from_millis(500)).unwrap();
    let outbox = Outbox::open_with("no-reply@example.com", transport, clock(), HASTY).unwrap();
    for name in ["ann", "bob", "cem"] {
        outbox.post(mail_to(&format!("{name}@example.com")));
    }
    outbox.close().await;
    let record = server.record();
    assert_eq!(recipients(&record.messages), ["ann@example.com", "bob@example.com", "cem@example.com"]);
    assert_eq!((record.attempts, record.connections), (4, 2));
    assert!(log.complaints()[0].contains("in time"), "{:?}", log.complaints());
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_replaced_before_it_is_used() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    let outbox = outbox(&server.url());
    outbox.post(mail());
    // To EHLO, MAIL, RCPT, DATA and the text.
    server.wait_until(|record| record.replies == 5).await;
    server.hang_up();
    outbox.post(mail());
    outbox.close().await;
    let record = server.record();
    assert_eq!((record.messages.len(), record.attempts, record.connections), (2, 2, 2));
    assert_eq!(log.complaints(), [""; 0]);
}

#[tokio::test]
async fn a_server_without_tls_gets_neither_password_nor_mail_if_tls_is_required() {
    let (server, log) = (SmtpServer::start_with_credentials("postman", "hunter2"), Log::listen());
    let outbox = outbox(&format!("smtp://postman:hunter2@127.0.0.1:{}?tls=required", server.port()));
    outbox.post(mail());
    outbox.close().await;
    assert_eq!(server.record().attempts, 0);
    assert!(log.complaints()[0].contains("STARTTLS is not supported"), "{:?}", log.complaints());
}

#[test]
fn what_is_no_url_of_a_mail_server_is_refused() {
    for url in ["", "mail.example.com", "http://mail.example.com", "smtp:", "smtp://mail.example.com?tls=maybe"] {
        assert!(Transport::smtp(url).is_err(), "{url}");
    }
    for url in
        ["smtp://mail.example.com", "smtps://a%40b:p%3aq@mail.example.com:4465/me", "smtp://[::1]?tls=opportunistic"]
    {
        assert!(Transport::smtp(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn a_full_outbox_drops_mail_and_says_so_and_keeps_nobody_waiting() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    server.answer([Answer::FallSilent]);
    let outbox = outbox_with(&server.url(), Patience { at_close: Duration::ZERO, ..HASTY });
    outbox.post(mail());
    server.wait_until(|record| record.attempts == 1).await;
    let start = Instant::now();
    for _ in 0..CAPACITY + 3 {
        outbox.post(mail());
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let complaints = log.complaints();
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(complaints.iter().all(|line| line.contains("mail dropped")), "{complaints:?}");
    outbox.close().await;
}

#[tokio::test]
async fn closing_does_not_wait_for_a_server_that_has_fallen_silent_and_says_what_is_lost() {
    let (server, log) = (SmtpServer::start(), Log::listen());
    server.answer([Answer::Accept, Answer::FallSilent]);
    let outbox = outbox_with(&server.url(), Patience { at_close: Duration::from_millis(200), ..HASTY });
    outbox.post(mail());
    outbox.post(mail());
    outbox.post(mail_of(MailContent::ResetPassword(code())));
    server.wait_until(|record| record.attempts == 2).await;
    let start = Instant::now();
    outbox.close().await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(server.messages().len(), 1);
    let complaints = log.complaints();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().all(|line| line.contains("ERROR") && line.contains("mail lost")), "{complaints:?}");
    assert!(complaints[0].contains("verify_email") && complaints[1].contains("reset_password"), "{complaints:?}");
}

#[tokio::test]
async fn what_was_posted_leaves_even_if_the_outbox_is_dropped_and_not_closed() {
    let server = SmtpServer::start();
    let outbox = outbox(&server.url());
    for _ in 0..3 {
        outbox.post(mail());
    }
    drop(outbox);
    assert_eq!(server.wait_for_messages(3).await.len(), 3);
}

//! What outlasts a restart.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::raw::{exchange, request};
use crate::server::{Deployment, PASSWORD, Server};
use crate::shapes::registration;

on_both_deployments!(
    a_restart_logs_nobody_out,
    a_session_that_was_ended_stays_ended_after_a_restart,
    a_code_outlasts_a_restart_and_so_do_its_tries,
    mails_posted_right_before_the_end_are_written,
    what_is_under_way_at_the_end_is_finished,
);

async fn a_restart_logs_nobody_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let client = server.logged_in("both1@markt.com").await;
    let before = client.get("/users/profile").await.json();
    let bearer = server.secret_of("buyer1@markt.com").await;
    let new = server.register("ann_lee").await;
    let server = server.stop().await.start().await;
    assert_eq!(client.at(&server).get("/users/profile").await.json(), before);
    assert_eq!(server.with_bearer(&bearer).get("/users/profile").await.json()["username"], "buyer1");
    server.assert_alive(&new, "ann_lee").await;
    // It is the users of before, too: the demo accounts weren't made again.
    assert_eq!(server.client().log_in("both1@markt.com", PASSWORD).await.json()["id"], before["id"]);
}

async fn a_session_that_was_ended_stays_ended_after_a_restart(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let one = server.secret_of("buyer1@markt.com").await;
    let all = [server.secret_of("seller1@markt.com").await, server.secret_of("seller1@markt.com").await];
    server.with_cookie(&one).post_nothing("/users/logout").await;
    server.with_cookie(&all[0]).post_nothing("/users/logout?everywhere=true").await;
    let server = server.stop().await.start().await;
    for secret in [&one, &all[0], &all[1]] {
        server.assert_dead(secret).await;
    }
}

async fn a_code_outlasts_a_restart_and_so_do_its_tries(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for name in ["ann_lee", "bob_lee"] {
        server.register(name).await;
    }
    let mut codes = Vec::new();
    for email in ["ann_lee@example.com", "bob_lee@example.com"] {
        codes.push(json!({"email": email, "verification_code": server.mailed_code(email, 1).await}));
    }
    let path = "/users/email-verification/verify";
    let wrong = if codes[0]["verification_code"] == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let body = json!({"email": "ann_lee@example.com", "verification_code": wrong});
        server.client().post(path, body).await.assert_error(400, "invalid_code");
    }
    let server = server.stop().await.start().await;
    server.client().post(path, codes[0].clone()).await.assert_error(400, "invalid_code");
    assert_eq!(server.client().post(path, codes[1].clone()).await.status, StatusCode::OK);
}

async fn mails_posted_right_before_the_end_are_written(deployment: Deployment) {
    const USERS: usize = 5;
    let server = Server::start(deployment).await;
    for n in 0..USERS {
        server.register(&format!("ann_{n}")).await;
    }
    let setup = server.stop().await;
    for n in 0..USERS {
        assert_eq!(setup.mails_to(&format!("ann_{n}@example.com")).len(), 1, "{n}");
    }
}

async fn what_is_under_way_at_the_end_is_finished(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let body = registration("ann_lee").to_string();
    let length = format!("Content-Length: {}", body.len());
    let head = ["POST /api/v1/users/register HTTP/1.1", "Host: localhost", "Content-Type: application/json", &length];
    let (first, rest) = body.split_at(20);
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request(&head, first.as_bytes())).await.unwrap();
    // An answer to another request shows that the server runs, and has had the time to take this one.
    exchange(&server, &request(&["GET /api/v1/status HTTP/1.1", "Host: localhost"], b"")).await.unwrap();
    let rest = rest.to_owned();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
        answer
    });
    let setup = server.stop().await;
    let answer = late.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(setup.mails_to("ann_lee@example.com").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_dawdle_do_not_hold_up_the_end() {
    let setup = crate::setup::Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "500ms");
    let server = setup.start().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut dawdlers = Vec::new();
    for bytes in [
        &b""[..],
        b"POST /api/v1/users/login HT",
        b"POST /api/v1/users/login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await.unwrap();
        dawdlers.push(stream);
    }
    server.register("ann_lee").await;
    let started = std::time::Instant::now();
    let setup = server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(setup.mails_to("ann_lee@example.com").len(), 1);
    drop(dawdlers);
}

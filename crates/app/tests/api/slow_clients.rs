//! Clients that take their time. Each is cut off, and nobody else waits for them meanwhile.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::answer::Answer;
use crate::errors::WITH_BODY;
use crate::raw::{parse, request};
use crate::server::{Deployment, Server};
use crate::setup::Setup;

/// Enough for whoever isn't slow on purpose, on a machine that is busy.
const LIMIT: &str = "1500ms";

/// Much more than the limit, and much less than what a slow client would take to be done.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two bytes of a slow client.
const BETWEEN_BYTES: Duration = Duration::from_millis(50);

const SLOW_CLIENTS: usize = 20;

async fn server() -> Server {
    Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", LIMIT).start().await
}

async fn connect(url: &str) -> (OwnedReadHalf, OwnedWriteHalf) {
    TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap().into_split()
}

/// Sends `start`, and then a byte at a time for as long as the server takes them; what it said until it closed.
async fn dawdle(url: &str, start: Vec<u8>, byte: &'static [u8]) -> Vec<u8> {
    let (mut reader, mut writer) = connect(url).await;
    writer.write_all(&start).await.unwrap();
    let sending = tokio::spawn(async move {
        while writer.write_all(byte).await.is_ok() {
            sleep(BETWEEN_BYTES).await
        }
    });
    let mut said = Vec::new();
    // A server that closes before all is read may be heard of as an error.
    let _closed = timeout(PATIENCE, reader.read_to_end(&mut said)).await.unwrap();
    sending.abort();
    said
}

/// Waits until all of them are done; others are served meanwhile, each time.
async fn assert_others_are_served_until_done(server: &Server, mut slow: JoinSet<()>) {
    let mut answers = 0;
    while !slow.is_empty() {
        server.logged_in("buyer1@markt.com").await;
        assert_eq!(server.client().get("/status").await.status, StatusCode::OK);
        answers += 2;
        while let Some(done) = slow.try_join_next() {
            done.unwrap();
        }
        sleep(BETWEEN_BYTES).await;
    }
    assert!(answers > 2, "the slow clients were done at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_a_head_byte_by_byte_is_cut_off() {
    let server = server().await;
    let mut slow = JoinSet::new();
    for n in 0..SLOW_CLIENTS {
        let url = if n % 4 == 0 { server.admin_url.clone() } else { server.url.clone() };
        let start = [&b""[..], b"POST /api/v1/users/login HTTP/1.1\r\nX-Padding: "][n % 2].to_vec();
        slow.spawn(async move { assert_eq!(String::from_utf8_lossy(&dawdle(&url, start, b"x").await), "") });
    }
    assert_others_are_served_until_done(&server, slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_nothing_is_cut_off() {
    let server = server().await;
    let mut slow = JoinSet::new();
    for _ in 0..SLOW_CLIENTS {
        let url = server.url.clone();
        slow.spawn(async move { assert_eq!(dawdle(&url, Vec::new(), b"").await, b"") });
    }
    assert_others_are_served_until_done(&server, slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_a_body_byte_by_byte_is_told_so_and_cut_off_on_every_route_that_takes_one() {
    let server = server().await;
    let bearer = format!("Authorization: Bearer {}", server.secret_of("both1@markt.com").await);
    let mut slow = JoinSet::new();
    for (method, path) in WITH_BODY {
        for (framing, byte) in [("Content-Length: 60000", &b" "[..]), ("Transfer-Encoding: chunked", b"1\r\n \r\n")] {
            let line = format!("{method} /api/v1{path} HTTP/1.1");
            let head = [&line, "Host: localhost", "Content-Type: application/json", &bearer, framing];
            let (start, url) = (request(&head, b""), server.url.clone());
            slow.spawn(async move {
                let said = dawdle(&url, start, byte).await;
                let answer = parse(&said, true).unwrap_or_else(|| panic!("{path}: no answer"));
                answer.assert_error(408, "request_timeout");
                assert_eq!(answer.header("connection"), "close", "{path}: {answer:?}");
            });
        }
    }
    assert_others_are_served_until_done(&server, slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_read_the_answers_is_cut_off() {
    /// More than the system keeps for a reader to come.
    const REQUESTS: usize = 100;
    let server = server().await;
    let bundle = "/swagger-ui/swagger-ui-bundle.js";
    let size = Answer::of(server.client().request_at_root(reqwest::Method::GET, bundle)).await.text.len();
    assert!(size > 1_000_000, "{size}");
    let (mut reader, mut writer) = connect(&server.url).await;
    let request = request(&[&format!("GET {bundle} HTTP/1.1"), "Host: localhost"], b"");
    writer.write_all(&request.repeat(REQUESTS)).await.unwrap();
    // The server that closes this resets it, and the next byte can't be sent.
    let sending = async {
        while writer.write_all(b"\n").await.is_ok() {
            sleep(BETWEEN_BYTES).await
        }
    };
    timeout(PATIENCE, sending).await.unwrap();
    let mut said = Vec::new();
    let _reset = reader.read_to_end(&mut said).await;
    assert!(said.len() < REQUESTS * size, "{}", said.len());
    assert_eq!(server.client().get("/status").await.status, StatusCode::OK);
}

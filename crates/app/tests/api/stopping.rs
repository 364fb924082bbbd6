//! The orderly end: told by SIGTERM, a server leaves nobody without an answer.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::answer::Answer;
use crate::client::Client;
use crate::process::Process;
use crate::raw::{parse, request};
use crate::server::Deployment;
use crate::setup::Setup;
use crate::shapes::registration;

const DRAINING: &str = "ending: load balancers are given time to notice";
const CLOSING: &str = "ending: requests under way are finished";

/// Much more than anything here takes, and less than the long limits that are configured.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server in a process of its own that drains for this long, and has much patience with requests.
async fn start(drain: &str) -> (Setup, Process) {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__DRAIN", drain);
    let setup = setup.with("MARKT_HTTP__REQUEST_TIMEOUT", "60s");
    let process = Process::serve(&setup);
    (setup, process)
}

async fn ended(process: Process) -> String {
    spawn_blocking(move || process.wait_for_end()).await.unwrap()
}

async fn health(process: &Process, what: &str) -> StatusCode {
    reqwest::get(format!("{}/health/{what}", process.admin_url)).await.unwrap().status()
}

/// Waits until the server listens no more: what it says of itself may come a moment earlier.
async fn assert_refuses_connections(process: &Process) {
    let started = Instant::now();
    while TcpStream::connect(process.url.strip_prefix("http://").unwrap()).await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "it still listens");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A connection that is kept.
struct Connection(TcpStream);

impl Connection {
    async fn to(process: &Process) -> Self {
        Self(TcpStream::connect(process.url.strip_prefix("http://").unwrap()).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        let read = async {
            loop {
                assert!(self.0.read_buf(&mut bytes).await.unwrap() > 0, "no answer");
                if let Some(answer) = parse(&bytes, false) {
                    return answer;
                }
            }
        };
        timeout(PATIENCE, read).await.unwrap()
    }

    async fn status(&mut self) -> Answer {
        self.send(&request(&["GET /api/v1/status HTTP/1.1", "Host: localhost"], b"")).await;
        let answer = self.answer().await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer
    }

    async fn assert_closed(mut self) {
        let read = timeout(PATIENCE, self.0.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drains_is_not_ready_and_serves_each_connection_once_more() {
    let (_setup, mut process) = start("60s").await;
    assert_eq!(health(&process, "ready").await, StatusCode::OK);
    let (mut used, mut idle) = (Connection::to(&process).await, Connection::to(&process).await);
    for connection in [&mut used, &mut idle] {
        assert_eq!(connection.status().await.header("connection"), "");
    }
    process.tell_to_end();
    process.wait_for(DRAINING);
    assert_eq!(health(&process, "ready").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(health(&process, "live").await, StatusCode::OK);
    let new = Connection::to(&process).await;
    for mut connection in [used, new] {
        assert_eq!(connection.status().await.header("connection"), "close");
        connection.assert_closed().await;
    }
    // Who tells it twice doesn't want to wait.
    process.tell_to_end();
    idle.assert_closed().await;
    let log = ended(process).await;
    assert!(log.contains("\"ended\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_by_itself() {
    let (_setup, mut process) = start("500ms").await;
    let mut idle = Connection::to(&process).await;
    idle.status().await;
    let started = Instant::now();
    process.tell_to_end();
    process.wait_for(CLOSING);
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
    idle.assert_closed().await;
    ended(process).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_gets_its_answer_and_no_other_is_taken() {
    let (setup, mut process) = start("0s").await;
    let body = registration("ann_lee").to_string();
    let length = format!("Content-Length: {}", body.len());
    let head = ["POST /api/v1/users/register HTTP/1.1", "Host: localhost", "Content-Type: application/json", &length];
    let mut under_way = Connection::to(&process).await;
    let (first, rest) = body.split_at(20);
    under_way.send(&request(&head, first.as_bytes())).await;
    // An answer to a later request shows that the server has had the time to take this one.
    Connection::to(&process).await.status().await;
    process.tell_to_end();
    process.wait_for(CLOSING);
    assert_refuses_connections(&process).await;
    under_way.send(rest.as_bytes()).await;
    let answer = under_way.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (StatusCode::CREATED, "close"), "{answer:?}");
    under_way.assert_closed().await;
    ended(process).await;
    assert_eq!(setup.mails_to("ann_lee@example.com").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_its_answer_does_not_hold_up_the_end() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "1s");
    let process = Process::serve(&setup);
    let mut deaf = Connection::to(&process).await;
    let bundle = request(&["GET /swagger-ui/swagger-ui-bundle.js HTTP/1.1", "Host: localhost"], b"");
    deaf.send(&bundle.repeat(100)).await;
    Client::to(&process.url, false).get("/status").await.assert_status(200);
    process.tell_to_end();
    ended(process).await;
    drop(deaf);
}

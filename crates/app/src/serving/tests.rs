use std::pin::pin;

use axum::Router;
use axum::routing::{get, post};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// Much more than any limit that is to be reached here, and much less than one that isn't.
const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(60 * 60);
const SHORT: Duration = Duration::from_millis(200);

const ENDLESS: Limits = Limits { head: LONG, handler: LONG, answer: LONG, idle: LONG };

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 4711))
}

/// Answers with the peer's address, and with much, and never.
fn app() -> Router {
    Router::new()
        .route("/", get(async || super::peer().unwrap().ip().to_string()))
        .route("/much", get(async || "x".repeat(1_000_000)))
        .route("/never", post(std::future::pending::<()>))
}

/// A connection with these limits: the client's end, and what is done when it has ended.
fn connect(limits: Limits) -> (DuplexStream, watch::Sender<Stage>, JoinHandle<()>) {
    let (client, server) = duplex(1024);
    let (stage, stages) = watch::channel(Stage::Serving);
    (client, stage, tokio::spawn(connection::serve(server, peer(), app(), limits, stages)))
}

async fn assert_ends(connection: JoinHandle<()>) {
    timeout(PATIENCE, connection).await.expect("it goes on").unwrap();
}

/// Sends a request, and reads the answer, whose body ends so.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), body: &str) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(body.as_bytes()) {
        assert!(timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("no answer").unwrap() > 0, "closed");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn requests_know_their_peer() {
    let (mut client, _stage, _connection) = connect(ENDLESS);
    for _ in 0..3 {
        assert!(ask(&mut client, "192.0.2.7").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_head_has_a_limit_from_its_first_byte_on_and_idle_time_is_none_of_it() {
    let (mut client, _stage, connection) = connect(Limits { head: SHORT, ..ENDLESS });
    for _ in 0..2 {
        ask(&mut client, "192.0.2.7").await;
        sleep(3 * SHORT).await;
    }
    client.write_all(b"GET /").await.unwrap();
    while client.write_all(b"x").await.is_ok() && !connection.is_finished() {
        sleep(SHORT / 10).await;
    }
    assert_ends(connection).await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_ends() {
    let (_client, _stage, connection) = connect(Limits { head: SHORT, ..ENDLESS });
    assert_ends(connection).await;
}

#[tokio::test]
async fn an_idle_connection_ends() {
    let (mut client, _stage, connection) = connect(Limits { idle: SHORT, ..ENDLESS });
    ask(&mut client, "192.0.2.7").await;
    assert_ends(connection).await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_ends_the_connection_and_one_that_is_read_slowly_does_not() {
    let (mut client, _stage, connection) = connect(Limits { answer: 2 * SHORT, ..ENDLESS });
    client.write_all(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut part = vec![0; 2000];
    for _ in 0..15 {
        client.read_exact(&mut part).await.unwrap();
        sleep(SHORT / 4).await;
    }
    assert!(!connection.is_finished());
    assert_ends(connection).await;
}

#[tokio::test]
async fn a_handler_without_a_limit_of_its_own_ends_with_the_connection() {
    let (mut client, _stage, connection) = connect(Limits { handler: SHORT, ..ENDLESS });
    client.write_all(b"POST /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_ends(connection).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_drain_until_it_is_used() {
    let (mut client, stage, connection) = connect(ENDLESS);
    let (mut other, other_stage, other_connection) = connect(ENDLESS);
    for client in [&mut client, &mut other] {
        assert!(!ask(client, "192.0.2.7").await.contains("connection: close"));
    }
    stage.send_replace(Stage::Draining);
    assert!(ask(&mut client, "192.0.2.7").await.contains("connection: close"));
    assert_ends(connection).await;
    other_stage.send_replace(Stage::Draining);
    assert!(!other_connection.is_finished());
    other_stage.send_replace(Stage::Closing);
    assert_ends(other_connection).await;
}

#[tokio::test]
async fn a_connection_too_many_waits_until_another_one_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::new(listener, app(), ENDLESS, 2);
    let address = server.address().unwrap();
    let (stage, stages) = watch::channel(Stage::Serving);
    let serving = tokio::spawn(server.serve(stages));
    let (mut first, mut second) =
        (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    for stream in [&mut first, &mut second] {
        ask(stream, "127.0.0.1").await;
    }
    // It is connected by the system, which keeps it in a queue.
    let mut third = TcpStream::connect(address).await.unwrap();
    {
        let mut third = pin!(ask(&mut third, "127.0.0.1"));
        timeout(SHORT, third.as_mut()).await.expect_err("there are three connections");
        ask(&mut second, "127.0.0.1").await;
        drop(first);
        timeout(PATIENCE, third).await.expect("the place of the one that has ended is not given away");
    }
    stage.send_replace(Stage::Closing);
    assert_ends(serving).await;
}

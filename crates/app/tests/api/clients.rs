//! What is kept of the client that logs in: its address and what it calls itself.

use reqwest::header::{HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

/// The column of the newest session after a login with these headers.
async fn kept(server: &Server, column: &str, headers: &[(&'static str, &str)]) -> String {
    let client =
        headers.iter().fold(server.without_cookies(), |client, (name, value)| client.with_header(name, *value));
    let answer = client.log_in("buyer1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    newest(server, column).await
}

async fn newest(server: &Server, column: &str) -> String {
    let texts = server.setup.query_texts(&format!("SELECT {column} FROM auth_sessions")).await;
    assert_eq!(texts.len(), 1, "{texts:?}");
    server.setup.execute_sql("DELETE FROM auth_sessions").await;
    texts.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_is_the_peers_unless_the_peer_is_a_trusted_proxy() {
    let forwarded = [("x-forwarded-for", "198.51.100.1, 198.51.100.7")];
    let server = Server::start(Deployment::Embedded).await;
    assert_eq!(kept(&server, "ip_address", &forwarded).await, "127.0.0.1");
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8");
    let server = setup.start().await;
    assert_eq!(kept(&server, "ip_address", &[]).await, "127.0.0.1");
    assert_eq!(kept(&server, "ip_address", &forwarded).await, "198.51.100.7");
    let through_two = [("x-forwarded-for", "198.51.100.1, 198.51.100.7, 10.0.0.9")];
    assert_eq!(kept(&server, "ip_address", &through_two).await, "198.51.100.7");
    let standard = [("forwarded", "for=\"[2001:db8::7]:4711\";proto=https")];
    assert_eq!(kept(&server, "ip_address", &standard).await, "2001:db8::7");
    // Two headers that don't agree: one of them the client wrote.
    let both = [("forwarded", "for=198.51.100.8"), ("x-forwarded-for", "198.51.100.9")];
    assert_eq!(kept(&server, "ip_address", &both).await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_call_itself_whatever_it_likes() {
    // Sessions in PostgreSQL, which takes neither what is no UTF-8 nor what is too long for a column.
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", "");
    let server = setup.with("MARKT_SESSION__BINDING__USER_AGENT", "off").start().await;
    assert_eq!(kept(&server, "user_agent", &[("user-agent", "Firefox/140.0")]).await, "Firefox/140.0");
    assert_eq!(kept(&server, "user_agent", &[]).await, "");
    let long = kept(&server, "user_agent", &[("user-agent", &"x".repeat(5000))]).await;
    assert_eq!(long, "x".repeat(255));
    for odd in [&b"\xff\xfe\x80"[..], "😀".repeat(100).as_bytes(), b"a\tb\x80\"'; DROP TABLE users; --"] {
        let request = server.without_cookies().request(Method::POST, "/users/login");
        let request = request.header(USER_AGENT, HeaderValue::from_bytes(odd).unwrap());
        let body = json!({"email": "buyer1@markt.com", "password": PASSWORD});
        let answer = Answer::of(request.json(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        server.assert_alive(&answer.session_cookie().value, "buyer1").await;
        assert!(!newest(&server, "user_agent").await.is_empty());
    }
}

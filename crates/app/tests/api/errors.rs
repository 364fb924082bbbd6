//! What every answer has in common, and what is answered where no route comes to its turn.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::raw::{exchange, request};
use crate::server::{Deployment, Server};
use crate::setup::Setup;

/// The routes, with their methods.
pub const ROUTES: [(&str, &str); 25] = [
    ("POST", "/users/register"),
    ("POST", "/users/login"),
    ("POST", "/users/logout"),
    ("GET", "/users/profile"),
    ("PATCH", "/users/profile"),
    ("PATCH", "/users/profile/buyer"),
    ("PATCH", "/users/profile/seller"),
    ("POST", "/users/create-buyer"),
    ("POST", "/users/create-seller"),
    ("POST", "/users/switch-role"),
    ("GET", "/users/check-username"),
    ("POST", "/users/email-verification/send"),
    ("POST", "/users/email-verification/verify"),
    ("POST", "/users/password-reset"),
    ("POST", "/users/password-reset/confirm"),
    ("POST", "/users/password"),
    ("POST", "/users/reauthenticate"),
    ("GET", "/session"),
    ("GET", "/users/sessions"),
    ("DELETE", "/users/sessions"),
    ("DELETE", "/users/sessions/{id}"),
    ("GET", "/sessions/verify"),
    ("GET", "/status"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/exchange"),
];

/// Those of them that take a body.
pub const WITH_BODY: [(&str, &str); 14] = [
    ("POST", "/users/register"),
    ("POST", "/users/login"),
    ("PATCH", "/users/profile"),
    ("PATCH", "/users/profile/buyer"),
    ("PATCH", "/users/profile/seller"),
    ("POST", "/users/create-buyer"),
    ("POST", "/users/create-seller"),
    ("POST", "/users/email-verification/send"),
    ("POST", "/users/email-verification/verify"),
    ("POST", "/users/password-reset"),
    ("POST", "/users/password-reset/confirm"),
    ("POST", "/users/password"),
    ("POST", "/users/reauthenticate"),
    ("POST", "/auth/refresh"),
];

async fn server() -> Server {
    Server::start(Deployment::Embedded).await
}

/// A client that may use every route that takes a body.
async fn logged_in(server: &Server) -> Client {
    server.with_bearer(&server.secret_of("both1@markt.com").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_route_is_not_found_wherever_it_is() {
    let server = server().await;
    let client = server.client();
    for path in
        ["/", "/nowhere", "/api", "/api/v1", "/api/v1/", "/api/v1/nowhere", "/api/v1/users/profile/", "/api/v2/status"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            Answer::of(client.request_at_root(method, path)).await.assert_error(404, "not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_method_is_refused_and_the_right_ones_named() {
    let server = server().await;
    for (_, path) in ROUTES {
        let of_path = ROUTES.iter().filter(|(_, other)| *other == path);
        let right: Vec<&str> = of_path.map(|(method, _)| *method).collect();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE] {
            if right.contains(&method.as_str()) {
                continue;
            }
            let answer = Answer::of(server.client().request(method.clone(), path)).await;
            answer.assert_error(405, "method_not_allowed");
            let allowed = answer.header("allow").split(',').map(str::trim).collect::<Vec<_>>();
            assert!(right.iter().all(|method| allowed.contains(method)), "{method} {path}: {allowed:?}");
            assert!(!allowed.contains(&method.as_str()), "{method} {path}: {allowed:?}");
        }
    }
    let document = Answer::of(server.client().request(Method::POST, "/openapi.json")).await;
    document.assert_error(405, "method_not_allowed");
    assert!(document.header("allow").contains("GET"), "{document:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_answers_like_get_without_a_body() {
    let server = server().await;
    let client = server.logged_in("buyer1@markt.com").await;
    for path in [
        "/users/profile",
        "/users/check-username?username=ann",
        "/users/check-username?username=a",
        "/session?touch=false",
        "/users/sessions",
        "/sessions/verify",
        "/status",
        "/openapi.json",
    ] {
        let get = client.get(path).await;
        let head = Answer::of(client.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for header in ["content-type", "cache-control", "content-security-policy"] {
            assert_eq!(head.header(header), get.header(header), "{path}");
        }
    }
    let refused = Answer::of(server.client().request(Method::HEAD, "/users/profile")).await;
    assert_eq!((refused.status, refused.text.as_str()), (StatusCode::UNAUTHORIZED, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_json_is_malformed() {
    let server = server().await;
    let deep = "[".repeat(10_000);
    let client = logged_in(&server).await;
    for (method, path) in WITH_BODY {
        for body in [
            &b""[..],
            b" ",
            b"{",
            b"{\"email\":}",
            b"{} {}",
            b"\xff\xfe{}",
            b"{\"email\":\"\xff\"}",
            b"{'a':1}",
            b"NaN",
            deep.as_bytes(),
            b"{\"a\":\"\\ud800\"}",
        ] {
            client.send_bytes(method, path, body).await.assert_error(400, "malformed_body");
        }
    }
    // Nothing of what was sent is repeated.
    let answer = server.client().post_bytes("/users/login", "{\"password\":\"Password123\" oops").await;
    assert!(!answer.text.contains("Password123"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_no_object_is_not_valid() {
    let server = server().await;
    let client = logged_in(&server).await;
    for (method, path) in WITH_BODY {
        for body in [json!([]), json!([{"email": "a@b.com"}]), json!("text"), json!(7), json!(true), Value::Null] {
            let answer = client.send(method, path, body).await;
            assert_eq!(answer.errors("json"), json!({"_schema": ["Invalid input type."]}));
        }
    }
}

/// Makes sure that a body was read: a change may be of nothing, all others lack a field.
#[track_caller]
fn assert_was_read(answer: &Answer) {
    if answer.status != StatusCode::OK {
        answer.errors("json");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_must_say_that_it_is_json() {
    let server = server().await;
    let client = logged_in(&server).await;
    let send = async |(method, path): (&str, &str), content_type: Option<&str>| {
        let request = client.request(method.parse().unwrap(), path).body("{}");
        let request = content_type.into_iter().fold(request, |request, value| request.header("content-type", value));
        Answer::of(request).await
    };
    for route in WITH_BODY {
        for wrong in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("json"),
            Some("text/json"),
        ] {
            send(route, wrong).await.assert_error(415, "unsupported_media_type");
        }
        for right in
            ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/problem+json"]
        {
            assert_was_read(&send(route, Some(right)).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_refused_whether_it_tells_its_length_or_not() {
    let server = server().await;
    let fits = format!("{{\"email\":\"{}\"}}", "x".repeat(64 * 1024 - 12));
    assert_eq!(fits.len(), 64 * 1024);
    let client = logged_in(&server).await;
    for (method, path) in WITH_BODY {
        assert_was_read(&client.send_bytes(method, path, fits.as_str()).await);
        client.send_bytes(method, path, format!("{fits} ")).await.assert_error(413, "body_too_large");
    }
    let head = ["POST /api/v1/users/login HTTP/1.1", "Host: localhost", "Content-Type: application/json"];
    let mut chunked = request(&[&head[..], &["Transfer-Encoding: chunked"]].concat(), b"");
    for _ in 0..20 {
        chunked.extend(b"1000\r\n");
        chunked.extend([b' '; 0x1000]);
        chunked.extend(b"\r\n");
    }
    exchange(&server, &chunked).await.unwrap().assert_error(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_bodies_is_the_one_that_is_configured() {
    let server = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__BODY_LIMIT", "1KiB").start().await;
    let padded = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    server.client().post_bytes("/users/login", padded(1024)).await.assert_error(422, "validation_failed");
    server.client().post_bytes("/users/login", padded(1025)).await.assert_error(413, "body_too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_runs_into_the_time_limit() {
    let server = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "500ms").start().await;
    let head = ["POST /api/v1/users/login HTTP/1.1", "Host: localhost", "Content-Type: application/json"];
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let body: &[u8] = if framing.contains("chunked") { b"1\r\n{\r\n" } else { b"{" };
        let started = Instant::now();
        let answer = exchange(&server, &request(&[&head[..], &[framing]].concat(), body)).await.unwrap();
        answer.assert_error(408, "request_timeout");
        assert!(started.elapsed() >= Duration::from_millis(400), "{framing}: {:?}", started.elapsed());
    }
    assert_eq!(server.client().get("/status").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sane_request_id_comes_back_and_another_is_replaced_on_every_answer() {
    let server = server().await;
    let paths = [
        ("GET", "/status"),
        ("GET", "/users/profile"),
        ("GET", "/nowhere"),
        ("PUT", "/status"),
        ("POST", "/users/login"),
        ("OPTIONS", "/status"),
    ];
    for (method, path) in paths {
        let answered = async |id: &str| {
            let request = server.client().request(method.parse().unwrap(), path).header("x-request-id", id);
            let answer = Answer::of(request).await;
            assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1, "{answer:?}");
            if answer.status.is_client_error() {
                assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
            }
            answer.header("x-request-id").to_owned()
        };
        for sane in ["a", "0f8fad5b-d9cb-469f-a165-70867728950e", "trace:1/2+3=4_5.6", &"x".repeat(128)] {
            assert_eq!(answered(sane).await, sane, "{method} {path}");
        }
        let mut fresh = Vec::new();
        for odd in ["", "two words", "<script>", "a\tb", "ünïcode", &"x".repeat(129)] {
            let id = answered(odd).await;
            assert!(id != odd && id.len() >= 16, "{method} {path}: {odd} became {id}");
            fresh.push(id);
        }
        fresh.sort();
        fresh.dedup();
        assert_eq!(fresh.len(), 6, "{fresh:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_headers_that_keep_browsers_careful() {
    let server = server().await;
    let client = server.logged_in("buyer1@markt.com").await;
    let requests = [
        ("GET", "/api/v1/users/profile", 200),
        ("GET", "/api/v1/status", 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("OPTIONS", "/api/v1/users/login", 200),
        ("GET", "/swagger-ui/", 200),
        ("GET", "/swagger-ui/nothing.js", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/users/login", 405),
        ("POST", "/api/v1/users/login", 415),
        ("POST", "/api/v1/users/logout?everywhere=maybe", 422),
        ("POST", "/api/v1/users/logout", 204),
        ("POST", "/api/v1/users/logout", 401),
    ];
    for (method, path, status) in requests {
        let answer = Answer::of(client.request_at_root(method.parse().unwrap(), path)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{method} {path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{method} {path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{method} {path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{method} {path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
        assert!(!answer.header("x-request-id").is_empty(), "{method} {path}");
        // There is no TLS in development.
        assert_eq!(answer.header("strict-transport-security"), "", "{method} {path}");
        if answer.status.is_client_error() {
            assert_eq!(answer.json()["code"], status, "{method} {path}");
        }
    }
}

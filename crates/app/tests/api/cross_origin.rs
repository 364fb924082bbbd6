//! What pages of other sites may do: what is allowed them, and nothing else.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::client::Client;
use crate::server::{Deployment, FRONT_END, PASSWORD, Server};
use crate::setup::Setup;

async fn server() -> Server {
    Server::start(Deployment::Embedded).await
}

async fn preflight(server: &Server, path: &str, origin: &str, method: &str) -> Answer {
    let request = server
        .client()
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "content-type");
    Answer::of(request).await
}

fn listed(answer: &Answer, header: &str) -> Vec<String> {
    let values = answer.headers.get_all(header).iter().map(|value| value.to_str().unwrap().to_lowercase());
    values.flat_map(|value| value.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>()).collect()
}

/// Makes sure that this origin may read the answer, with credentials, and that caches keep origins apart.
#[track_caller]
fn assert_readable_by(origin: &str, answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), origin, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), "true", "{answer:?}");
    assert_eq!(answer.header("vary"), "Origin", "{answer:?}");
    assert!(listed(answer, "access-control-allow-headers").iter().all(|header| header != "*"), "{answer:?}");
}

#[track_caller]
fn assert_readable_by_nobody(answer: &Answer) {
    assert_eq!(answer.headers.get("access-control-allow-origin"), None, "{answer:?}");
    assert_eq!(answer.header("vary"), "Origin", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_front_end_is_told_what_it_may_do() {
    let server = server().await;
    for origin in [FRONT_END, "http://localhost:4200", "http://localhost:8081", "http://127.0.0.1:3000"] {
        let answer = preflight(&server, "/users/login", origin, "POST").await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_readable_by(origin, &answer);
        let methods = listed(&answer, "access-control-allow-methods");
        for method in ["get", "post", "patch", "delete"] {
            assert!(methods.contains(&method.to_owned()), "{methods:?}");
        }
        let headers = listed(&answer, "access-control-allow-headers");
        for header in ["content-type", "authorization", "x-session-transport", "x-request-id"] {
            assert!(headers.contains(&header.to_owned()), "{headers:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_other_origin_is_allowed_nothing() {
    let server = server().await;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000.evil.example",
        "http://localhost:3001",
        "https://localhost:3000",
        "http://LOCALHOST:3000",
        "http://localhost:3000/",
        "*",
    ] {
        assert_readable_by_nobody(&preflight(&server, "/users/login", origin, "POST").await);
        let client = server.client().with_header("origin", origin);
        assert_readable_by_nobody(&client.get("/status").await);
        assert_readable_by_nobody(&client.get("/users/profile").await);
        let answer = client.log_in("buyer1@markt.com", PASSWORD).await;
        answer.assert_error(403, "cross_origin_refused");
        assert_readable_by_nobody(&answer);
    }
    assert_readable_by_nobody(&preflight(&server, "/users/login", "", "POST").await);
    assert_readable_by_nobody(&server.client().get("/status").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_too_are_readable_by_an_allowed_front_end() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "500ms");
    let server = setup.start().await;
    let browser = server.browser();
    let large = json!({"email": "x".repeat(70_000)});
    let answers = [
        browser.get("/users/profile").await,
        browser.get("/nowhere").await,
        browser.get("/users/login").await,
        browser.log_in("buyer1@markt.com", "Password124").await,
        browser.post("/users/login", json!({})).await,
        browser.post_bytes("/users/login", "{").await,
        browser.post_nothing("/users/login").await,
        browser.post("/users/login", large).await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [401, 404, 405, 401, 422, 400, 415, 413]);
    for answer in answers {
        assert_readable_by(FRONT_END, &answer);
        let exposed = listed(&answer, "access-control-expose-headers");
        assert!(
            exposed.contains(&"x-request-id".to_owned()) && exposed.contains(&"retry-after".to_owned()),
            "{exposed:?}"
        );
    }
    let origin = format!("Origin: {FRONT_END}");
    let head = ["POST /api/v1/users/login HTTP/1.1", "Host: localhost", "Content-Type: application/json"];
    let endless = crate::raw::request(&[&head[..], &[&origin, "Content-Length: 9"]].concat(), b"{");
    let answer = crate::raw::exchange(&server, &endless).await.unwrap();
    answer.assert_error(408, "request_timeout");
    assert_readable_by(FRONT_END, &answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_sites_page_sends_is_refused_and_changes_nothing() {
    let server = server().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let evil = ("origin", "https://evil.example");
    for headers in [
        vec![evil],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "cross-site"), evil],
        vec![("sec-fetch-site", "cross-site"), ("origin", "null")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", ""), evil],
        vec![("sec-fetch-site", "cross-site"), ("origin", "")],
    ] {
        let client =
            headers.iter().fold(server.with_cookie(&secret), |client, (name, value)| client.with_header(name, *value));
        for path in ["/users/logout", "/users/logout?everywhere=true"] {
            client.post_nothing(path).await.assert_error(403, "cross_origin_refused");
        }
        client.log_in("seller1@markt.com", PASSWORD).await.assert_error(403, "cross_origin_refused");
        let registered = client.post("/users/register", crate::shapes::registration("ann_lee")).await;
        registered.assert_error(403, "cross_origin_refused");
        // What changes nothing is let through: the browser keeps the answer from the page.
        assert_eq!(client.get("/users/profile").await.status, StatusCode::OK);
    }
    server.assert_alive(&secret, "buyer1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_allowed_origin_or_the_service_itself_or_no_browser_sends_passes() {
    let server = server().await;
    let own = server.url.clone();
    for headers in [
        vec![],
        vec![("origin", "")],
        vec![("sec-fetch-site", "")],
        vec![("sec-fetch-site", ""), ("origin", "")],
        vec![("origin", FRONT_END)],
        vec![("origin", FRONT_END), ("sec-fetch-site", "cross-site")],
        vec![("origin", FRONT_END), ("sec-fetch-site", "same-site")],
        vec![("origin", own.as_str())],
        vec![("origin", own.as_str()), ("sec-fetch-site", "same-origin")],
        vec![("sec-fetch-site", "none")],
    ] {
        let client = headers.iter().fold(server.client(), |client, (name, value)| client.with_header(name, *value));
        in_and_out(&client).await;
    }
}

async fn in_and_out(client: &Client) {
    let answer = client.log_in("buyer1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = client.post_nothing("/users/logout").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_allowed_origins_are_those_that_are_configured() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_CORS__ALLOWED_ORIGINS", "https://app.example.com");
    let server = setup.start().await;
    let allowed = server.client().with_header("origin", "https://app.example.com");
    assert_readable_by("https://app.example.com", &allowed.log_in("buyer1@markt.com", PASSWORD).await);
    let default = server.browser().log_in("buyer1@markt.com", PASSWORD).await;
    default.assert_error(403, "cross_origin_refused");
    assert_readable_by_nobody(&default);
}

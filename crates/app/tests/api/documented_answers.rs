//! A sweep over the API: whatever is answered stands in the OpenAPI document at that operation.

use std::collections::BTreeSet;
use std::time::Duration;

use markt_test_support::stores::{Relay, redis_url, server_address, through};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::errors::{ROUTES, WITH_BODY};
use crate::openapi::{Document, ERROR_TYPES};
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;
use crate::shapes::{registration, seller_registration, with};

/// Holds answers against the document, and remembers which error types there were.
struct Sweep {
    document: Document,
    seen: BTreeSet<String>,
}

impl Sweep {
    async fn of(server: &Server) -> Self {
        Self { document: Document::of(server).await, seen: BTreeSet::new() }
    }

    async fn post(&mut self, client: &Client, path: &str, body: Value) -> Answer {
        let answer = client.post(path, body).await;
        self.check("POST", path, &answer);
        answer
    }

    async fn send(&mut self, client: &Client, method: &str, path: &str) {
        let answer = Answer::of(client.request(method.parse::<Method>().unwrap(), path)).await;
        self.check(method, path, &answer);
    }

    #[track_caller]
    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let operation = self.document.operation(method, path.split('?').next().unwrap());
        let response = &operation["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{method} {path} doesn't declare {answer:?}");
        if answer.status.is_client_error() || answer.status.is_server_error() {
            let error_type = answer.json()["error_type"].as_str().unwrap().to_owned();
            let (_, status) = ERROR_TYPES.iter().find(|(name, _)| *name == error_type).unwrap();
            answer.assert_error(*status, &error_type);
            let description = response["description"].as_str().unwrap();
            assert!(description.contains(&format!("`{error_type}`")), "{method} {path} doesn't declare {answer:?}");
            self.seen.insert(error_type);
        }
        let schema = &response["content"]["application/json"]["schema"];
        if answer.text.is_empty() {
            assert!(schema.is_null(), "{method} {path} declares a body for {answer:?}");
            return;
        }
        let properties = self.document.properties(schema);
        let body = answer.json();
        let fields = body.as_object().unwrap();
        for name in fields.keys() {
            assert!(properties.contains_key(name), "{method} {path} doesn't declare {name} of {answer:?}");
        }
        for (name, _) in properties.iter().filter(|(_, required)| **required) {
            assert!(fields.contains_key(name), "{method} {path} declares {name}, which is missing from {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_documented_at_its_operation() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "3s");
    let server = setup.start().await;
    let mut sweep = Sweep::of(&server).await;
    let client = server.without_cookies();
    let dead = server.secret_of("buyer1@markt.com").await;
    let alive = server.secret_of("buyer1@markt.com").await;
    let expired =
        server.secret_with(json!({"email": "seller1@markt.com", "password": PASSWORD, "remember": false})).await;
    server.with_cookie(&dead).post_nothing("/users/logout").await;
    server.clock().advance(Duration::from_secs(25 * 60 * 60));
    let many = (0..9).map(|n| format!("markt_session={}", n.to_string().repeat(43))).collect::<Vec<_>>().join("; ");
    let callers = [
        client.clone(),
        client.clone().with_header("origin", "https://evil.example"),
        client.clone().with_header("sec-fetch-site", "cross-site"),
        client.clone().with_header("cookie", many),
        server.with_cookie(&dead),
        server.with_cookie(&expired),
        server.with_cookie("garbage"),
        server.with_bearer(&alive),
        server.with_cookie(&alive),
    ];
    for caller in callers {
        for (method, path) in ROUTES {
            sweep.send(&caller, method, &format!("{path}?username=a%00&everywhere=maybe")).await;
            sweep.send(&caller, method, &format!("{path}?username=admin&everywhere=false")).await;
        }
        for path in WITH_BODY {
            for body in [json!({}), json!([]), json!({"email": "x".repeat(70_000)})] {
                sweep.post(&caller, path, body).await;
            }
            sweep.check("POST", path, &caller.post_bytes(path, "{").await);
        }
    }
    // What comes further in.
    for account_type in ["buyer", "seller"] {
        for (email, password) in
            [("buyer1@markt.com", PASSWORD), ("buyer1@markt.com", "wrong"), ("both1@markt.com", PASSWORD)]
        {
            let body = json!({"email": email, "password": password, "account_type": account_type});
            sweep.post(&client, "/users/login", body.clone()).await;
            sweep.post(&server.browser(), "/users/login", body).await;
        }
    }
    sweep.post(&client, "/users/register", registration("ann_lee")).await;
    sweep.post(&client, "/users/register", registration("ann_lee")).await;
    let shop = json!({"shop_name": "Bob", "description": ""});
    sweep.post(&server.browser(), "/users/register", seller_registration("bob_lee", shop.clone())).await;
    sweep
        .post(&client, "/users/register", seller_registration("cleo_lee", with(shop, "category_ids", json!([7]))))
        .await;
    sweep.post(&client, "/users/login", json!({"email": "ann_lee@example.com", "password": PASSWORD})).await;
    let email = json!({"email": "ann_lee@example.com"});
    sweep.post(&client, "/users/email-verification/send", email.clone()).await;
    let code = server.mailed_code("ann_lee@example.com", 2).await;
    for _ in 0..2 {
        let body = with(email.clone(), "verification_code", code.as_str());
        sweep.post(&client, "/users/email-verification/verify", body).await;
    }
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'ann_lee'").await;
    sweep.post(&client, "/users/login", json!({"email": "ann_lee@example.com", "password": PASSWORD})).await;
    let fresh = server.secret_of("buyer1@markt.com").await;
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'buyer1'").await;
    server.clock().advance(Duration::from_secs(61));
    sweep.send(&server.with_cookie(&fresh), "GET", "/users/profile").await;
    sweep.send(&server.with_cookie(&fresh), "POST", "/users/logout").await;
    for path in WITH_BODY {
        sweep.check("POST", path, &broken_off(&server, path).await);
        sweep.check("POST", path, &never_ending(&server, path).await);
    }
    // All that can be answered by what is built, but for what the sweeps below see.
    for error_type in [
        "validation_failed",
        "malformed_body",
        "bad_request",
        "unsupported_media_type",
        "body_too_large",
        "request_timeout",
        "not_authenticated",
        "session_expired",
        "session_revoked",
        "invalid_credentials",
        "unverified_email",
        "account_deactivated",
        "role_unavailable",
        "cross_origin_refused",
        "conflict",
        "invalid_code",
        "ambiguous_credentials",
    ] {
        assert!(sweep.seen.contains(error_type), "{error_type} was never answered: {:?}", sweep.seen);
    }
}

fn head(path: &str) -> [String; 4] {
    let line = format!("POST /api/v1{path} HTTP/1.1");
    [line, "Host: localhost".into(), "Content-Type: application/json".into(), "Transfer-Encoding: chunked".into()]
}

/// What is answered to a body whose framing is broken.
async fn broken_off(server: &Server, path: &str) -> Answer {
    let lines = head(path);
    let bytes = crate::raw::request(&lines.each_ref().map(String::as_str), b"oops\r\n");
    crate::raw::exchange(server, &bytes).await.unwrap()
}

/// What is answered to a body that never ends.
async fn never_ending(server: &Server, path: &str) -> Answer {
    let lines = head(path);
    let bytes = crate::raw::request(&lines.each_ref().map(String::as_str), b"1\r\n{\r\n");
    crate::raw::exchange(server, &bytes).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_while_a_store_is_away_is_documented_at_its_operation() {
    let setup = Setup::of(Deployment::Full).await;
    let redis = Relay::to(server_address(&redis_url())).await;
    let database = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), database.address());
    let setup = setup.with("MARKT_REDIS_URL", through(&redis_url(), redis.address())).with("MARKT_DATABASE_URL", url);
    let server = setup.start().await;
    let mut sweep = Sweep::of(&server).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    server.register("ann_lee").await;
    redis.cut().await;
    for _ in 0..2 {
        for (method, path) in ROUTES {
            sweep.send(&server.with_cookie(&secret), method, &format!("{path}?username=ann_lee")).await;
        }
        let client = server.without_cookies();
        sweep.post(&client, "/users/login", json!({"email": "buyer1@markt.com", "password": PASSWORD})).await;
        sweep.post(&client, "/users/register", registration("bob_lee")).await;
        let email = json!({"email": "ann_lee@example.com"});
        sweep.post(&client, "/users/email-verification/send", email.clone()).await;
        let body = with(email, "verification_code", "123456");
        sweep.post(&client, "/users/email-verification/verify", body).await;
        database.cut().await;
    }
    assert!(sweep.seen.contains("store_unavailable"), "{:?}", sweep.seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_logins_at_once_than_are_queued_are_told_that_the_service_is_busy() {
    let setup = Setup::of(Deployment::Embedded).await;
    let setup = setup.with("MARKT_PASSWORD__MAX_CONCURRENT", "1").with("MARKT_PASSWORD__MAX_QUEUED", "1");
    // Dear enough to be under way when the others come.
    let setup = setup.with("MARKT_PASSWORD__MEMORY_KIB", "65536").with("MARKT_PASSWORD__ITERATIONS", "3");
    let server = setup.start().await;
    let mut sweep = Sweep::of(&server).await;
    for path in
        ["/users/login", "/users/register", "/users/email-verification/send", "/users/email-verification/verify"]
    {
        let mut logins = tokio::task::JoinSet::new();
        for n in 0..16 {
            let client = server.without_cookies();
            let body = with(with(registration(&format!("ann_{n}")), "remember", true), "verification_code", "123456");
            logins.spawn(async move { client.post(path, body).await });
        }
        let answers = logins.join_all().await;
        for answer in &answers {
            sweep.check("POST", path, answer);
        }
        let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
        assert!(!busy.is_empty() && busy.len() < answers.len(), "{path}: {} of {}", busy.len(), answers.len());
        for answer in busy {
            answer.assert_error(503, "overloaded");
            assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{answer:?}");
        }
    }
}

//! A sweep over the API: whatever is answered stands in the OpenAPI document at that operation, and whatever stands there
//! is answered.

use std::collections::BTreeSet;
use std::time::Duration;

use markt_test_support::stores::{Relay, redis_url, server_address, through};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::errors::{ROUTES, WITH_BODY};
use crate::openapi::{Document, ERROR_TYPES, JWKS};
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;
use crate::shapes::{registration, seller_registration, with};
use crate::tokens::{Tokens, by_either, by_tokens, caller, legacy_token};

/// Documented, but only given by a machine that hangs: nothing is asked or waited for there.
const NEVER_SEEN: [(&str, &str, &str, &str); 2] =
    [("GET", JWKS, "408", "request_timeout"), ("GET", "/status", "408", "request_timeout")];

/// Holds answers against the document, and remembers them: method, path, status and, for an error, its type.
struct Sweep {
    document: Document,
    seen: BTreeSet<(String, String, String, String)>,
}

impl Sweep {
    async fn new() -> Self {
        let server = Server::start(Deployment::Embedded).await;
        Self { document: Document::of(&server).await, seen: BTreeSet::new() }
    }

    async fn send(&mut self, client: &Client, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method_name = method.parse().unwrap();
        let request =
            if path == JWKS { client.request_at_root(method_name, path) } else { client.request(method_name, path) };
        let answer = Answer::of(match &body {
            Some(body) => request.json(body),
            None => request,
        })
        .await;
        self.check(method, path, &answer);
        answer
    }

    async fn post(&mut self, client: &Client, path: &str, body: Value) -> Answer {
        self.send(client, "POST", path, Some(body)).await
    }

    #[track_caller]
    fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let path = match path.split('?').next().unwrap() {
            path if path.starts_with("/users/sessions/") => "/users/sessions/{id}",
            path => path,
        };
        let operation = self.document.operation(method, path);
        let response = &operation["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{method} {path} doesn't declare {answer:?}");
        let mut seen_type = String::new();
        if answer.status.is_client_error() || answer.status.is_server_error() {
            answer.json()["error_type"].as_str().unwrap().clone_into(&mut seen_type);
            let (_, status) = ERROR_TYPES.iter().find(|(name, _)| *name == seen_type).unwrap();
            answer.assert_error(*status, &seen_type);
            let description = response["description"].as_str().unwrap();
            assert!(description.contains(&format!("`{seen_type}`")), "{method} {path} doesn't declare {answer:?}");
        }
        self.seen.insert((method.to_owned(), path.to_owned(), answer.status.as_str().to_owned(), seen_type));
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

    /// What is documented and was not seen.
    fn unseen(&self) -> Vec<(String, String, String, String)> {
        let mut unseen = Vec::new();
        for (method, path, operation) in self.document.operations() {
            let path = path.strip_prefix("/api/v1").unwrap_or(&path);
            for (status, response) in operation["responses"].as_object().unwrap() {
                let description = response["description"].as_str().unwrap();
                let is_error = status.starts_with(['4', '5']);
                let named = description.split('`').skip(1).step_by(2).filter(|_| is_error);
                for error_type in named.chain((!is_error).then_some("")) {
                    let documented = (method.clone(), path.to_owned(), status.clone(), error_type.to_owned());
                    if !self.seen.contains(&documented) {
                        unseen.push(documented);
                    }
                }
            }
        }
        unseen
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_documented_at_its_operation_and_every_documented_one_is_given() {
    let mut sweep = Sweep::new().await;
    every_caller_at_every_route(&mut sweep).await;
    every_odd_body(&mut sweep).await;
    what_users_do(&mut sweep).await;
    what_users_do_to_sessions_and_passwords(&mut sweep).await;
    what_tokens_are_for(&mut sweep).await;
    what_is_limited(&mut sweep).await;
    while_stores_are_away(&mut sweep).await;
    while_stores_hang(&mut sweep).await;
    while_the_service_is_busy(&mut sweep).await;
    let unseen = sweep.unseen();
    let expected = NEVER_SEEN.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(unseen, expected);
}

async fn every_caller_at_every_route(sweep: &mut Sweep) {
    let server = Server::start(Deployment::Embedded).await;
    let client = server.without_cookies();
    let not_remembered = json!({"email": "seller1@markt.com", "password": PASSWORD, "remember": false});
    let mut expired = Vec::new();
    for _ in ROUTES {
        expired.push(server.secret_with(not_remembered.clone()).await);
    }
    server.clock().advance(Duration::from_secs(25 * 60 * 60));
    let dead = server.secret_of("buyer1@markt.com").await;
    server.with_cookie(&dead).post_nothing("/users/logout").await;
    let many = (0..33).map(|n| format!("markt_session={n:0>43}")).collect::<Vec<_>>().join("; ");
    for ((method, path), expired) in ROUTES.into_iter().zip(&expired) {
        // What succeeds may well end the session: each has its own.
        let alive = [server.secret_of("both1@markt.com").await, server.secret_of("both1@markt.com").await];
        let another = server.secret_of("buyer1@markt.com").await;
        let callers = [
            client.clone(),
            client.clone().with_header("origin", "https://evil.example"),
            client.clone().with_header("sec-fetch-site", "cross-site"),
            client.clone().with_header("cookie", many.as_str()),
            server.with_cookie(&dead),
            server.with_cookie(expired),
            server.with_cookie("garbage"),
            server.with_cookie(&alive[0]).with_header("authorization", format!("Bearer {another}")),
            server.with_bearer(&alive[0]),
            server.with_cookie(&alive[1]),
        ];
        for caller in callers {
            sweep.send(&caller, method, &format!("{path}?username=a%00&everywhere=maybe&touch=maybe"), None).await;
            sweep.send(&caller, method, &format!("{path}?username=admin&everywhere=false&touch=false"), None).await;
        }
    }
}

async fn every_odd_body(sweep: &mut Sweep) {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "3s");
    let server = setup.start().await;
    let secret = server.secret_of("both1@markt.com").await;
    let mut endless = JoinSet::new();
    for (method, path) in WITH_BODY {
        for caller in [server.without_cookies(), server.with_bearer(&secret)] {
            for body in [json!({}), json!([]), json!({"email": "x".repeat(70_000)})] {
                sweep.send(&caller, method, path, Some(body)).await;
            }
            sweep.send(&caller, method, path, None).await;
            sweep.check(method, path, &caller.send_bytes(method, path, "{").await);
        }
        let head = [
            format!("{method} /api/v1{path} HTTP/1.1"),
            format!("Authorization: Bearer {secret}"),
            "Host: localhost".into(),
            "Content-Type: application/json".into(),
            "Transfer-Encoding: chunked".into(),
        ];
        let head = head.each_ref().map(String::as_str);
        // A body whose framing is broken, and one that never ends.
        let broken = crate::raw::request(&head, b"oops\r\n");
        sweep.check(method, path, &crate::raw::exchange(&server, &broken).await.unwrap());
        let (url, bytes) = (server.url.clone(), crate::raw::request(&head, b"1\r\n{\r\n"));
        endless.spawn(async move { (method, path, crate::raw::exchange_at(&url, &bytes).await.unwrap()) });
    }
    for (method, path, answer) in endless.join_all().await {
        sweep.check(method, path, &answer);
    }
}

/// A body that is valid, by which nothing succeeds that would be in the way of the next one.
fn valid_body(path: &str) -> Value {
    let email = "ann_lee@example.com";
    match path {
        "/users/register" => registration("ann_lee"),
        "/users/login" => json!({"email": email, "password": PASSWORD}),
        "/users/create-buyer" => json!({"buyername": "Ann"}),
        "/users/create-seller" => json!({"shop_name": "Fine Things", "description": ""}),
        "/users/email-verification/verify" => json!({"email": email, "verification_code": "123456"}),
        "/users/password-reset/confirm" => json!({"email": email, "code": "123456", "new_password": PASSWORD}),
        "/users/password" => json!({"current_password": "Password124", "new_password": PASSWORD}),
        "/users/reauthenticate" => json!({"password": "Password124"}),
        "/auth/refresh" => json!({"refresh_token": "a.b.c"}),
        "/users/email-verification/send" | "/users/password-reset" => json!({ "email": email }),
        _ => json!({}),
    }
}

async fn what_users_do(sweep: &mut Sweep) {
    let server = Server::start(Deployment::Embedded).await;
    let client = server.without_cookies();
    sweep.post(&client, "/users/register", registration("ann_lee")).await.assert_status(201);
    sweep.post(&client, "/users/register", registration("ann_lee")).await.assert_status(409);
    let shop = json!({"shop_name": "Bob", "description": ""});
    sweep.post(&server.browser(), "/users/register", seller_registration("bob_lee", shop.clone())).await;
    let unknown = with(shop.clone(), "category_ids", json!([7]));
    sweep.post(&client, "/users/register", seller_registration("cleo_lee", unknown.clone())).await.errors("json");
    for account_type in ["buyer", "seller"] {
        for (email, password) in
            [("buyer1@markt.com", PASSWORD), ("buyer1@markt.com", "wrong"), ("both1@markt.com", PASSWORD)]
        {
            let body = json!({"email": email, "password": password, "account_type": account_type});
            sweep.post(&client, "/users/login", body.clone()).await;
            sweep.post(&server.browser(), "/users/login", body).await;
        }
    }
    let ann = json!({"email": "ann_lee@example.com", "password": PASSWORD});
    sweep.post(&client, "/users/login", ann.clone()).await.assert_error(403, "unverified_email");
    let email = json!({"email": "ann_lee@example.com"});
    sweep.post(&client, "/users/email-verification/send", email.clone()).await.assert_status(202);
    let code = server.mailed_code("ann_lee@example.com", 2).await;
    for status in [200, 400] {
        let body = with(email.clone(), "verification_code", code.as_str());
        sweep.post(&client, "/users/email-verification/verify", body).await.assert_status(status);
    }
    sweep.post(&client, "/users/password-reset", email.clone()).await.assert_status(202);
    let code = server.mailed_code("ann_lee@example.com", 3).await;
    for status in [200, 400] {
        let body = with(with(email.clone(), "code", code.as_str()), "new_password", PASSWORD);
        sweep.post(&client, "/users/password-reset/confirm", body).await.assert_status(status);
    }
    let (buyer, seller) = (server.logged_in("buyer1@markt.com").await, server.logged_in("seller1@markt.com").await);
    for (client, account, patch, data) in [
        (&buyer, "seller", json!({"shop_name": "Ann"}), shop),
        (&seller, "buyer", json!({"buyername": "Ann"}), json!({"buyername": "Ann"})),
    ] {
        let edit = format!("/users/profile/{account}");
        sweep.send(client, "PATCH", &edit, Some(patch.clone())).await.assert_error(400, "bad_request");
        sweep.send(client, "POST", "/users/switch-role", None).await.assert_error(403, "role_unavailable");
        let create = format!("/users/create-{account}");
        sweep.post(client, &create, data.clone()).await.assert_status(201);
        sweep.post(client, &create, data).await.assert_error(400, "bad_request");
        sweep.send(client, "PATCH", &edit, Some(patch)).await.assert_status(200);
        sweep.send(client, "POST", "/users/switch-role", None).await.assert_status(200);
    }
    sweep.send(&buyer, "PATCH", "/users/profile/seller", Some(unknown)).await.errors("json");
    sweep.send(&buyer, "PATCH", "/users/profile", Some(json!({"phone_number": "1"}))).await.assert_status(200);
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'ann_lee'").await;
    sweep.post(&client, "/users/login", ann).await.assert_error(403, "account_deactivated");
}

async fn what_users_do_to_sessions_and_passwords(sweep: &mut Sweep) {
    let server = Server::start(Deployment::Embedded).await;
    for client in [server.browser(), server.client()] {
        assert_eq!(client.log_in("buyer1@markt.com", PASSWORD).await.status, StatusCode::OK);
        let other = crate::server::public_id(&server.secret_of("buyer1@markt.com").await);
        let others_path = format!("/users/sessions/{other}");
        for path in ["/session", "/users/sessions"] {
            sweep.send(&client, "GET", path, None).await.assert_status(200);
        }
        sweep.send(&client, "GET", "/sessions/verify", None).await.assert_status(204);
        server.clock().advance(Duration::from_secs(16 * 60));
        for path in ["/users/sessions", &others_path] {
            sweep.send(&client, "DELETE", path, None).await.assert_error(403, "reauthentication_required");
        }
        for (password, status) in [("Password124", 403), (PASSWORD, 200)] {
            let body = json!({ "password": password });
            sweep.post(&client, "/users/reauthenticate", body).await.assert_status(status);
            let body = json!({"current_password": password, "new_password": PASSWORD});
            sweep.post(&client, "/users/password", body).await.assert_status(status);
        }
        let other = crate::server::public_id(&server.secret_of("buyer1@markt.com").await);
        let others_path = format!("/users/sessions/{other}");
        for status in [204, 404] {
            sweep.send(&client, "DELETE", &others_path, None).await.assert_status(status);
        }
        sweep.send(&client, "DELETE", "/users/sessions", None).await.assert_status(200);
        sweep.send(&client, "POST", "/users/logout?everywhere=true", None).await.assert_status(204);
    }
}

async fn what_tokens_are_for(sweep: &mut Sweep) {
    let server = by_tokens(Deployment::Embedded).await.start().await;
    let login = json!({"email": "both1@markt.com", "password": PASSWORD});
    let tokens = Tokens::of(&sweep.post(&server.without_cookies(), "/users/login", login).await);
    let registered = sweep.post(&server.without_cookies(), "/users/register", registration("tom_lee")).await;
    Tokens::of(&registered);
    for (method, path) in ROUTES {
        let body = WITH_BODY.contains(&(method, path)).then(|| valid_body(path));
        sweep.send(&server.with_bearer("a.b.c"), method, &format!("{path}?username=ann_lee"), body).await;
    }
    let client = caller(&server, &tokens);
    sweep.send(&client, "GET", "/users/profile", None).await.assert_status(200);
    sweep.send(&client, "POST", "/users/switch-role", None).await.assert_status(200);
    sweep.post(&client, "/users/reauthenticate", json!({ "password": PASSWORD })).await.assert_status(200);
    let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let tokens = Tokens::of(&sweep.post(&client, "/users/password", body).await);
    let body = json!({ "refresh_token": tokens.refresh });
    sweep.post(&client, "/auth/refresh", body).await.assert_status(200);
    sweep.send(&client, "GET", JWKS, None).await.assert_status(200);
    let server = by_either(Deployment::Embedded).await.start().await;
    let token = legacy_token(&server, "both1", json!({})).await;
    let client = server.with_bearer(&token);
    for status in [200, 401] {
        sweep.send(&client, "POST", "/auth/exchange", None).await.assert_status(status);
    }
    let password = json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": PASSWORD});
    for path in ["/users/switch-role", "/users/reauthenticate", "/users/password"] {
        sweep.post(&client, path, password.clone()).await.assert_error(403, "reauthentication_required");
    }
    sweep.send(&server.client(), "POST", "/auth/exchange", None).await.assert_error(401, "not_authenticated");
    let two = client.clone().with_header("authorization", "Bearer a.b.c");
    sweep.send(&two, "POST", "/auth/exchange", None).await.assert_error(400, "ambiguous_credentials");
    let by_sessions = Server::start(Deployment::Embedded).await;
    sweep.send(&by_sessions.client(), "GET", JWKS, None).await.assert_error(404, "not_found");
}

async fn what_is_limited(sweep: &mut Sweep) {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "1/15m");
    let server = setup.with("MARKT_LIMITS__CODES_PER_ACCOUNT", "1/15m").start().await;
    let client = server.with_bearer(&server.secret_of("buyer1@markt.com").await);
    for path in ["/users/login", "/users/email-verification/send"] {
        for _ in 0..2 {
            sweep.post(&client, path, valid_body(path)).await;
        }
        sweep.post(&client, path, valid_body(path)).await.assert_error(429, "too_many_requests");
    }
    for path in ["/users/password-reset", "/users/reauthenticate", "/users/password"] {
        sweep.post(&client, path, valid_body(path)).await;
        sweep.post(&client, path, valid_body(path)).await.assert_error(429, "too_many_requests");
    }
}

/// A server behind these relays to Redis and PostgreSQL.
async fn behind_relays(timeout: &str) -> (Server, Relay, Relay) {
    let setup = Setup::of(Deployment::Full).await.with("MARKT_HTTP__REQUEST_TIMEOUT", timeout);
    let redis = Relay::to(server_address(&redis_url())).await;
    let database = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), database.address());
    let setup = setup.with("MARKT_REDIS_URL", through(&redis_url(), redis.address())).with("MARKT_DATABASE_URL", url);
    (setup.start().await, redis, database)
}

/// Sends what would succeed at each route, if the stores did their part.
async fn everywhere(sweep: &mut Sweep, server: &Server, secret: &str) {
    for (method, path) in ROUTES {
        let body = WITH_BODY.contains(&(method, path)).then(|| valid_body(path));
        sweep.send(&server.with_cookie(secret), method, &format!("{path}?username=ann_lee"), body).await;
    }
}

async fn while_stores_are_away(sweep: &mut Sweep) {
    let (server, redis, database) = behind_relays("10s").await;
    let secret = server.secret_of("both1@markt.com").await;
    let path = format!("/users/sessions/{}", crate::server::public_id(&secret));
    for relay in [&redis, &database] {
        relay.cut().await;
        everywhere(sweep, &server, &secret).await;
        sweep.send(&server.with_cookie(&secret), "DELETE", &path, None).await.assert_store_unavailable();
    }
    let redis = Relay::to(server_address(&redis_url())).await;
    let setup = by_tokens(Deployment::Full).await;
    let tokens = Tokens::of(&setup.clone().start().await.without_cookies().log_in("both1@markt.com", PASSWORD).await);
    let setup = setup.with("MARKT_REDIS_URL", through(&redis_url(), redis.address())).with("MARKT_AUTH__MODE", "dual");
    let server = setup.start().await;
    redis.cut().await;
    let client = caller(&server, &tokens);
    sweep.send(&client, "POST", "/auth/exchange", None).await.assert_store_unavailable();
    let body = json!({ "refresh_token": tokens.refresh });
    sweep.post(&server.client(), "/auth/refresh", body).await.assert_store_unavailable();
}

async fn while_stores_hang(sweep: &mut Sweep) {
    let (server, redis, database) = behind_relays("300ms").await;
    let secret = server.secret_of("both1@markt.com").await;
    redis.freeze();
    database.freeze();
    everywhere(sweep, &server, &secret).await;
    let setup = by_either(Deployment::Full).await.with("MARKT_HTTP__REQUEST_TIMEOUT", "300ms");
    let database = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), database.address());
    let server = setup.with("MARKT_DATABASE_URL", url).start().await;
    let client = server.with_bearer(&legacy_token(&server, "both1", json!({})).await);
    database.freeze();
    sweep.send(&client, "POST", "/auth/exchange", None).await.assert_error(408, "request_timeout");
}

/// More at once than can be hashed or wait for it: some are told that the service is busy. The address is nobody's: so
/// as much is done for it as for one that is known.
async fn while_the_service_is_busy(sweep: &mut Sweep) {
    let setup = Setup::of(Deployment::Embedded).await;
    let setup = setup.with("MARKT_PASSWORD__MAX_CONCURRENT", "1").with("MARKT_PASSWORD__MAX_QUEUED", "1");
    let setup = ["LOGIN_PER_ACCOUNT", "LOGIN_PER_IP", "CODES_PER_ACCOUNT"]
        .iter()
        .fold(setup, |setup, name| setup.with(&format!("MARKT_LIMITS__{name}"), "off"));
    // Dear enough to be under way when the others come.
    let setup = setup.with("MARKT_PASSWORD__MEMORY_KIB", "65536").with("MARKT_PASSWORD__ITERATIONS", "3");
    let server = setup.start().await;
    let client = server.with_bearer(&server.secret_of("buyer1@markt.com").await);
    for path in [
        "/users/register",
        "/users/login",
        "/users/email-verification/send",
        "/users/email-verification/verify",
        "/users/password-reset",
        "/users/password-reset/confirm",
        "/users/password",
        "/users/reauthenticate",
    ] {
        let mut requests = JoinSet::new();
        for n in 0..16 {
            let client = if path == "/users/register" { server.without_cookies() } else { client.clone() };
            let body = if path == "/users/register" { registration(&format!("ann_{n}")) } else { valid_body(path) };
            requests.spawn(async move { client.post(path, body).await });
        }
        let answers = requests.join_all().await;
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

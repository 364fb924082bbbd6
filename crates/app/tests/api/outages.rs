//! A store that is away makes 503, never 401: clients forget their session on a 401.

use std::time::{Duration, Instant};

use markt_test_support::stores::{Relay, redis_url, server_address, through};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;
use crate::shapes::registration;

/// Much more than the two seconds that are promised: the machine may be busy.
const SOON: Duration = Duration::from_secs(8);

/// How long a store that is back may take to be found again.
const AGAIN: Duration = Duration::from_secs(20);

async fn behind_redis_relay() -> (Server, Relay) {
    let relay = Relay::to(server_address(&redis_url())).await;
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", through(&redis_url(), relay.address()));
    (setup.start().await, relay)
}

async fn behind_database_relay() -> (Server, Relay) {
    let setup = Setup::of(Deployment::Full).await;
    let relay = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), relay.address());
    (setup.with("MARKT_DATABASE_URL", url).start().await, relay)
}

async fn readiness(server: &Server) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/health/ready", server.admin_url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn assert_live(server: &Server) {
    assert_eq!(reqwest::get(format!("{}/health/live", server.admin_url)).await.unwrap().status(), StatusCode::OK);
}

/// Asks for the profile until it is there; until then nothing but 503 will do.
async fn assert_comes_back(server: &Server, secret: &str, username: &str) {
    let started = Instant::now();
    loop {
        let answer = server.with_cookie(secret).get("/users/profile").await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.json()["username"], username);
            return;
        }
        answer.assert_store_unavailable();
        assert!(started.elapsed() < AGAIN, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// It may ask over another connection, which comes back by itself.
async fn assert_ready_again(server: &Server) {
    let started = Instant::now();
    while readiness(server).await.0 != 200 {
        assert!(started.elapsed() < AGAIN, "{:?}", readiness(server).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What re-authentication and the change of the password ask for.
fn passwords() -> Value {
    json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": PASSWORD})
}

async fn assert_unavailable_soon(request: impl Future<Output = Answer>) {
    let started = Instant::now();
    request.await.assert_store_unavailable();
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nobody_is_logged_out() {
    let (server, relay) = behind_redis_relay().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let client = server.with_cookie(&secret);
    server.assert_alive(&secret, "buyer1").await;
    relay.cut().await;
    for _ in 0..3 {
        assert_unavailable_soon(client.get("/users/profile")).await;
        assert_unavailable_soon(client.post_nothing("/users/logout")).await;
        assert_unavailable_soon(client.post_nothing("/users/logout?everywhere=true")).await;
    }
    for path in ["/session", "/session?touch=false", "/users/sessions", "/sessions/verify"] {
        assert_unavailable_soon(client.get(path)).await;
    }
    for path in ["/users/switch-role", "/users/reauthenticate", "/users/password"] {
        assert_unavailable_soon(client.post(path, passwords())).await;
    }
    assert_unavailable_soon(client.delete("/users/sessions")).await;
    assert_unavailable_soon(client.delete(&format!("/users/sessions/{}", public_id(&secret)))).await;
    // Who brings no secret is not logged in, whatever Redis would say.
    server.client().get("/users/profile").await.assert_error(401, "not_authenticated");
    server.with_cookie("garbage").get("/users/profile").await.assert_error(401, "not_authenticated");
    assert_eq!(server.client().get("/status").await.status, StatusCode::OK);
    let (status, body) = readiness(&server).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"], json!({"database": "ok", "redis": "unavailable", "revocation": "ok"}));
    assert_live(&server).await;

    relay.restore().await;
    assert_comes_back(&server, &secret, "buyer1").await;
    assert_ready_again(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_hangs_nobody_is_logged_out() {
    let (server, relay) = behind_redis_relay().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    relay.freeze();
    assert_unavailable_soon(server.with_cookie(&secret).get("/users/profile")).await;
    server.client().get("/users/profile").await.assert_error(401, "not_authenticated");
    assert_eq!(readiness(&server).await.0, 503);
    assert_live(&server).await;
    relay.thaw();
    assert_comes_back(&server, &secret, "buyer1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nobody_logs_in_or_registers_and_nothing_stays_behind() {
    let (server, relay) = behind_redis_relay().await;
    relay.cut().await;
    assert_unavailable_soon(server.client().log_in("buyer1@markt.com", PASSWORD)).await;
    assert_unavailable_soon(server.client().post("/users/register", registration("ann_lee"))).await;
    let wrong = server.client().log_in("buyer1@markt.com", "Password124").await;
    wrong.assert_error(401, "invalid_credentials");
    let code = json!({"email": "buyer1@markt.com", "verification_code": "123456"});
    assert_unavailable_soon(server.client().post("/users/email-verification/verify", code)).await;
    relay.restore().await;
    let started = Instant::now();
    loop {
        // The name and the address must not be taken by the try that failed.
        let answer = server.client().post("/users/register", registration("ann_lee")).await;
        if answer.status == StatusCode::CREATED {
            break;
        }
        answer.assert_store_unavailable();
        assert!(started.elapsed() < AGAIN, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.logged_in("buyer1@markt.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_nobody_is_logged_out_or_told_that_the_password_is_wrong() {
    let (server, relay) = behind_database_relay().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    server.assert_alive(&secret, "buyer1").await;
    relay.cut().await;
    assert_unavailable_soon(server.client().log_in("buyer1@markt.com", PASSWORD)).await;
    assert_unavailable_soon(server.client().post("/users/register", registration("ann_lee"))).await;
    assert_unavailable_soon(server.client().get("/users/check-username?username=ann_lee")).await;
    let email = json!({"email": "buyer1@markt.com"});
    assert_unavailable_soon(server.client().post("/users/email-verification/send", email)).await;
    // A session's user may be remembered for a minute; after that it has to be read again.
    let answer = server.with_cookie(&secret).get("/users/profile").await;
    assert!(matches!(answer.status.as_u16(), 200 | 503), "{answer:?}");
    server.clock().advance(Duration::from_secs(61));
    assert_unavailable_soon(server.with_cookie(&secret).get("/users/profile")).await;
    server.client().get("/users/profile").await.assert_error(401, "not_authenticated");
    for path in ["/users/switch-role", "/users/reauthenticate", "/users/password"] {
        assert_unavailable_soon(server.with_cookie(&secret).post(path, passwords())).await;
    }
    assert_unavailable_soon(server.with_cookie(&secret).delete("/users/sessions")).await;
    let (status, body) = readiness(&server).await;
    assert_eq!(
        (status, &body["checks"]["database"], &body["checks"]["redis"]),
        (503, &"unavailable".into(), &"ok".into())
    );
    assert_live(&server).await;
    relay.restore().await;
    assert_comes_back(&server, &secret, "buyer1").await;
    server.logged_in("buyer1@markt.com").await;
    server.register("ann_lee").await;
}

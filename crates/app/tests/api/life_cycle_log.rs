//! The life of sessions in the log and in the audit trail: each step says whose it is, and none has anything that opens something.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use markt_test_support::stores::{Relay, server_address, through};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::process::{self, Process};
use crate::server::{Deployment, PASSWORD, public_id};
use crate::setup::Setup;
use crate::shapes::{registration, with};

on_both_deployments!(each_step_of_a_session_is_logged_with_whose_it_is, a_deactivation_is_logged_with_whose_it_is);

const EMAIL: &str = "both1@markt.com";

/// What is typed in vain, into either field.
const WRONG: &str = "Unmistakable2Wrong";

/// What all lines have, and reasons in words.
const LEFT_OUT: [&str; 6] = ["timestamp", "level", "target", "request_id", "reason", "user_agent"];

/// A browser without a page, which keeps no cookies but is told its session's secret by cookie only.
struct Browser<'a> {
    process: &'a Process,
    given: Vec<String>,
}

impl Browser<'_> {
    fn with(&self, secret: &str) -> Client {
        let client = Client::to(&self.process.url, false).with_header("x-session-transport", "cookie");
        client.with_header("cookie", format!("markt_session={secret}"))
    }

    /// The secret that this answer hands out.
    fn given(&mut self, answer: &Answer) -> String {
        assert!(answer.status.is_success(), "{answer:?}");
        let secret = answer.session_cookie().value;
        self.given.push(secret.clone());
        secret
    }

    async fn log_in(&mut self) -> String {
        let answer = self.with("").log_in(EMAIL, PASSWORD).await;
        self.given(&answer)
    }
}

/// The events in a log, each without what doesn't matter here.
fn events(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<BTreeMap<String, Value>>(line).ok());
    let events = lines.filter(|fields| fields.contains_key("event"));
    events.map(|fields| fields.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())).collect()).collect()
}

/// The requests that the events in a log are about.
fn request_ids(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<BTreeMap<String, Value>>(line).ok());
    let events = lines.filter(|fields| fields.contains_key("event"));
    events.filter_map(|fields| Some(fields.get("request_id")?.as_str()?.to_owned())).collect()
}

async fn each_step_of_a_session_is_logged_with_whose_it_is(deployment: Deployment) {
    let setup = Setup::of(deployment).await.with("MARKT_SESSION__MAX_PER_USER", "2");
    let server = setup.start().await;
    let process = Process::serve(&server.setup);
    let mut browser = Browser { process: &process, given: Vec::new() };
    let registered = browser.with("").post("/users/register", registration("ann_lee")).await;
    let first_of_all = browser.given(&registered);
    for (email, password) in [(EMAIL, WRONG), (&format!("{WRONG}@example.com"), PASSWORD)] {
        browser.with("").log_in(email, password).await.assert_error(401, "invalid_credentials");
    }
    let first = browser.log_in().await;
    let wrong = browser.with(&first).post("/users/reauthenticate", json!({ "password": WRONG })).await;
    wrong.assert_error(403, "wrong_password");
    let answer = browser.with(&first).post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    let second = browser.given(&answer);
    let answer = browser.with(&second).post_nothing("/users/switch-role").await;
    let evicted = browser.given(&answer);
    let (other, mine) = (browser.log_in().await, browser.log_in().await);
    assert_eq!(browser.with(&mine).delete("/users/sessions").await.json(), json!({"revoked": 1}));
    let left = browser.log_in().await;
    let path = format!("/users/sessions/{}", public_id(&left));
    assert_eq!(browser.with(&mine).delete(&path).await.status, StatusCode::NO_CONTENT);
    let answer = browser.with(&mine).post_nothing("/users/logout").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");

    let mut unseen = browser.given;
    unseen.extend([PASSWORD.to_owned(), WRONG.to_owned(), WRONG.to_lowercase(), EMAIL.to_owned()]);
    let code = server.mailed_code("ann_lee@example.com", 1).await;
    let log = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let user = server.setup.query_texts(&format!("SELECT id FROM users WHERE email = '{EMAIL}'")).await.concat();
    let id = |secret: &str| public_id(secret);
    let from = |event: Value| with(event, "ip_address", "127.0.0.1");
    let step = |event: &str, session: &str| from(json!({"event": event, "user_id": user, "session_id": id(session)}));
    let rotated = |old: &str, new: &str| json!({"event": "session_rotated", "user_id": user, "session_id": id(old), "related_id": id(new)});
    let ended = |event: Value, ending: &str| with(with(event, "ending", ending), "count", 1);
    let evicted_by = json!({"event": "session_revoked", "user_id": user, "session_id": id(&evicted)});
    let new_user = registered.json()["id"].clone();
    let others = json!({"event": "sessions_revoked", "user_id": user, "related_id": id(&mine)});
    let expected = [
        with(step("registered", &first_of_all), "user_id", new_user),
        from(json!({"event": "login_failed"})),
        from(json!({"event": "login_failed"})),
        step("login_succeeded", &first),
        step("reauthentication_failed", &first),
        rotated(&first, &second),
        step("reauthenticated", &second),
        rotated(&second, &evicted),
        step("role_switched", &evicted),
        step("login_succeeded", &other),
        ended(with(evicted_by, "related_id", id(&mine)), "evicted"),
        step("login_succeeded", &mine),
        from(ended(others, "revoked_by_user")),
        step("login_succeeded", &left),
        ended(with(step("session_revoked", &left), "related_id", id(&mine)), "revoked_by_user"),
        ended(step("logged_out", &mine), "logged_out"),
    ];
    let logged = events(&log);
    for (place, expected) in expected.iter().enumerate() {
        assert_eq!(logged.get(place), Some(expected), "{log}");
    }
    assert_eq!(logged.len(), expected.len(), "{log}");
    let requests = request_ids(&log);
    assert_eq!(requests.len(), expected.len(), "each event says whose request it was: {log}");
    assert_eq!(requests[0], registered.headers["x-request-id"], "{log}");
    let trail = server.setup.query_texts(TRAIL).await;
    assert_eq!(trail, logged.iter().zip(&requests).map(|(event, id)| trail_entry(event, id)).collect::<Vec<_>>());
    for text in unseen {
        assert!(!trail.concat().contains(&text), "{text} stands in the audit trail: {trail:?}");
        assert!(!log.contains(&text), "{text} stands in the log: {log}");
    }
    // Six digits may well stand in a longer number.
    assert!(
        log.split(|c: char| !c.is_ascii_alphanumeric()).all(|word| word != code),
        "{code} stands in the log: {log}"
    );
}

/// What the audit trail has, in the order in which it happened.
const TRAIL: &str = "SELECT event || '|' || COALESCE(user_id, '') || '|' || COALESCE(session_id, '') || '|' ||
    COALESCE(related_id, '') || '|' || COALESCE(ip_address, '') || '|' || COALESCE(request_id, '')
    FROM auth_audit ORDER BY id";

/// The event as the trail has it.
fn trail_entry(event: &Value, request_id: &str) -> String {
    let fields = ["event", "user_id", "session_id", "related_id", "ip_address"];
    let fields = fields.map(|field| event[field].as_str().unwrap_or_default());
    [fields.as_slice(), &[request_id]].concat().join("|")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_the_database_is_away_is_in_the_trail_once_it_is_back() {
    let setup = Setup::of(Deployment::Full).await;
    let relay = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), relay.address());
    let server = setup.with("MARKT_DATABASE_URL", url).start().await;
    server.secret_of(EMAIL).await;
    relay.cut().await;
    for _ in 0..3 {
        server.client().log_in(EMAIL, PASSWORD).await.assert_error(503, "store_unavailable");
    }
    relay.restore().await;
    let events = || server.setup.query_texts("SELECT event FROM auth_audit ORDER BY id");
    let expected = ["login_succeeded", "login_failed", "login_failed", "login_failed"];
    let started = Instant::now();
    while events().await != expected {
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", events().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_deactivation_is_logged_with_whose_it_is(deployment: Deployment) {
    let server = Setup::of(deployment).await.with("MARKT_TELEMETRY__LOG_FORMAT", "json").start().await;
    let secrets = [server.secret_of(EMAIL).await, server.secret_of(EMAIL).await];
    let output = process::run(&server.setup, &["users", "deactivate", EMAIL]).await;
    assert!(output.status.success(), "{output:?}");
    let user = server.setup.query_texts(&format!("SELECT id FROM users WHERE email = '{EMAIL}'")).await.concat();
    let log = String::from_utf8(output.stderr).unwrap();
    let expected =
        json!({"event": "user_deactivated", "user_id": user, "ending": "deactivated", "count": secrets.len()});
    assert_eq!(events(&log), std::slice::from_ref(&expected), "{log}");
    // Another process's records of the same moment may come before it or after.
    let trail = server.setup.query_texts(TRAIL).await;
    assert!(trail.contains(&trail_entry(&expected, "")), "{trail:?}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} stands in the log: {log}");
    }
}

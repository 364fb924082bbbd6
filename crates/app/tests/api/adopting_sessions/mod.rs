//! Sessions that Flask, Flask-Login and Flask-Session made are taken over (`adopt.flask_session`).

mod outages;
mod refusals;
mod taking_over;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use markt_domain::ports::entropy::Entropy as _;
use markt_test_support::entropy::MachineEntropy;
use serde_json::Value;

use crate::adopting_a_database::markt;
use crate::answer::Answer;
use crate::client::Client;
use crate::redis::redis;
use crate::server::Server;
use crate::setup::Setup;

/// The lifetime that Flask-Session gave the sessions that are planted here.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was made: see `rehearsal/make_sessions.py`.
fn made() -> Value {
    serde_json::from_str(include_str!("../../../../../rehearsal/fixtures/sessions.json")).unwrap()
}

/// A set-up that takes sessions over, however long ago the fixtures were signed.
async fn adopting() -> Setup {
    adopting_with(markt().await)
}

fn adopting_with(setup: Setup) -> Setup {
    setup
        .with("MARKT_ADOPT__FLASK_SESSION", "true")
        .with("MARKT_ADOPT__FLASK_SECRET_KEY", made()["secret_key"].as_str().unwrap())
        .with("MARKT_ADOPT__FLASK_LIFETIME", "3650d")
}

/// The value of a cookie that Flask signed.
fn signed(name: &str) -> String {
    made()["signed"][name].as_str().unwrap().to_owned()
}

/// An id as Flask-Session draws them.
fn new_id() -> String {
    let mut bytes = [0; 32];
    MachineEntropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Puts a record of Flask-Session's under a new id, for so long; returns the id, which is the cookie's value.
async fn plant(setup: &Setup, name: &str, time_to_live: Duration) -> String {
    const SCRIPT: &str = "local bytes = ARGV[1]:gsub('..', function(hex) return string.char(tonumber(hex, 16)) end)
        return redis.call('SET', KEYS[1], bytes, 'PX', ARGV[2])";
    let (id, record) = (new_id(), STANDARD.decode(made()["records"][name]["record"].as_str().unwrap()).unwrap());
    let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
    let (key, ttl) = (format!("session:{id}"), time_to_live.as_millis().to_string());
    assert_eq!(redis(&setup.redis_url(), &["EVAL", SCRIPT, "1", &key, &hex, &ttl]).await, "OK");
    id
}

/// Whether Flask-Session's record is still there.
async fn is_there(setup: &Setup, id: &str) -> bool {
    redis(&setup.redis_url(), &["EXISTS", &format!("session:{id}")]).await == "1"
}

/// A client that sends this value as the old system's cookie, and keeps no other.
fn with_old(server: &Server, value: &str) -> Client {
    server.with_cookie(value)
}

async fn profile(server: &Server, old: &str) -> Answer {
    with_old(server, old).get("/users/profile").await
}

/// The secret of the session that this answer hands out, which lets its client in.
#[track_caller]
fn adopted(answer: &Answer) -> String {
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.session_cookie().value
}

/// How many sessions were taken over, by the audit trail.
async fn adoptions(server: &Server) -> usize {
    let query = "SELECT session_id FROM auth_audit WHERE event = 'session_adopted'";
    // It is written a moment later.
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.setup.query_texts(query).await.len()
}

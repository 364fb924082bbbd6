//! `markt-auth sessions list`, `show`, `revoke` and `stats`, beside a server that runs.

mod by_tokens;
mod counting;
mod listing;
mod revoking;
mod showing;
mod watching;

use std::num::NonZeroU32;
use std::sync::Arc;

use markt_auth::wiring::{Surroundings, open_stores};
use markt_domain::ports::session_store::Creation;
use markt_domain::session::Session;
use markt_domain::user::{UserId, UserVersion};
use markt_test_support::entropy::MachineEntropy;
use serde_json::Value;

use crate::process::said_json;
use crate::redis::redis;
use crate::server::{Deployment, Server};
use crate::setup::Setup;

const BUYER: &str = "buyer1@markt.com";
const SELLER: &str = "seller1@markt.com";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const APP: &str = "okhttp/4.12.0";

/// A server whose stores nobody else uses, and which lets a session's secret in whatever device sends it.
async fn alone(deployment: Deployment) -> Server {
    Setup::of(deployment).await.limited().await.with("MARKT_SESSION__BINDING__USER_AGENT", "off").start().await
}

/// The secret of a new session of this user, on this device.
async fn log_in(server: &Server, email: &str, user_agent: &str) -> String {
    let client = server.without_cookies().with_header("user-agent", user_agent);
    client.log_in(email, crate::server::PASSWORD).await.session_cookie().value
}

/// The sessions that the command lists with these arguments.
async fn listed(server: &Server, arguments: &[&str]) -> Vec<Value> {
    let listing = said_json(&server.setup, &[&["sessions", "list", "--json"], arguments].concat()).await;
    listing["sessions"].as_array().unwrap().clone()
}

/// Their ids, in order.
fn ids(sessions: &[Value]) -> Vec<String> {
    let mut ids: Vec<_> = sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

async fn user_id(server: &Server, email: &str) -> String {
    server.setup.query_texts(&format!("SELECT id FROM users WHERE email = '{email}'")).await.concat()
}

/// Puts these sessions there, past the server.
async fn create(server: &Server, sessions: &[Session]) {
    let surroundings = Surroundings { clock: server.clock().clone(), entropy: Arc::new(MachineEntropy) };
    let stores = open_stores(&server.setup.config(), &surroundings).await.unwrap();
    for session in sessions {
        let creation = stores.sessions.create(session, UserVersion(0), NonZeroU32::MAX, &[]).await.unwrap();
        assert_eq!(creation, Creation::Created { evicted: Vec::new() });
    }
    stores.close().await;
}

/// A session that nobody logged in to.
fn session_of(user: &str) -> Session {
    markt_test_support::fixtures::session(&UserId::from_store(user))
}

/// Changes a session past the service: in Redis one text in its JSON for another, in the database by this assignment.
async fn tamper(server: &Server, id: &str, (from, to): (&str, &str), assignment: &str) {
    if server.setup.variables().iter().any(|(name, _)| name == "MARKT_REDIS_URL") {
        let (url, key) = (server.setup.redis_url(), format!("session:{id}"));
        let json = redis(&url, &["GET", &key]).await;
        assert!(json.contains(from), "{json}");
        redis(&url, &["SET", &key, &json.replace(from, to), "KEEPTTL"]).await;
    } else {
        server.setup.execute_sql(&format!("UPDATE auth_sessions SET {assignment} WHERE id = x'{id}'")).await;
    }
}

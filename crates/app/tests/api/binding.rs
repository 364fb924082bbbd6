//! Sessions that are used by another client than the one that logged in.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;

const EMAIL: &str = "buyer1@markt.com";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const FIREFOX_UPDATED: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
const FIREFOX_ON_WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 \
                      Safari/537.36";

const USER_AGENT: &str = "MARKT_SESSION__BINDING__USER_AGENT";
const IP: &str = "MARKT_SESSION__BINDING__IP";
const ON_MISMATCH: &str = "MARKT_SESSION__BINDING__ON_MISMATCH";
const TRUSTED_PROXIES: &str = "MARKT_HTTP__TRUSTED_PROXIES";

on_both_deployments!(
    by_default_a_session_is_bound_to_browser_and_system_and_ends_in_other_hands,
    where_that_is_configured_another_client_is_let_in_unfresh_until_it_gives_the_password,
    where_that_is_configured_a_mismatch_changes_nothing,
);

async fn log_in(client: &Client) -> String {
    let answer = client.log_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.session_cookie().value
}

async fn logged_in_with(server: &Server, user_agent: &str) -> String {
    log_in(&server.without_cookies().with_header("user-agent", user_agent)).await
}

/// A client that sends this secret and calls itself so; without a name it sends none.
fn calling_itself(server: &Server, secret: &str, user_agent: &str) -> Client {
    let client = server.with_cookie(secret);
    if user_agent.is_empty() { client } else { client.with_header("user-agent", user_agent) }
}

async fn asks(server: &Server, secret: &str, user_agent: &str) -> Answer {
    calling_itself(server, secret, user_agent).get("/session").await
}

async fn by_default_a_session_is_bound_to_browser_and_system_and_ends_in_other_hands(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for stranger in [CHROME, FIREFOX_ON_WINDOWS, "curl/8.14.1", ""] {
        let secret = logged_in_with(&server, FIREFOX).await;
        for user_agent in [FIREFOX, FIREFOX_UPDATED] {
            assert_eq!(asks(&server, &secret, user_agent).await.status, StatusCode::OK, "{user_agent}");
        }
        let answer = asks(&server, &secret, stranger).await;
        answer.assert_error(401, "session_revoked");
        assert_eq!(answer.header("set-cookie"), "", "{stranger}");
        // The secret is known to somebody else: it is worth nothing any more, to nobody.
        asks(&server, &secret, FIREFOX).await.assert_error(401, "session_revoked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_agent_may_change_as_much_as_is_configured() {
    for (binding, changes) in [
        ("off", [(FIREFOX, true), (FIREFOX_UPDATED, true), (CHROME, true), ("", true)]),
        ("family", [(FIREFOX, true), (FIREFOX_UPDATED, true), (CHROME, false), ("", false)]),
        ("exact", [(FIREFOX, true), (FIREFOX_UPDATED, false), (CHROME, false), ("", false)]),
    ] {
        let server = Setup::of(Deployment::Embedded).await.with(USER_AGENT, binding).start().await;
        for (user_agent, allowed) in changes {
            let secret = logged_in_with(&server, FIREFOX).await;
            let answer = asks(&server, &secret, user_agent).await;
            assert_eq!(answer.status == StatusCode::OK, allowed, "{binding} {user_agent}: {answer:?}");
            if !allowed {
                answer.assert_error(401, "session_revoked");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_may_change_as_much_as_is_configured() {
    const V4: &str = "198.51.100.7";
    const V6: &str = "2001:db8:1:2::7";
    for (binding, bound, present, allowed) in [
        ("off", V4, "203.0.113.1", true),
        ("off", V4, V6, true),
        ("subnet", V4, "198.51.100.250", true),
        ("subnet", V4, "198.51.101.7", false),
        ("subnet", V4, V6, false),
        ("subnet", V6, "2001:db8:1:2:ffff::1", true),
        ("subnet", V6, "2001:db8:1:3::7", false),
        ("exact", V4, V4, true),
        ("exact", V4, "::ffff:198.51.100.7", true),
        ("exact", V4, "198.51.100.8", false),
        ("exact", V6, "[2001:0db8:1:2:0::7]:4711", true),
        ("exact", V6, "2001:db8:1:2::8", false),
    ] {
        let setup = Setup::of(Deployment::Embedded).await.with(IP, binding).with(TRUSTED_PROXIES, "127.0.0.1/32");
        let server = setup.start().await;
        let secret = log_in(&server.without_cookies().with_header("x-forwarded-for", bound)).await;
        for _ in 0..2 {
            let answer = server.with_cookie(&secret).with_header("x-forwarded-for", present).get("/session").await;
            assert_eq!(answer.status == StatusCode::OK, allowed, "{binding} {bound} {present}: {answer:?}");
            if !allowed {
                answer.assert_error(401, "session_revoked");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_of_its_address_itself_is_not_believed() {
    const HOME: &str = "198.51.100.7";
    let bound = Setup::of(Deployment::Embedded).await.with(IP, "exact");
    // Nobody is trusted: whatever the headers say, it is the same peer.
    let server = bound.clone().start().await;
    let secret = log_in(&server.without_cookies().with_header("x-forwarded-for", HOME)).await;
    for (name, value) in [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.1"), ("x-real-ip", HOME)] {
        let session = server.with_cookie(&secret).with_header(name, value).get("/session").await.json();
        assert_eq!(session["ip_address"], "127.0.0.1", "{name}");
    }
    // A thief behind the trusted proxy claims to be at home: to the left of what the proxy adds, or in a header that
    // the proxy doesn't write.
    let server = bound.with(TRUSTED_PROXIES, "127.0.0.1/32").start().await;
    for (name, value) in
        [("x-forwarded-for", format!("{HOME}, 203.0.113.1")), ("forwarded", format!("for={HOME}, for=203.0.113.1"))]
    {
        let secret = log_in(&server.without_cookies().with_header("x-forwarded-for", HOME)).await;
        let thief = server.with_cookie(&secret).with_header(name, value).with_header("x-real-ip", HOME);
        thief.get("/session").await.assert_error(401, "session_revoked");
    }
}

async fn where_that_is_configured_another_client_is_let_in_unfresh_until_it_gives_the_password(deployment: Deployment) {
    let server = Setup::of(deployment).await.with(ON_MISMATCH, "unfresh").start().await;
    let (secret, other) = (logged_in_with(&server, FIREFOX).await, logged_in_with(&server, CHROME).await);
    let stranger = calling_itself(&server, &secret, CHROME);
    assert_eq!(is_fresh(&server, &secret, FIREFOX).await, true);
    assert_eq!(is_fresh(&server, &secret, CHROME).await, false);
    assert_eq!(stranger.get("/sessions/verify").await.header("x-auth-fresh"), "false");
    for path in ["/users/sessions".to_owned(), format!("/users/sessions/{}", public_id(&other))] {
        stranger.delete(&path).await.assert_error(403, "reauthentication_required");
    }
    // It says nothing of the client that logged in.
    assert_eq!(is_fresh(&server, &secret, FIREFOX).await, true);
    let wrong = stranger.post("/users/reauthenticate", json!({"password": "Password124"})).await;
    wrong.assert_error(403, "wrong_password");
    assert_eq!(is_fresh(&server, &secret, CHROME).await, false);
    let answer = stranger.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    assert_eq!((&answer.json()["fresh"], &answer.json()["user_agent"]), (&true.into(), &CHROME.into()), "{answer:?}");
    let new = answer.session_cookie().value;
    assert_eq!(is_fresh(&server, &new, CHROME).await, true);
    assert_eq!(is_fresh(&server, &new, FIREFOX).await, false);
    assert_eq!(calling_itself(&server, &new, CHROME).delete("/users/sessions").await.json(), json!({"revoked": 1}));
}

async fn is_fresh(server: &Server, secret: &str, user_agent: &str) -> Value {
    let answer = asks(server, secret, user_agent).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["fresh"].clone()
}

async fn where_that_is_configured_a_mismatch_changes_nothing(deployment: Deployment) {
    let setup = Setup::of(deployment).await.with(ON_MISMATCH, "log").with(USER_AGENT, "exact").with(IP, "exact");
    let server = setup.with(TRUSTED_PROXIES, "127.0.0.1/32").start().await;
    let secret = logged_in_with(&server, FIREFOX).await;
    for user_agent in [FIREFOX_UPDATED, CHROME, "", FIREFOX] {
        let client = calling_itself(&server, &secret, user_agent).with_header("x-forwarded-for", "203.0.113.1");
        server.clock().advance(Duration::from_secs(61));
        let answer = client.get("/session").await;
        assert_eq!((answer.status, &answer.json()["fresh"]), (StatusCode::OK, &true.into()), "{answer:?}");
        // It stays bound to who logged in, so that each mismatch is one.
        assert_eq!(
            (&answer.json()["user_agent"], &answer.json()["ip_address"]),
            (&FIREFOX.into(), &"127.0.0.1".into())
        );
    }
}

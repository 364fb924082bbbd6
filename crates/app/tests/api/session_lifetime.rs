//! How long a session lives, in the browser and in the store.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::SetCookie;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both_deployments!(
    the_cookie_has_the_attributes_of_the_contract_and_no_other,
    a_session_that_is_not_remembered_ends_after_a_day_unused,
    a_session_that_is_remembered_ends_after_a_week_unused,
    lifetimes_are_those_that_are_configured,
    a_host_cookie_is_set_used_replaced_and_cleared_with_the_same_attributes,
);

fn login(remember: impl Into<Value>) -> Value {
    json!({"email": "buyer1@markt.com", "password": PASSWORD, "remember": remember.into()})
}

async fn the_cookie_has_the_attributes_of_the_contract_and_no_other(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let default = json!({"email": "buyer1@markt.com", "password": PASSWORD});
    for (body, max_age) in [
        (default, Some("604800")),
        (login(true), Some("604800")),
        (login(Value::Null), Some("604800")),
        (login(false), None),
    ] {
        let cookie = server.browser().post("/users/login", body.clone()).await.session_cookie();
        assert_eq!(cookie.name, "markt_session");
        let secret = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(cookie.value.len() == 43 && cookie.value.chars().all(secret), "{cookie:?}");
        let mut expected = vec![("httponly", ""), ("path", "/"), ("samesite", "Lax")];
        expected.extend(max_age.map(|max_age| ("max-age", max_age)));
        expected.sort_unstable();
        let attributes: Vec<_> =
            cookie.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(attributes, expected, "{body}");
    }
    let wrong = server.browser().post("/users/login", login("yes")).await;
    assert_eq!(wrong.errors("json"), json!({"remember": ["Not a valid boolean."]}));
}

async fn a_session_that_is_not_remembered_ends_after_a_day_unused(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let used = server.secret_with(login(false)).await;
    let unused = server.secret_with(login(false)).await;
    let remembered = server.secret_with(login(true)).await;
    server.clock().advance(23 * HOUR);
    server.assert_alive(&used, "buyer1").await;
    server.clock().advance(2 * HOUR);
    server.assert_expired(&unused).await;
    server.assert_alive(&remembered, "buyer1").await;
}

async fn a_session_that_is_remembered_ends_after_a_week_unused(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let used = server.secret_with(login(true)).await;
    let unused = server.secret_with(login(true)).await;
    server.clock().advance(6 * DAY);
    server.assert_alive(&used, "buyer1").await;
    server.clock().advance(2 * DAY);
    server.assert_expired(&unused).await;
    // Whose session ran out logs in again with the cookie still there.
    let answer = server.with_cookie(&unused).log_in("buyer1@markt.com", PASSWORD).await;
    server.assert_alive(&answer.session_cookie().value, "buyer1").await;
}

async fn lifetimes_are_those_that_are_configured(deployment: Deployment) {
    let setup = crate::setup::Setup::of(deployment).await;
    let setup = setup
        .with("MARKT_SESSION__IDLE_TIMEOUT", "10d")
        .with("MARKT_SESSION__ABSOLUTE_TIMEOUT", "11d")
        .with("MARKT_SESSION__IDLE_TIMEOUT_NOT_REMEMBERED", "2h");
    let server = setup.start().await;
    let cookie = server.client().log_in("buyer1@markt.com", PASSWORD).await.session_cookie();
    assert_eq!(cookie.attributes["max-age"], "864000");
    let brief = server.secret_with(login(false)).await;
    server.clock().advance(2 * HOUR);
    server.assert_expired(&brief).await;
    server.clock().advance(9 * DAY);
    server.assert_alive(&cookie.value, "buyer1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_is_the_one_that_is_configured() {
    let setup = crate::setup::Setup::of(Deployment::Embedded).await;
    let setup = setup
        .with("MARKT_COOKIE__NAME", "__Secure-shop")
        .with("MARKT_COOKIE__SECURE", "true")
        .with("MARKT_COOKIE__SAME_SITE", "None")
        .with("MARKT_COOKIE__DOMAIN", "example.com")
        .with("MARKT_COOKIE__PARTITIONED", "true");
    let server = setup.start().await;
    let cookie = server.client().log_in("buyer1@markt.com", PASSWORD).await.session_cookie();
    assert_eq!(cookie.name, "__Secure-shop");
    for (name, value) in
        [("secure", ""), ("httponly", ""), ("samesite", "None"), ("domain", "example.com"), ("partitioned", "")]
    {
        assert_eq!(cookie.attributes.get(name).map(String::as_str), Some(value), "{cookie:?}");
    }
    server.assert_unknown(&cookie.value).await;
    let client = server.without_cookies().with_header("cookie", format!("__Secure-shop={}", cookie.value));
    assert_eq!(client.get("/users/profile").await.json()["username"], "buyer1");
    let cleared = client.post_nothing("/users/logout").await.session_cookie();
    assert_eq!((cleared.name.as_str(), cleared.attributes["domain"].as_str()), ("__Secure-shop", "example.com"));
}

async fn a_host_cookie_is_set_used_replaced_and_cleared_with_the_same_attributes(deployment: Deployment) {
    let setup = crate::setup::Setup::of(deployment).await;
    let setup = setup.with("MARKT_COOKIE__NAME", "__Host-markt_session").with("MARKT_COOKIE__SECURE", "true");
    let server = setup.start().await;
    let browser = server.without_cookies().with_header("sec-fetch-site", "same-origin");
    let with = |cookie: &SetCookie| browser.clone().with_header("cookie", format!("{}={}", cookie.name, cookie.value));
    let set = browser.log_in("buyer1@markt.com", PASSWORD).await.session_cookie();
    assert_eq!(with(&set).get("/users/profile").await.json()["username"], "buyer1");
    server.assert_unknown(&set.value).await;
    let password = json!({ "password": PASSWORD });
    let replaced = with(&set).post("/users/reauthenticate", password).await.session_cookie();
    let cleared = with(&replaced).post_nothing("/users/logout").await.session_cookie();
    with(&replaced).get("/users/profile").await.assert_error(401, "session_revoked");
    for (cookie, max_age) in [(&set, "604800"), (&replaced, "604800"), (&cleared, "0")] {
        assert_eq!((cookie.name.as_str(), cookie.attributes["max-age"].as_str()), ("__Host-markt_session", max_age));
        // Browsers take such a cookie if it is secure, for "/" and without a domain, and take it away likewise.
        let attributes = cookie.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let attributes: Vec<_> = attributes.filter(|(name, _)| !["max-age", "expires"].contains(name)).collect();
        let expected = [("httponly", ""), ("path", "/"), ("samesite", "Lax"), ("secure", "")];
        assert_eq!(attributes, expected, "{cookie:?}");
    }
    assert_ne!(replaced.value, set.value);
    assert_eq!(cleared.value, "");
}

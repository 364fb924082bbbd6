//! `POST /users/password`

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;
use crate::shapes::assert_keys;

on_both_deployments!(
    the_other_sessions_end_and_this_one_goes_on_with_a_new_secret,
    a_bearer_session_gets_its_new_secret_in_the_body,
    the_new_password_counts_from_now_on_and_the_old_one_no_more,
    a_wrong_present_password_changes_nothing,
    a_weak_new_password_changes_nothing,
    who_is_not_logged_in_changes_nothing,
    of_two_changes_at_once_one_wins,
    a_login_with_the_old_password_that_races_with_the_change_does_not_outlive_it,
    the_session_is_fresh_after_it,
    a_change_outlives_a_rotation_of_the_same_session_at_the_same_moment,
);

const EMAIL: &str = "buyer1@markt.com";
const NEW: &str = "Password456";

async fn change(client: &Client, present: &str, new: &str) -> Answer {
    client.post("/users/password", json!({"current_password": present, "new_password": new})).await
}

/// A browser that is logged in, and the secret of its session.
async fn browser(server: &Server) -> (Client, String) {
    let browser = server.browser();
    let answer = browser.log_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    (browser, answer.session_cookie().value)
}

async fn the_other_sessions_end_and_this_one_goes_on_with_a_new_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, old) = browser(&server).await;
    let before = browser.get("/session").await.json();
    let others = [server.secret_of(EMAIL).await, server.secret_of(EMAIL).await];
    let stranger = server.secret_of("seller1@markt.com").await;
    let answer = change(&browser, PASSWORD, NEW).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    // A browser is told nothing but the message: the secret is in the cookie alone.
    assert_keys(&answer.json(), &[&["message"]]);
    let new = answer.session_cookie();
    assert_ne!(new.value, old);
    assert_eq!(new.attributes["max-age"], "604800");
    assert!(new.attributes.contains_key("httponly"), "{new:?}");
    for secret in &others {
        server.assert_dead(secret).await;
    }
    server.assert_alive(&stranger, "seller1").await;
    server.assert_alive(&new.value, "buyer1").await;
    assert_eq!(browser.get("/users/profile").await.json()["username"], "buyer1");
    let after = browser.get("/session").await.json();
    assert_ne!(after["id"], before["id"]);
    for field in ["created_at", "expires_at", "remember", "transport", "current_role"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(browser.get("/users/sessions").await.json()["items"].as_array().unwrap().len(), 1);
    server.clock().advance(Duration::from_secs(11));
    let answer = server.with_cookie(&old).get("/users/profile").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    server.assert_alive(&new.value, "buyer1").await;
    // Nothing of it ends with the copies that servers keep of users.
    server.clock().advance(Duration::from_secs(120));
    server.assert_alive(&new.value, "buyer1").await;
    for secret in &others {
        server.assert_dead(secret).await;
    }
}

async fn a_bearer_session_gets_its_new_secret_in_the_body(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (_, other) = browser(&server).await;
    let old = server.secret_of(EMAIL).await;
    let answer = change(&server.with_bearer(&old), PASSWORD, NEW).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let body = answer.json();
    assert_keys(&body, &[&["message", "token"]]);
    let new = body["token"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(server.with_bearer(new).get("/users/profile").await.json()["username"], "buyer1");
    server.assert_dead(&other).await;
    server.clock().advance(Duration::from_secs(11));
    let answer = server.with_bearer(&old).get("/users/profile").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    assert_eq!(server.with_bearer(new).get("/users/profile").await.json()["username"], "buyer1");
}

async fn the_new_password_counts_from_now_on_and_the_old_one_no_more(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, _) = browser(&server).await;
    let before = browser.get("/users/profile").await.json();
    server.clock().advance(Duration::from_secs(5));
    assert_eq!(change(&browser, PASSWORD, NEW).await.status, StatusCode::OK);
    assert_ne!(browser.get("/users/profile").await.json()["updated_at"], before["updated_at"]);
    server.client().log_in(EMAIL, PASSWORD).await.assert_error(401, "invalid_credentials");
    assert_eq!(server.client().log_in(EMAIL, NEW).await.json()["username"], "buyer1");
    change(&browser, PASSWORD, "Password789").await.assert_error(403, "wrong_password");
    assert_eq!(change(&browser, NEW, PASSWORD).await.status, StatusCode::OK);
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.json()["username"], "buyer1");
}

async fn a_wrong_present_password_changes_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, secret) = browser(&server).await;
    let other = server.secret_of(EMAIL).await;
    for wrong in ["Password124", "password123", "", NEW] {
        let answer = change(&browser, wrong, NEW).await;
        answer.assert_error(403, "wrong_password");
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
    }
    for secret in [&secret, &other] {
        server.assert_alive(secret, "buyer1").await;
    }
    server.client().log_in(EMAIL, NEW).await.assert_error(401, "invalid_credentials");
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn a_weak_new_password_changes_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, secret) = browser(&server).await;
    let other = server.secret_of(EMAIL).await;
    for weak in ["password456", "PASSWORD456", "Passwordabc", "Pass456", "", &"Aa1".repeat(43)] {
        for present in [PASSWORD, "Password124"] {
            let errors = change(&browser, present, weak).await.errors("json");
            assert!(errors["new_password"].is_array() && errors.as_object().unwrap().len() == 1, "{weak}: {errors}");
        }
    }
    let missing = json!(["Missing data for required field."]);
    let errors = browser.post("/users/password", json!({})).await.errors("json");
    assert_eq!(errors, json!({"current_password": missing, "new_password": missing}));
    let body = json!({"current_password": 7, "new_password": Value::Null});
    let expected = json!({"current_password": ["Not a valid string."], "new_password": ["Field may not be null."]});
    assert_eq!(browser.post("/users/password", body).await.errors("json"), expected);
    for secret in [&secret, &other] {
        server.assert_alive(secret, "buyer1").await;
    }
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn who_is_not_logged_in_changes_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for client in [server.client(), server.with_cookie(&"x".repeat(43)), server.with_bearer("garbage")] {
        change(&client, PASSWORD, NEW).await.assert_error(401, "not_authenticated");
    }
    assert_eq!(server.client().log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
}

async fn of_two_changes_at_once_one_wins(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut present = PASSWORD.to_owned();
    for round in 0..6 {
        let mut clients = Vec::new();
        for _ in 0..2 {
            let answer = server.without_cookies().log_in(EMAIL, &present).await;
            clients.push(server.with_bearer(&answer.session_cookie().value));
        }
        let mut runners = JoinSet::new();
        for (runner, client) in clients.into_iter().enumerate() {
            let (present, new) = (present.clone(), format!("Password{round}of{runner}"));
            runners.spawn(async move { (change(&client, &present, &new).await, new) });
        }
        let (won, lost): (Vec<_>, Vec<_>) =
            runners.join_all().await.into_iter().partition(|(answer, _)| answer.status == StatusCode::OK);
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:?} {lost:?}");
        // The other one's password is wrong by now, and its session dead.
        let (loser, refused) = &lost[0];
        let error_type = loser.json()["error_type"].clone();
        assert!(error_type == "wrong_password" || error_type == "session_revoked", "{loser:?}");
        server.client().log_in(EMAIL, refused).await.assert_error(401, "invalid_credentials");
        let (winner, new) = &won[0];
        server.assert_alive(winner.json()["token"].as_str().unwrap(), "buyer1").await;
        present.clone_from(new);
        let sessions = server.with_bearer(winner.json()["token"].as_str().unwrap()).get("/users/sessions").await;
        assert_eq!(sessions.json()["items"].as_array().unwrap().len(), 1, "{sessions:?}");
    }
    assert_eq!(server.client().log_in(EMAIL, &present).await.status, StatusCode::OK);
}

async fn a_login_with_the_old_password_that_races_with_the_change_does_not_outlive_it(deployment: Deployment) {
    // Most of these logins fail, and more of them than the limit of the defaults allows.
    let setup = Setup::of(deployment).await.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off");
    let server = setup.start().await;
    let mut present = PASSWORD.to_owned();
    for round in 0..6 {
        let login = server.without_cookies().log_in(EMAIL, &present).await;
        let changer = server.with_bearer(&login.session_cookie().value);
        let mut logins = JoinSet::new();
        for _ in 0..6 {
            let (client, present) = (server.without_cookies(), present.clone());
            logins.spawn(async move { client.log_in(EMAIL, &present).await });
        }
        let new = format!("Password4round{round}");
        let changed = change(&changer, &present, &new).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        for answer in logins.join_all().await {
            if answer.status == StatusCode::OK {
                let secret = answer.session_cookie().value;
                let profile = server.with_cookie(&secret).get("/users/profile").await;
                assert_eq!(profile.status, StatusCode::UNAUTHORIZED, "{profile:?}");
            } else {
                answer.assert_error(401, "invalid_credentials");
            }
        }
        server.assert_alive(changed.json()["token"].as_str().unwrap(), "buyer1").await;
        present = new;
    }
}

async fn a_change_outlives_a_rotation_of_the_same_session_at_the_same_moment(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for round in 0..12 {
        let client = server.with_cookie(&server.secret_in_cookie(EMAIL).await);
        // The password stays the same, so that neither makes the other's wrong.
        let (changed, reauthenticated) = tokio::join!(
            change(&client, PASSWORD, PASSWORD),
            client.post("/users/reauthenticate", json!({"password": PASSWORD})),
        );
        assert_eq!(changed.status, StatusCode::OK, "{round}: {changed:?} {reauthenticated:?}");
        // At least one of the answers brought a secret that goes on.
        let mut alive = 0;
        for answer in
            [&changed, &reauthenticated].into_iter().filter(|answer| answer.headers.contains_key("set-cookie"))
        {
            let profile = server.with_cookie(&answer.session_cookie().value).get("/users/profile").await;
            alive += usize::from(profile.status == StatusCode::OK);
        }
        assert!(alive > 0, "{round}: {changed:?} {reauthenticated:?}");
    }
}

async fn the_session_is_fresh_after_it(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (browser, _) = browser(&server).await;
    server.clock().advance(Duration::from_secs(20 * 60));
    let before = browser.get("/session").await.json();
    assert_eq!(before["fresh"], false);
    assert_eq!(change(&browser, PASSWORD, NEW).await.status, StatusCode::OK);
    let after = browser.get("/session").await.json();
    assert_eq!(after["fresh"], true);
    assert_ne!(after["authenticated_at"], before["authenticated_at"]);
    assert_eq!(after["expires_at"], before["expires_at"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_over_the_same_stores_knows_at_once() {
    let server = Server::start(Deployment::Full).await;
    let twin = server.twin().await;
    let (browser, _) = browser(&server).await;
    let other = server.secret_of(EMAIL).await;
    for there in [&server, &twin] {
        there.assert_alive(&other, "buyer1").await;
        assert_eq!(browser.clone().at(there).get("/users/profile").await.status, StatusCode::OK);
    }
    let new = change(&browser, PASSWORD, NEW).await.session_cookie().value;
    for there in [&twin, &server] {
        there.assert_dead_soon(&other).await;
        there.assert_alive(&new, "buyer1").await;
        there.client().log_in(EMAIL, PASSWORD).await.assert_error(401, "invalid_credentials");
    }
}

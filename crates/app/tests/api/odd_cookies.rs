//! Several secrets, and what is none, on the routes of a session's life: one valid session counts, two are ambiguous.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::shapes::registration;

on_both_deployments!(
    of_a_session_and_garbage_the_session_counts,
    a_secret_in_quotes_is_that_secret,
    the_secrets_of_two_sessions_do_nothing_to_either,
    garbage_alone_is_no_session,
    secrets_that_open_nothing_lock_nobody_out,
    who_brings_more_secrets_than_are_looked_at_is_told_so_but_can_log_in,
);

/// The routes that ask who is there. The others are asked about elsewhere.
const ROUTES: [(&str, &str); 11] = [
    ("GET", "/session"),
    ("GET", "/session?touch=false"),
    ("GET", "/sessions/verify"),
    ("GET", "/users/sessions"),
    ("PATCH", "/users/profile"),
    ("PATCH", "/users/profile/buyer"),
    ("PATCH", "/users/profile/seller"),
    ("DELETE", "/users/sessions"),
    ("POST", "/users/switch-role"),
    ("POST", "/users/reauthenticate"),
    ("POST", "/users/password"),
];

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let method: Method = method.parse().unwrap();
    if method == Method::GET || method == Method::DELETE {
        return Answer::of(client.request(method, path)).await;
    }
    let body = json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": PASSWORD});
    Answer::of(client.request(method, path).json(&body)).await
}

/// What a client may send that can't be a session's secret, or isn't one.
fn garbage() -> [String; 5] {
    [String::new(), "garbage".to_owned(), "x".repeat(43), "x".repeat(8 * 1024), "\"\"".to_owned()]
}

async fn of_a_session_and_garbage_the_session_counts(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secret = server.secret_in_cookie("both1@markt.com").await;
    for garbage in garbage() {
        for (method, path) in ROUTES {
            let cookies = format!("{garbage}; markt_session={secret}");
            let answer = ask(&server.with_cookie(&cookies), method, path).await;
            assert!(answer.status.is_success(), "{method} {path} {garbage}: {answer:?}");
            if answer.sets_cookie() {
                secret = answer.session_cookie().value;
            }
            let beside = server.with_cookie(&garbage).with_header("authorization", format!("Bearer {secret}"));
            assert_eq!(beside.get("/session").await.json()["id"], public_id(&secret), "{garbage}");
        }
    }
}

/// RFC 6265, section 4.1.1.
async fn a_secret_in_quotes_is_that_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie("both1@markt.com").await;
    let quoted = server.with_cookie(&format!("\"{secret}\""));
    assert_eq!(quoted.get("/session").await.json()["id"], public_id(&secret));
    let twice = server.with_cookie(&format!("\"{secret}\"; markt_session={secret}"));
    twice.get("/users/profile").await.assert_status(200);
    quoted.post_nothing("/users/logout").await.assert_status(204);
    server.assert_dead(&secret).await;
}

async fn the_secrets_of_two_sessions_do_nothing_to_either(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (mine, mine_too) =
        (server.secret_in_cookie("both1@markt.com").await, server.secret_in_cookie("both1@markt.com").await);
    let theirs = server.secret_of("buyer1@markt.com").await;
    let before = (server.session_of(&mine).await, server.session_of(&theirs).await);
    let own_path = format!("/users/sessions/{}", public_id(&mine));
    for (method, path) in ROUTES.into_iter().chain([("DELETE", own_path.as_str())]) {
        for client in [
            server.with_cookie(&mine).with_header("authorization", format!("Bearer {theirs}")),
            server.with_cookie(&mine).with_header("authorization", format!("Bearer {mine_too}")),
            server.with_cookie(&format!("{mine}; markt_session={theirs}")),
            server.with_cookie(&format!("{}; markt_session={mine}; markt_session={theirs}", "x".repeat(43))),
        ] {
            let answer = ask(&client, method, path).await;
            answer.assert_error(400, "ambiguous_credentials");
            assert_eq!(answer.header("set-cookie"), "", "{method} {path}");
        }
    }
    assert_eq!((server.session_of(&mine).await, server.session_of(&theirs).await), before);
    server.assert_alive(&mine_too, "both1").await;
}

async fn garbage_alone_is_no_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for garbage in garbage() {
        for (method, path) in ROUTES {
            for client in [server.with_cookie(&garbage), server.with_bearer(&garbage)] {
                let answer = ask(&client, method, path).await;
                answer.assert_error(401, "not_authenticated");
                assert_eq!(answer.header("set-cookie"), "", "{method} {path}");
            }
        }
    }
    // Who logs in with garbage in the cookie is in.
    let answer = server.with_cookie(&garbage()[3]).log_in("buyer1@markt.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// So many different secrets that open nothing, for the cookies: a page of a sibling domain can set them.
fn planted(count: usize) -> String {
    (0..count).map(|n| format!("{n:0>43}")).collect::<Vec<_>>().join("; markt_session=")
}

async fn secrets_that_open_nothing_lock_nobody_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for count in [5, 32] {
        let client = server.with_cookie(&planted(count));
        for (method, path) in ROUTES.into_iter().chain([("POST", "/users/logout")]) {
            ask(&client, method, path).await.assert_error(401, "not_authenticated");
        }
    }
    for count in [5, 32, 33, 100] {
        let client = server.with_cookie(&planted(count));
        client.log_in("both1@markt.com", PASSWORD).await.assert_status(200);
        client.log_in("both1@markt.com", "Password124").await.assert_error(401, "invalid_credentials");
        client.post("/users/register", registration(&format!("ann_{count}"))).await.assert_status(201);
    }
    let mut secret = server.secret_in_cookie("both1@markt.com").await;
    for (method, path) in ROUTES.into_iter().chain([("POST", "/users/logout")]) {
        let client = server.with_cookie(&format!("{}; markt_session={secret}", planted(31)));
        let answer = ask(&client, method, path).await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        if answer.sets_cookie() {
            secret = answer.session_cookie().value;
        }
    }
}

async fn who_brings_more_secrets_than_are_looked_at_is_told_so_but_can_log_in(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let (first, last) =
        (server.secret_in_cookie("both1@markt.com").await, server.secret_in_cookie("both1@markt.com").await);
    let cookies = format!("{first}; markt_session={}; markt_session={last}", planted(31));
    for (method, path) in ROUTES.into_iter().chain([("POST", "/users/logout")]) {
        for cookies in [planted(33), cookies.clone()] {
            let answer = ask(&server.with_cookie(&cookies), method, path).await;
            answer.assert_error(400, "bad_request");
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert_eq!(message, "The request brings more than 32 different session secrets", "{method} {path}");
        }
    }
    // A login replaces those of the sessions that it has looked at.
    server.with_cookie(&cookies).log_in("both1@markt.com", PASSWORD).await.assert_status(200);
    server.assert_dead(&first).await;
    server.assert_alive(&last, "both1").await;
}

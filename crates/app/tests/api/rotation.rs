//! New secrets for a session that goes on, and what the old ones are still good for.

use std::time::Duration;

use markt_domain::ports::clock::Clock as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;
use crate::shapes::{SESSION, assert_keys};

const SECOND: Duration = Duration::from_secs(1);

/// `session.rotation_grace`, by default.
const GRACE: Duration = Duration::from_secs(10);

const EMAIL: &str = "both1@markt.com";

on_both_deployments!(
    whatever_rotates_a_session_hands_out_a_new_secret_and_honours_the_old_one_for_a_moment,
    an_app_reads_its_new_secret_in_the_body_and_keeps_it_when_the_role_is_switched,
    a_former_secret_neither_slides_nor_rotates_again,
    secrets_that_were_rotated_one_after_the_other_lead_to_the_last,
    the_former_and_the_present_secret_together_are_one_session,
    requests_that_rotate_at_once_leave_one_session_and_hand_out_one_secret,
    a_logout_ends_the_secrets_that_are_still_honoured,
    a_logout_by_a_former_secret_ends_the_session,
    a_login_ends_the_session_behind_a_former_secret_that_came_along,
    the_new_cookie_lives_as_long_as_the_session,
    the_grace_is_the_one_that_is_configured,
    a_wrong_password_rotates_nothing,
    an_answer_that_comes_late_does_not_put_the_old_cookie_back,
    who_reauthenticates_is_told_what_the_session_says_for_their_own_secret,
    in_real_time_a_replaced_secret_is_not_fresh_by_the_password_that_replaced_it,
);

/// What rotates a session that is kept in a cookie.
const ROTATING: [&str; 3] = ["/users/reauthenticate", "/users/switch-role", "/users/password"];

async fn rotate(client: &Client, path: &str) -> Answer {
    let answer = match path {
        "/users/reauthenticate" => client.post(path, json!({ "password": PASSWORD })).await,
        "/users/password" => client.post(path, json!({"current_password": PASSWORD, "new_password": PASSWORD})).await,
        _ => client.post_nothing(path).await,
    };
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer
}

/// The ids of the user's sessions, as the user of this one sees them.
async fn listed(server: &Server, secret: &str) -> Vec<String> {
    let answer = server.with_cookie(secret).get("/users/sessions").await.json();
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn whatever_rotates_a_session_hands_out_a_new_secret_and_honours_the_old_one_for_a_moment(
    deployment: Deployment,
) {
    let server = Server::start(deployment).await;
    for path in ROTATING {
        let old = server.secret_in_cookie(EMAIL).await;
        let issued = server.session_of(&old).await;
        server.clock().advance(SECOND);
        let answer = rotate(&server.with_cookie(&old), path).await;
        assert_eq!(answer.json().get("token"), None, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let new = answer.session_cookie().value;
        assert_ne!(new, old, "{path}");
        let session = server.session_of(&new).await;
        assert_eq!(session["id"], public_id(&new), "{path}");
        for field in ["user_id", "created_at", "expires_at", "remember", "transport", "user_agent", "ip_address"] {
            assert_eq!(session[field], issued[field], "{path}: {field}");
        }
        server.clock().advance(GRACE - SECOND);
        let mut by_old = server.session_of(&old).await;
        // Who has it may be somebody else than who gave the password just now.
        assert_eq!(by_old["fresh"].take(), path == "/users/switch-role", "{path}");
        by_old["fresh"] = session["fresh"].clone();
        assert_eq!(by_old, session, "{path}: it leads to the same session");
        server.assert_alive(&old, "both1").await;
        server.clock().advance(SECOND);
        server.assert_unknown(&old).await;
        server.assert_alive(&new, "both1").await;
        assert_eq!(server.with_cookie(&new).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    }
}

async fn an_app_reads_its_new_secret_in_the_body_and_keeps_it_when_the_role_is_switched(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secret = server.secret_of(EMAIL).await;
    for path in ["/users/reauthenticate", "/users/password"] {
        let answer = rotate(&server.with_bearer(&secret), path).await;
        let new = answer.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(new, answer.session_cookie().value, "{path}");
        assert_ne!(new, secret, "{path}");
        if path == "/users/reauthenticate" {
            assert_keys(&answer.json(), &[&SESSION, &["token"]]);
            assert_eq!(answer.json()["id"], public_id(&new));
        }
        secret = new;
    }
    for role in ["seller", "buyer"] {
        let answer = rotate(&server.with_bearer(&secret), "/users/switch-role").await;
        assert_eq!(answer.json().get("token"), None);
        assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
        server.clock().advance(GRACE);
        let session = server.session_of(&secret).await;
        assert_eq!((&session["current_role"], &session["transport"]), (&role.into(), &"bearer".into()));
    }
}

async fn a_former_secret_neither_slides_nor_rotates_again(deployment: Deployment) {
    let setup = Setup::of(deployment).await.with("MARKT_SESSION__ROTATION_GRACE", "1h");
    let server = setup.start().await;
    let former = server.secret_in_cookie(EMAIL).await;
    let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
    let client = server.with_cookie(&former);
    server.clock().advance(20 * 60 * SECOND);
    let before = server.session_of(&present).await;
    let answer = client.get("/session").await;
    assert_eq!((answer.json(), answer.header("set-cookie")), (before.clone(), ""));
    for path in ROTATING {
        let answer = rotate(&client, path).await;
        assert_eq!(answer.header("set-cookie"), "", "{path}: {answer:?}");
        assert_eq!(answer.json().get("token"), None, "{path}");
    }
    // What was asked for was done, by the session that there is.
    let after = server.session_of(&present).await;
    assert_eq!((&before["fresh"], &after["fresh"]), (&false.into(), &true.into()));
    assert_ne!(after["current_role"], before["current_role"]);
    for clock in ["last_activity", "idle_expires_at"] {
        assert_eq!(after[clock], before[clock], "{clock}");
    }
    assert_eq!(listed(&server, &present).await, [public_id(&present)]);
    // The hour is counted from the first rotation, whatever came after it.
    server.clock().advance(40 * 60 * SECOND - SECOND);
    server.assert_alive(&former, "both1").await;
    server.clock().advance(SECOND);
    server.assert_unknown(&former).await;
    server.assert_alive(&present, "both1").await;
}

async fn secrets_that_were_rotated_one_after_the_other_lead_to_the_last(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secrets = vec![server.secret_in_cookie(EMAIL).await];
    for _ in 0..4 {
        server.clock().advance(2 * SECOND);
        let client = server.with_cookie(secrets.last().unwrap());
        secrets.push(rotate(&client, "/users/reauthenticate").await.session_cookie().value);
        let last = server.session_of(secrets.last().unwrap()).await;
        for secret in &secrets {
            assert_eq!(server.session_of(secret).await["id"], last["id"]);
        }
    }
    assert_eq!(listed(&server, &secrets[0]).await, [public_id(&secrets[4])]);
    // Each is honoured for as long as it was promised when it was replaced: 2, 4, 6 and 8 seconds after the login.
    for forgotten in 1..=4 {
        server.clock().advance(if forgotten == 1 { 4 * SECOND } else { 2 * SECOND });
        for (place, secret) in secrets.iter().enumerate() {
            if place < forgotten {
                server.assert_unknown(secret).await;
            } else {
                server.assert_alive(secret, "both1").await;
            }
        }
    }
}

async fn the_former_and_the_present_secret_together_are_one_session(deployment: Deployment) {
    let setup = Setup::of(deployment).await.with("MARKT_SESSION__ROTATION_GRACE", "1h");
    let server = setup.start().await;
    let former = server.secret_in_cookie(EMAIL).await;
    let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
    for pair in [format!("{former}; markt_session={present}"), format!("{present}; markt_session={former}")] {
        server.clock().advance(60 * SECOND);
        // The present one counts: it slides, and is what the browser is to keep.
        let answer = server.with_cookie(&pair).get("/session").await;
        assert_eq!(answer.json()["id"], public_id(&present));
        assert_eq!(answer.session_cookie().value, present);
    }
    let pair = server.with_cookie(&format!("{former}; markt_session={present}"));
    let next = rotate(&pair, "/users/reauthenticate").await.session_cookie().value;
    assert_eq!(listed(&server, &next).await, [public_id(&next)]);
}

async fn requests_that_rotate_at_once_leave_one_session_and_hand_out_one_secret(deployment: Deployment) {
    const ROUNDS: usize = 12;
    const AT_ONCE: usize = 6;
    let server = Server::start(deployment).await;
    for round in 0..ROUNDS {
        let old = server.secret_in_cookie(EMAIL).await;
        let mut requests = JoinSet::new();
        for n in 0..AT_ONCE {
            let client = server.with_cookie(&old);
            let path = if (round + n) % 2 == 0 { "/users/reauthenticate" } else { "/users/switch-role" };
            requests.spawn(async move { rotate(&client, path).await });
        }
        let answers = requests.join_all().await;
        let handed_out: Vec<_> = answers.iter().filter(|answer| answer.sets_cookie()).collect();
        assert_eq!(handed_out.len(), 1, "{handed_out:?}");
        let new = handed_out[0].session_cookie().value;
        assert_eq!(server.session_of(&old).await["id"], public_id(&new));
        assert_eq!(listed(&server, &new).await, [public_id(&new)]);
        server.clock().advance(GRACE);
        server.assert_unknown(&old).await;
        assert_eq!(server.with_cookie(&new).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    }
}

async fn a_logout_ends_the_secrets_that_are_still_honoured(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut secrets = vec![server.secret_in_cookie(EMAIL).await];
    for _ in 0..2 {
        let client = server.with_cookie(secrets.last().unwrap());
        secrets.push(rotate(&client, "/users/switch-role").await.session_cookie().value);
    }
    let answer = server.with_cookie(&secrets[2]).post_nothing("/users/logout").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    for secret in &secrets {
        server.assert_dead(secret).await;
    }
}

async fn a_logout_by_a_former_secret_ends_the_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for path in ["/users/logout", "/users/logout?everywhere=true"] {
        let former = server.secret_in_cookie(EMAIL).await;
        let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
        let answer = server.with_cookie(&former).post_nothing(path).await;
        assert_eq!((answer.status, answer.session_cookie().value), (StatusCode::NO_CONTENT, String::new()), "{path}");
        server.assert_dead(&present).await;
        server.assert_dead(&former).await;
    }
}

async fn a_login_ends_the_session_behind_a_former_secret_that_came_along(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let former = server.secret_in_cookie(EMAIL).await;
    let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
    let new = server.with_cookie(&former).log_in(EMAIL, PASSWORD).await.session_cookie().value;
    for secret in [&former, &present] {
        server.assert_dead(secret).await;
    }
    assert_eq!(listed(&server, &new).await, [public_id(&new)]);
}

async fn the_new_cookie_lives_as_long_as_the_session(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (remember, max_age) in [(true, Some("604800")), (false, None)] {
        let client = server.without_cookies().with_header("x-session-transport", "cookie");
        let body = json!({"email": EMAIL, "password": PASSWORD, "remember": remember});
        let mut cookie = client.post("/users/login", body).await.session_cookie();
        for path in ROTATING {
            server.clock().advance(20 * 60 * 60 * SECOND);
            let rotated = rotate(&server.with_cookie(&cookie.value), path).await.session_cookie();
            assert_eq!(rotated.attributes, cookie.attributes, "{path}");
            assert_eq!(rotated.attributes.get("max-age").map(String::as_str), max_age, "{path}");
            cookie = rotated;
        }
    }
}

async fn the_grace_is_the_one_that_is_configured(deployment: Deployment) {
    for (grace, milliseconds) in [("1ms", 1), ("500ms", 500), ("2m", 120_000)] {
        let server = Setup::of(deployment).await.with("MARKT_SESSION__ROTATION_GRACE", grace).start().await;
        let former = server.secret_in_cookie(EMAIL).await;
        let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
        server.clock().advance(Duration::from_millis(milliseconds - 1));
        // The short ones may be over by now by Redis' own clock, which nobody moves.
        if milliseconds > 1000 {
            server.assert_alive(&former, "both1").await;
        }
        server.clock().advance(Duration::from_millis(1));
        server.assert_unknown(&former).await;
        server.assert_alive(&present, "both1").await;
    }
}

async fn a_wrong_password_rotates_nothing(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_in_cookie(EMAIL).await;
    let before = server.session_of(&secret).await;
    server.clock().advance(SECOND);
    let client = server.with_cookie(&secret);
    let bodies: [(&str, Value); 2] = [
        ("/users/reauthenticate", json!({"password": "Password124"})),
        ("/users/password", json!({"current_password": "Password124", "new_password": "Password456"})),
    ];
    for (path, body) in bodies {
        let answer = client.post(path, body).await;
        answer.assert_error(403, "wrong_password");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
    client.post("/users/reauthenticate", json!({})).await.errors("json");
    assert_eq!(server.session_of(&secret).await, before);
    server.logged_in(EMAIL).await;
}

/// A request that uses the session, and whose body is long in coming.
async fn slow_request(server: &Server, secret: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PATCH /api/v1/users/profile HTTP/1.1\r\nhost: localhost\r\ncookie: markt_session={secret}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The rest of the body, and the answer's head.
async fn finish(mut stream: TcpStream) -> String {
    stream.write_all(b"}").await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "no answer");
    }
    String::from_utf8(answer).unwrap().to_lowercase()
}

async fn an_answer_that_comes_late_does_not_put_the_old_cookie_back(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for path in ROTATING.into_iter().chain(["", "/users/logout", "/users/login"]) {
        let secret = server.secret_in_cookie(EMAIL).await;
        server.clock().advance(Duration::from_secs(60));
        let slow = slow_request(&server, &secret).await;
        // The use of the session is written down before the body is waited for.
        until_used(&server, &secret).await;
        let client = server.with_cookie(&secret);
        match path {
            "" => {}
            "/users/logout" => client.post_nothing(path).await.assert_status(204),
            "/users/login" => client.log_in("seller1@markt.com", PASSWORD).await.assert_status(200),
            _ => drop(rotate(&client, path).await),
        }
        let answer = finish(slow).await;
        assert!(answer.starts_with("http/1.1 200 "), "{path}: {answer}");
        assert_eq!(answer.contains("set-cookie"), path.is_empty(), "{path}: {answer}");
    }
}

/// Waits until it shows that the session was used just now.
async fn until_used(server: &Server, secret: &str) {
    let now = server.clock().now().to_string();
    for _ in 0..400 {
        if server.session_of(secret).await["last_activity"] == *now {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the session isn't used");
}

async fn who_reauthenticates_is_told_what_the_session_says_for_their_own_secret(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let former = server.secret_in_cookie(EMAIL).await;
    let present = rotate(&server.with_cookie(&former), "/users/switch-role").await.session_cookie().value;
    server.clock().advance(SECOND);
    let by_former = rotate(&server.with_cookie(&former), "/users/reauthenticate").await.json();
    assert_eq!(by_former["fresh"], false);
    assert_eq!(by_former, server.session_of(&former).await);
    assert_eq!(server.session_of(&present).await["fresh"], true);
    server.clock().advance(SECOND);
    let answer = rotate(&server.with_cookie(&present), "/users/reauthenticate").await;
    let by_present = answer.json();
    assert_eq!(by_present["fresh"], true);
    assert_eq!(by_present, server.session_of(&answer.session_cookie().value).await);
}

/// The machine's clock goes on between the steps of a rotation.
async fn in_real_time_a_replaced_secret_is_not_fresh_by_the_password_that_replaced_it(deployment: Deployment) {
    let server = Setup::of(deployment).await.in_real_time().start().await;
    for path in ["/users/reauthenticate", "/users/password"] {
        let mut secret = server.secret_in_cookie(EMAIL).await;
        for round in 0..10 {
            let new = rotate(&server.with_cookie(&secret), path).await.session_cookie().value;
            assert_eq!(server.session_of(&secret).await["fresh"], false, "{path}, {round}");
            assert_eq!(server.session_of(&new).await["fresh"], true, "{path}, {round}");
            secret = new;
        }
    }
}

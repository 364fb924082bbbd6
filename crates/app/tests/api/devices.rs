//! `GET /users/sessions`, `DELETE /users/sessions` and `DELETE /users/sessions/{id}`: a user's devices.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server, public_id};
use crate::setup::Setup;
use crate::shapes::{SESSION, assert_keys, assert_time};

const EMAIL: &str = "both1@markt.com";

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

on_both_deployments!(
    the_list_has_all_of_the_users_sessions_and_no_one_elses,
    the_session_that_was_used_last_stands_first,
    a_session_that_has_ended_is_not_listed,
    a_device_that_is_revoked_is_out_at_once_and_the_others_stay,
    a_session_that_is_not_the_callers_is_not_found,
    other_devices_are_revoked_only_by_who_gave_the_password_lately,
    who_revokes_the_current_session_is_logged_out,
    all_others_are_revoked_and_this_one_lives_on,
    one_after_the_other_may_revoke_all_others,
    what_ends_on_one_node_has_ended_on_every_node,
    of_more_sessions_than_a_user_may_have_the_oldest_give_way,
    a_device_that_logs_in_again_takes_no_other_ones_place,
    logins_with_one_old_session_never_leave_more_sessions_than_a_user_may_have,
    logins_at_once_never_leave_more_sessions_than_a_user_may_have,
);

async fn items(server: &Server, secret: &str) -> Vec<Value> {
    let answer = server.with_cookie(secret).get("/users/sessions").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_keys(&answer.json(), &[&["items"]]);
    answer.json()["items"].as_array().unwrap().clone()
}

async fn ids(server: &Server, secret: &str) -> Vec<Value> {
    items(server, secret).await.iter().map(|item| item["id"].clone()).collect()
}

async fn secrets_of(server: &Server, count: usize) -> Vec<String> {
    let mut secrets = Vec::new();
    for _ in 0..count {
        secrets.push(server.secret_in_cookie(EMAIL).await);
        server.clock().advance(SECOND);
    }
    secrets
}

async fn the_list_has_all_of_the_users_sessions_and_no_one_elses(deployment: Deployment) {
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                          Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
    let server = Server::start(deployment).await;
    server.secret_of("buyer1@markt.com").await;
    let mut secrets = Vec::new();
    for (user_agent, transport, body) in [
        (FIREFOX, "cookie", json!({"email": EMAIL, "password": PASSWORD})),
        (SAFARI, "cookie", json!({"email": EMAIL, "password": PASSWORD, "remember": false})),
        ("curl/8.14.1", "bearer", json!({"email": EMAIL, "password": PASSWORD, "account_type": "seller"})),
    ] {
        let client = server.without_cookies().with_header("user-agent", user_agent);
        let answer = client.with_header("x-session-transport", transport).post("/users/login", body).await;
        secrets.push(answer.session_cookie().value);
        server.clock().advance(20 * MINUTE);
    }
    let client = server.with_cookie(&secrets[0]).with_header("user-agent", FIREFOX);
    let answer = client.get("/users/sessions").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut items = answer.json()["items"].as_array().unwrap().clone();
    items.sort_by_key(|item| item["created_at"].to_string());
    let expected = [
        (FIREFOX, "Firefox on Linux", "cookie", true, "buyer", true),
        (SAFARI, "Safari on iOS", "cookie", false, "buyer", false),
        ("curl/8.14.1", "curl", "bearer", true, "seller", false),
    ];
    assert_eq!(items.len(), expected.len(), "{items:?}");
    for ((item, secret), (user_agent, device, transport, remember, role, current)) in
        items.iter().zip(&secrets).zip(expected)
    {
        assert_keys(item, &[&SESSION, &["current", "device"]]);
        assert_eq!((&item["id"], &item["user_agent"]), (&public_id(secret).into(), &user_agent.into()));
        assert_eq!((&item["transport"], &item["remember"]), (&transport.into(), &remember.into()));
        assert_eq!((&item["current_role"], &item["current"]), (&role.into(), &current.into()));
        assert_eq!((&item["ip_address"], &item["fresh"]), (&"127.0.0.1".into(), &false.into()));
        assert_eq!(item["device"], device, "{user_agent}");
        for time in ["created_at", "last_activity", "authenticated_at", "idle_expires_at", "expires_at"] {
            assert_time(&item[time]);
        }
        assert!(!item.to_string().contains(secret.as_str()), "the secret is nobody else's");
    }
    let own = client.get("/session").await.json();
    assert_keys(&own, &[&SESSION]);
    for field in SESSION {
        assert_eq!(own[field], items[0][field], "{field}");
    }
}

async fn the_session_that_was_used_last_stands_first(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secrets = secrets_of(&server, 3).await;
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for place in order {
            server.clock().advance(MINUTE);
            server.assert_alive(&secrets[place], "both1").await;
        }
        let expected = order.map(|place| public_id(&secrets[place]));
        let mut listed = ids(&server, &secrets[order[2]]).await;
        listed.reverse();
        assert_eq!(listed, expected, "{order:?}");
    }
}

async fn a_session_that_has_ended_is_not_listed(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let brief = json!({"email": EMAIL, "password": PASSWORD, "remember": false});
    server.secret_with(brief).await;
    let secrets = secrets_of(&server, 3).await;
    server.with_cookie(&secrets[0]).post_nothing("/users/logout").await;
    server.clock().advance(25 * HOUR);
    let rotated = server.with_cookie(&secrets[1]).post_nothing("/users/switch-role").await.session_cookie().value;
    let mut listed = ids(&server, &rotated).await;
    listed.sort_by_key(Value::to_string);
    let mut expected = [public_id(&rotated), public_id(&secrets[2])];
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

async fn a_device_that_is_revoked_is_out_at_once_and_the_others_stay(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secrets = secrets_of(&server, 4).await;
    server.assert_alive(&secrets[1], "both1").await;
    // One that was rotated this moment goes with the secrets that are still honoured.
    let rotated = server.with_cookie(&secrets[2]).post_nothing("/users/switch-role").await.session_cookie().value;
    for target in [&secrets[1], &rotated] {
        let path = format!("/users/sessions/{}", public_id(target));
        let answer = server.with_cookie(&secrets[0]).delete(&path).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""), "{answer:?}");
        assert_eq!(answer.header("set-cookie"), "", "the caller's own cookie stays");
        server.assert_dead(target).await;
        server.with_cookie(&secrets[0]).delete(&path).await.assert_error(404, "not_found");
    }
    server.assert_dead(&secrets[2]).await;
    for secret in [&secrets[0], &secrets[3]] {
        server.assert_alive(secret, "both1").await;
    }
    assert_eq!(ids(&server, &secrets[0]).await.len(), 2);
}

async fn a_session_that_is_not_the_callers_is_not_found(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of(EMAIL).await;
    let other = server.secret_of("buyer1@markt.com").await;
    let (unknown, strangers) = ("0".repeat(64), public_id(&other));
    // The secret is not an id, not even the caller's own.
    for id in [&unknown, &strangers, &secret, "x", "0", "%00", "..%2f", &"f".repeat(65), &"é".repeat(32)] {
        let answer = server.with_cookie(&secret).delete(&format!("/users/sessions/{id}")).await;
        answer.assert_error(404, "not_found");
    }
    server.assert_alive(&other, "buyer1").await;
    server.assert_alive(&secret, "both1").await;
    let path = format!("/users/sessions/{strangers}");
    server.without_cookies().delete(&path).await.assert_error(401, "not_authenticated");
    server.without_cookies().delete("/users/sessions").await.assert_error(401, "not_authenticated");
    server.without_cookies().get("/users/sessions").await.assert_error(401, "not_authenticated");
}

async fn other_devices_are_revoked_only_by_who_gave_the_password_lately(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secrets = secrets_of(&server, 2).await;
    server.clock().advance(15 * MINUTE);
    let client = server.with_cookie(&secrets[0]);
    let paths = [format!("/users/sessions/{}", public_id(&secrets[1])), "/users/sessions".to_owned()];
    for path in &paths {
        client.delete(path).await.assert_error(403, "reauthentication_required");
    }
    for secret in &secrets {
        server.assert_alive(secret, "both1").await;
    }
    let answer = client.post("/users/reauthenticate", json!({ "password": PASSWORD })).await;
    let fresh = server.with_cookie(&answer.session_cookie().value);
    assert_eq!(fresh.delete(&paths[0]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(fresh.delete(&paths[1]).await.json(), json!({"revoked": 0}));
    server.assert_dead(&secrets[1]).await;
}

async fn who_revokes_the_current_session_is_logged_out(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secrets = secrets_of(&server, 2).await;
    // A logout takes no password.
    server.clock().advance(HOUR);
    let answer = server.with_cookie(&secrets[0]).delete(&format!("/users/sessions/{}", public_id(&secrets[0]))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let cleared = answer.session_cookie();
    assert_eq!((cleared.value.as_str(), cleared.attributes["max-age"].as_str()), ("", "0"));
    server.assert_dead(&secrets[0]).await;
    server.assert_alive(&secrets[1], "both1").await;
}

async fn all_others_are_revoked_and_this_one_lives_on(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let stranger = server.secret_of("buyer1@markt.com").await;
    let secrets = secrets_of(&server, 4).await;
    for secret in &secrets {
        server.assert_alive(secret, "both1").await;
    }
    let before = server.session_of(&secrets[2]).await;
    let answer = server.with_cookie(&secrets[2]).delete("/users/sessions").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"revoked": 3})), "{answer:?}");
    assert_eq!(answer.header("set-cookie"), "", "{answer:?}");
    for place in [0, 1, 3] {
        server.assert_dead(&secrets[place]).await;
    }
    server.assert_alive(&stranger, "buyer1").await;
    assert_eq!(server.session_of(&secrets[2]).await, before);
    assert_eq!(ids(&server, &secrets[2]).await, [public_id(&secrets[2])]);
    // It is a session like any other from now on: it outlives the cached user, is rotated, and ends.
    server.clock().advance(2 * MINUTE);
    let rotated = server.with_cookie(&secrets[2]).post_nothing("/users/switch-role").await.session_cookie().value;
    server.clock().advance(24 * HOUR);
    server.assert_alive(&rotated, "both1").await;
    server.with_cookie(&rotated).post_nothing("/users/logout?everywhere=true").await;
    server.assert_dead(&rotated).await;
}

async fn one_after_the_other_may_revoke_all_others(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let mut kept = server.secret_in_cookie(EMAIL).await;
    for _ in 0..3 {
        let next = server.secret_in_cookie(EMAIL).await;
        assert_eq!(server.with_cookie(&next).delete("/users/sessions").await.json(), json!({"revoked": 1}));
        assert_eq!(server.with_cookie(&next).delete("/users/sessions").await.json(), json!({"revoked": 0}));
        server.assert_dead(&kept).await;
        server.assert_alive(&next, "both1").await;
        server.clock().advance(SECOND);
        // Nor does it matter that the caller's secret was replaced a moment ago.
        let rotated = server.with_cookie(&next).post_nothing("/users/switch-role").await.session_cookie().value;
        server.secret_in_cookie(EMAIL).await;
        assert_eq!(server.with_cookie(&next).delete("/users/sessions").await.json(), json!({"revoked": 1}));
        kept = rotated;
        server.assert_alive(&kept, "both1").await;
    }
}

async fn what_ends_on_one_node_has_ended_on_every_node(deployment: Deployment) {
    let node = Server::start(deployment).await;
    let other_node = node.twin().await;
    for path in ["/users/sessions", "/users/sessions/{id}", "/users/logout", "/users/logout?everywhere=true"] {
        let (own, other) = (node.secret_in_cookie(EMAIL).await, node.secret_in_cookie(EMAIL).await);
        // It knows the user as of before.
        other_node.assert_alive(&own, "both1").await;
        other_node.assert_alive(&other, "both1").await;
        let client = node.with_cookie(&own);
        let (answer, own_ends, other_ends) = match path {
            "/users/logout" => (client.post_nothing(path).await, true, false),
            "/users/logout?everywhere=true" => (client.post_nothing(path).await, true, true),
            _ => (client.delete(&path.replace("{id}", &public_id(&other))).await, false, true),
        };
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        for (secret, ends) in [(&own, own_ends), (&other, other_ends)] {
            if ends {
                other_node.assert_dead_soon(secret).await;
            } else {
                other_node.assert_alive(secret, "both1").await;
            }
        }
    }
}

async fn of_more_sessions_than_a_user_may_have_the_oldest_give_way(deployment: Deployment) {
    let server = Setup::of(deployment).await.with("MARKT_SESSION__MAX_PER_USER", "3").start().await;
    let stranger = server.secret_of("buyer1@markt.com").await;
    let mut secrets = secrets_of(&server, 3).await;
    // A new secret makes a session no younger, nor does its use.
    server.clock().advance(MINUTE);
    secrets[0] = server.with_cookie(&secrets[0]).post_nothing("/users/switch-role").await.session_cookie().value;
    for round in 0..4 {
        server.clock().advance(SECOND);
        secrets.push(server.secret_in_cookie(EMAIL).await);
        for (place, secret) in secrets.iter().enumerate() {
            if place <= round {
                server.assert_dead(secret).await;
            } else {
                server.assert_alive(secret, "both1").await;
            }
        }
    }
    assert_eq!(ids(&server, secrets.last().unwrap()).await.len(), 3);
    server.assert_alive(&stranger, "buyer1").await;
}

async fn a_device_that_logs_in_again_takes_no_other_ones_place(deployment: Deployment) {
    let server = Setup::of(deployment).await.with("MARKT_SESSION__MAX_PER_USER", "3").start().await;
    let mut secrets = secrets_of(&server, 3).await;
    for _ in 0..3 {
        server.clock().advance(SECOND);
        let old = secrets.pop().unwrap();
        secrets.push(server.with_cookie(&old).log_in(EMAIL, PASSWORD).await.session_cookie().value);
        server.assert_dead(&old).await;
        for secret in &secrets {
            server.assert_alive(secret, "both1").await;
        }
    }
}

async fn logins_with_one_old_session_never_leave_more_sessions_than_a_user_may_have(deployment: Deployment) {
    let server = Setup::of(deployment).await.with("MARKT_SESSION__MAX_PER_USER", "3").start().await;
    let former = secrets_of(&server, 3).await.pop().unwrap();
    let present = server.with_cookie(&former).post_nothing("/users/switch-role").await.session_cookie().value;
    // Several secrets and several logins, and yet but one session that gives way to them.
    let mut logins = JoinSet::new();
    for _ in 0..4 {
        let client = server.with_cookie(&format!("{former}; markt_session={present}"));
        logins.spawn(async move { client.log_in(EMAIL, PASSWORD).await });
    }
    let mut alive = Vec::new();
    for answer in logins.join_all().await {
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let secret = answer.session_cookie().value;
        if server.with_cookie(&secret).get("/session").await.status == StatusCode::OK {
            alive.push(secret);
        }
    }
    let left = ids(&server, &alive[0]).await;
    assert!(left.len() <= 3, "{left:?}");
}

async fn logins_at_once_never_leave_more_sessions_than_a_user_may_have(deployment: Deployment) {
    const LOGINS: usize = 12;
    let server = Setup::of(deployment).await.with("MARKT_SESSION__MAX_PER_USER", "3").start().await;
    for _ in 0..3 {
        server.clock().advance(SECOND);
        let mut logins = JoinSet::new();
        for _ in 0..LOGINS {
            let client = server.without_cookies();
            logins.spawn(async move { client.log_in(EMAIL, PASSWORD).await });
        }
        let mut alive = Vec::new();
        for answer in logins.join_all().await {
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            let secret = answer.session_cookie().value;
            if server.with_cookie(&secret).get("/session").await.status == StatusCode::OK {
                alive.push(secret);
            }
        }
        assert_eq!(alive.len(), 3);
        assert_eq!(ids(&server, &alive[0]).await.len(), 3);
    }
}

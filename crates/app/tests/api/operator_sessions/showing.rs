//! What is shown of one session, and why it would be refused.

use serde_json::{Value, json};

use super::{APP, BUYER, alone, log_in, tamper, user_id};
use crate::on_both_deployments;
use crate::process::{assert_failed, run, run_with_input, said, said_json};
use crate::server::{Deployment, PASSWORD, Server, public_id};

on_both_deployments!(
    a_session_is_shown_whole_and_would_be_let_in,
    a_secret_finds_its_session_and_is_shown_nowhere,
    each_reason_to_refuse_a_session_is_told_as_a_client_meets_it,
    a_replaced_secret_is_told_from_the_one_that_counts,
    what_is_gone_says_how_it_ended,
    what_can_be_no_id_is_wrong_usage_and_isnt_repeated,
);

async fn show(server: &Server, id: &str) -> Value {
    said_json(&server.setup, &["sessions", "show", id, "--json"]).await
}

async fn a_session_is_shown_whole_and_would_be_let_in(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    let id = public_id(&secret);
    let shown = show(&server, &id).await;
    let seen = server.session_of(&secret).await;
    for (name, value) in seen.as_object().unwrap().iter().filter(|(name, _)| *name != "fresh") {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!((&shown["user_email"], &shown["user_is_active"]), (&json!(BUYER), &json!(true)));
    assert_eq!((&shown["let_in"], &shown["reason"]), (&json!(true), &Value::Null));
    match deployment {
        Deployment::Embedded => {
            assert_eq!((&shown["store"], &shown["place"]), (&json!("SQLite"), &json!("auth_sessions")));
            assert_eq!(shown["time_to_live_seconds"], Value::Null);
        }
        Deployment::Full => {
            assert_eq!((&shown["store"], &shown["place"]), (&json!("Redis"), &json!(format!("session:{id}"))));
            let week = 7 * 24 * 3600;
            let ttl = shown["time_to_live_seconds"].as_u64().unwrap();
            assert!((week - 60..=week).contains(&ttl), "{ttl}");
        }
    }
    let text = said(&server.setup, &["sessions", "show", &id]).await;
    assert!(text.contains("It would be let in now"), "{text}");
    for (name, value) in shown.as_object().unwrap() {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let value = if value == "null" { "-".to_owned() } else { value };
        assert!(text.lines().any(|line| line.starts_with(name) && line.contains(&value)), "{name}: {text}");
    }
}

async fn a_secret_finds_its_session_and_is_shown_nowhere(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    for (format, input) in [(&["--json"][..], format!("{secret}\n")), (&[], secret.clone())] {
        let arguments = [&["sessions", "show", "--secret-stdin"], format].concat();
        let output = run_with_input(&server.setup, &arguments, &input).await;
        assert!(output.status.success(), "{output:?}");
        let all = format!("{output:?}");
        assert!(all.contains(&public_id(&secret)) && !all.contains(&secret), "{all}");
    }
    let arguments = ["sessions", "show", "--secret-stdin"];
    for no_secret in ["", "\n", "no secret"] {
        let output = run_with_input(&server.setup, &arguments, no_secret).await;
        assert_failed(&output, 1, "not of a session secret's form");
    }
    let unknown = "x".repeat(43);
    let output = run_with_input(&server.setup, &arguments, &unknown).await;
    assert_failed(&output, 1, "there is no session");
    assert!(!format!("{output:?}").contains(&unknown), "{output:?}");
}

async fn each_reason_to_refuse_a_session_is_told_as_a_client_meets_it(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut secrets = Vec::new();
    for _ in 0..2 {
        secrets.push(log_in(&server, BUYER, APP).await);
    }
    let [idle, other] = &secrets[..] else { panic!("two sessions") };
    let user = user_id(&server, BUYER).await;
    let shown = show(&server, &public_id(idle)).await;
    let (idle_end, end) = (shown["idle_expires_at"].as_str().unwrap(), shown["expires_at"].as_str().unwrap());
    // Whole seconds, as programs see them; in Redis the milliseconds follow.
    let year = |time: &str| time.trim_end_matches('Z').replace("2026-", "2006-").replace("2027-", "2007-");
    let in_redis = |name: &str, time: &str| {
        (format!("\"{name}\":\"{}", time.trim_end_matches('Z')), format!("\"{name}\":\"{}", year(time)))
    };
    let (from, to) = in_redis("idle_expires_at", idle_end);
    tamper(&server, &public_id(idle), (&from, &to), "idle_expires_at = 1").await;
    assert_refused(&server, idle, "idle_timeout", "idle timeout").await;
    let (from, to) = in_redis("expires_at", end);
    tamper(&server, &public_id(idle), (&from, &to), "expires_at = 1").await;
    assert_refused(&server, idle, "absolute_timeout", "absolute timeout").await;

    server.setup.execute_sql(&format!("UPDATE users SET is_active = false WHERE id = '{user}'")).await;
    assert_refused(&server, other, "user_deactivated", "deactivated").await;
    server.setup.execute_sql(&format!("UPDATE users SET is_active = true WHERE id = '{user}'")).await;
    let epoch = format!("UPDATE auth_user_states SET session_epoch = session_epoch + 1 WHERE user_id = '{user}'");
    server.setup.execute_sql(&epoch).await;
    assert_refused(&server, other, "epoch_ended", "of epoch 0, and the user's is 1").await;
    for table in ["buyers", "users"] {
        let column = if table == "users" { "id" } else { "user_id" };
        server.setup.execute_sql(&format!("DELETE FROM {table} WHERE {column} = '{user}'")).await;
    }
    assert_refused(&server, other, "user_gone", &format!("there is no user {user}")).await;
}

/// Makes sure that the command says why, and that the server refuses what it said is refused.
async fn assert_refused(server: &Server, secret: &str, reason: &str, words: &str) {
    let id = public_id(secret);
    let shown = show(server, &id).await;
    assert_eq!((&shown["let_in"], &shown["reason"]), (&json!(false), &json!(reason)), "{shown}");
    let text = said(&server.setup, &["sessions", "show", &id]).await;
    let verdict = text.lines().last().unwrap();
    assert!(verdict.starts_with("It would be refused now: ") && verdict.contains(words), "{verdict}");
    // A node that has read the user before sees a change past the service a minute later.
    let node = server.twin().await;
    let answer = node.with_bearer(secret).get("/session?touch=false").await;
    assert_eq!(answer.status, 401, "{reason}: {answer:?}");
}

async fn a_replaced_secret_is_told_from_the_one_that_counts(deployment: Deployment) {
    let server = alone(deployment).await;
    let former = log_in(&server, BUYER, APP).await;
    let client = server.with_cookie(&former);
    let present = client.post("/users/reauthenticate", json!({"password": PASSWORD})).await.session_cookie().value;
    let (old, new) = (show(&server, &public_id(&former)).await, show(&server, &public_id(&present)).await);
    assert_eq!(old["id"], public_id(&present));
    assert_eq!((&old["let_in"], old["former_id_honoured_until"].is_string()), (&json!(true), true), "{old}");
    assert_eq!((&new["let_in"], new.get("former_id_honoured_until")), (&json!(true), None), "{new}");
    let text = said(&server.setup, &["sessions", "show", &public_id(&former)]).await;
    assert!(text.contains("Its secret was replaced"), "{text}");
}

async fn what_is_gone_says_how_it_ended(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    server.with_bearer(&secret).post_nothing("/users/logout").await.assert_status(204);
    let id = public_id(&secret);
    assert_failed(&run(&server.setup, &["sessions", "show", &id]).await, 1, "logged_out");
    let output = run(&server.setup, &["sessions", "show", &id, "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown, json!({"id": id, "let_in": false, "ending": "logged_out"}));
    let unknown = public_id(&"x".repeat(43));
    assert_failed(&run(&server.setup, &["sessions", "show", &unknown]).await, 1, "there is no session");
}

async fn what_can_be_no_id_is_wrong_usage_and_isnt_repeated(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    for arguments in [&["sessions", "show", &secret][..], &["sessions", "revoke", &secret]] {
        let output = run(&server.setup, arguments).await;
        assert_failed(&output, 2, "public id");
        assert!(!format!("{output:?}").contains(&secret), "{output:?}");
    }
    let id = public_id(&secret);
    for arguments in [
        &["sessions"][..],
        &["sessions", "show"],
        &["sessions", "show", &id, "--secret-stdin"],
        &["sessions", "list", "--limit", "0"],
        &["sessions", "list", "--role", "king"],
        &["sessions", "list", "--ip", "somewhere"],
        &["sessions", "list", "--inactive-for", "long"],
        &["sessions", "list", "--user-agent", " "],
        &["sessions", "list", "--email", BUYER, "--user", "USR_AAAAAAAA"],
    ] {
        assert_failed(&run(&server.setup, arguments).await, 2, "--help");
    }
    server.assert_alive(&secret, "buyer1").await;
}

//! `sessions watch`: what happens, as it happens.

use reqwest::StatusCode;
use serde_json::Value;

use super::{APP, BUYER, FIREFOX, SELLER, alone, log_in, user_id};
use crate::on_both_deployments;
use crate::process::{self, Following};
use crate::server::{Deployment, public_id};

on_both_deployments!(
    what_happens_is_shown_as_it_happens,
    what_happened_is_shown_by_user_and_by_kind,
    a_session_that_an_operator_revokes_is_shown,
);

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

async fn what_happens_is_shown_as_it_happens(deployment: Deployment) {
    let server = alone(deployment).await;
    let before = log_in(&server, SELLER, APP).await;
    let follow = Following::start(&server.setup, &["sessions", "watch", "--json", "--since", "1h"]);
    let mut follow = follow.until(|line| event(line)["session_id"] == public_id(&before)).await;
    let secret = log_in(&server, BUYER, FIREFOX).await;
    let shown = event(&follow.next_line().await);
    assert_eq!(shown["event"], "login_succeeded");
    assert_eq!(shown["session_id"], public_id(&secret));
    assert_eq!(shown["user_id"], user_id(&server, BUYER).await);
    assert_eq!((&shown["device"], &shown["ip_address"]), (&"Firefox on Linux".into(), &"127.0.0.1".into()));
    assert_eq!(server.with_cookie(&secret).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    let line = follow.next_line().await;
    assert_eq!(event(&line)["event"], "logged_out");
    assert!(!line.contains(&secret));
}

async fn what_happened_is_shown_by_user_and_by_kind(deployment: Deployment) {
    let server = alone(deployment).await;
    let (buyers, sellers) = (log_in(&server, BUYER, FIREFOX).await, log_in(&server, SELLER, APP).await);
    assert_eq!(server.with_cookie(&buyers).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
    let look = async |arguments: &[&str]| {
        let arguments = [&["sessions", "watch", "--no-follow", "--json", "--since", "1h"], arguments].concat();
        let output = process::run(&server.setup, &arguments).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(event).collect::<Vec<_>>()
    };
    let shown = async |arguments: &[&str], count: usize| {
        // What was answered is written down soon after.
        for _ in 0..100 {
            let events = look(arguments).await;
            if events.len() == count {
                return events;
            }
        }
        panic!("not {count} with {arguments:?}");
    };
    let id = user_id(&server, BUYER).await;
    let of_buyer = shown(&["--user", &id], 2).await;
    assert!(of_buyer.iter().all(|event| event["session_id"] == public_id(&buyers)), "{of_buyer:?}");
    let logins = shown(&["--event", "login_succeeded"], 2).await;
    assert_eq!(logins[1]["session_id"], public_id(&sellers));
    let output = process::run(&server.setup, &["sessions", "watch", "--no-follow", "--since", "1h"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("logged_out") && !text.contains("null"), "{text}");
    // A little before the time that is asked for.
    let before = "UPDATE auth_audit SET at = at - 3605000 WHERE id = (SELECT min(id) FROM auth_audit)";
    server.setup.execute_sql(before).await;
    let logins = look(&["--event", "login_succeeded"]).await;
    assert_eq!(logins.iter().map(|login| &login["session_id"]).collect::<Vec<_>>(), [&public_id(&sellers)]);
    for wrong in [["--event", "nothing"], ["--since", "yesterday"]] {
        let output = process::run(&server.setup, &[["sessions", "watch"], wrong].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

async fn a_session_that_an_operator_revokes_is_shown(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, FIREFOX).await;
    let revoked = process::run(&server.setup, &["sessions", "revoke", &public_id(&secret)]).await;
    assert!(revoked.status.success(), "{revoked:?}");
    let arguments = ["sessions", "watch", "--no-follow", "--json", "--since", "1h", "--event", "session_revoked"];
    let output = process::run(&server.setup, &arguments).await;
    let shown = event(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&shown["session_id"], &shown["ending"]), (&public_id(&secret).into(), &"revoked_by_operator".into()));
}

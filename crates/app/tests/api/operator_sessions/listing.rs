//! The list: what is in it, by which it is picked, and its pages.

use std::collections::BTreeSet;
use std::time::Duration;

use markt_domain::client::Client;
use markt_domain::session::Session;
use serde_json::Value;

use super::{APP, BUYER, FIREFOX, SELLER, alone, create, ids, listed, log_in, session_of, tamper, user_id};
use crate::on_both_deployments;
use crate::process::{assert_failed, run, run_unread, said, said_json};
use crate::server::{Deployment, Server, public_id};

on_both_deployments!(
    sessions_are_listed_as_their_users_see_them,
    each_condition_picks_what_it_says,
    pages_follow_each_other_through_thousands,
    what_cant_be_read_is_counted_and_hides_nothing,
    what_has_ended_is_not_listed,
    what_came_from_clients_moves_no_cursor,
    who_has_read_enough_ends_the_command_quietly,
);

async fn sessions_are_listed_as_their_users_see_them(deployment: Deployment) {
    let server = alone(deployment).await;
    let secrets = [log_in(&server, BUYER, FIREFOX).await, log_in(&server, SELLER, APP).await];
    let sessions = listed(&server, &[]).await;
    assert_eq!(sessions.len(), 2);
    for secret in &secrets {
        let seen = server.session_of(secret).await;
        let shown = sessions.iter().find(|session| session["id"] == seen["id"]).unwrap();
        for (name, value) in seen.as_object().unwrap().iter().filter(|(name, _)| *name != "fresh") {
            assert_eq!(&shown[name], value, "{name}");
        }
    }
    let text = said(&server.setup, &["sessions", "list"]).await;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (secret, device) in secrets.iter().zip(["Firefox on Linux", "okhttp"]) {
        let line = lines.iter().find(|line| line.ends_with(&public_id(secret))).unwrap();
        assert!(line.contains(device), "{line}");
        assert!(!text.contains(secret));
    }
    // The columns stand under their names.
    let column = lines[0].find("ID").unwrap();
    assert!(lines[1..].iter().all(|line| line.len() == column + 64), "{text}");
}

async fn each_condition_picks_what_it_says(deployment: Deployment) {
    let server = alone(deployment).await;
    let (buyer, seller) = (log_in(&server, BUYER, FIREFOX).await, log_in(&server, SELLER, APP).await);
    let old = session_of("USR_GONE0000");
    let days = |days: u64| Duration::from_secs(days * 24 * 3600);
    let long_ago = old.created_at.minus(days(10));
    let client = Client::new("10.1.2.3".parse().unwrap(), "Fox/1");
    let old = Session { created_at: long_ago, last_activity: old.created_at.minus(days(2)), client, ..old };
    create(&server, std::slice::from_ref(&old)).await;
    let (buyer, seller, old) = (public_id(&buyer), public_id(&seller), old.id.to_string());
    let id = user_id(&server, BUYER).await;
    let week_ago = listed(&server, &["--user", "USR_GONE0000"]).await[0]["last_activity"].clone();
    let week_ago = week_ago.as_str().unwrap().to_owned();
    for (arguments, expected) in [
        (&[][..], vec![&buyer, &seller, &old]),
        (&["--user", &id], vec![&buyer]),
        (&["--email", SELLER], vec![&seller]),
        (&["--ip", "10.0.0.0/8"], vec![&old]),
        (&["--ip", "127.0.0.1"], vec![&buyer, &seller]),
        (&["--user-agent", "GECKO"], vec![&buyer]),
        (&["--device", "okhttp"], vec![&seller]),
        (&["--device", "on linux"], vec![&buyer]),
        (&["--role", "seller"], vec![&seller]),
        (&["--transport", "cookie"], vec![&old]),
        (&["--created-before", "7d"], vec![&old]),
        (&["--created-after", "7d"], vec![&buyer, &seller]),
        (&["--created-after", &week_ago], vec![&buyer, &seller]),
        (&["--inactive-for", "36h"], vec![&old]),
        (&["--inactive-for", "3d"], vec![]),
        (&["--transport", "bearer", "--role", "buyer", "--email", BUYER], vec![&buyer]),
        (&["--email", BUYER, "--role", "seller"], vec![]),
    ] {
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(ids(&listed(&server, arguments).await), expected, "{arguments:?}");
    }
    assert_eq!(said(&server.setup, &["sessions", "list", "--inactive-for", "3d"]).await, "No sessions.\n");
    let output = run(&server.setup, &["sessions", "list", "--email", "nobody@markt.com"]).await;
    assert_failed(&output, 1, "there is no user nobody@markt.com");
}

/// All sessions with these arguments, page by page, and how many pages there were.
async fn pages(server: &Server, arguments: &[&str]) -> (Vec<Value>, usize) {
    let (mut sessions, mut count, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let from = cursor.as_deref().map_or_else(Vec::new, |cursor| vec!["--cursor", cursor]);
        let arguments = [&["sessions", "list", "--json"], arguments, from.as_slice()].concat();
        let page = said_json(&server.setup, &arguments).await;
        let page_sessions = page["sessions"].as_array().unwrap();
        sessions.extend(page_sessions.iter().cloned());
        count += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (sessions, count),
        }
    }
}

async fn pages_follow_each_other_through_thousands(deployment: Deployment) {
    const SESSIONS: usize = 3_000;
    let server = alone(deployment).await;
    let sessions: Vec<_> = (0..SESSIONS).map(|n| session_of(&format!("USR_{:08}", n % 1_000))).collect();
    create(&server, &sessions).await;
    let expected: BTreeSet<_> = sessions.iter().map(|session| session.id.to_string()).collect();
    for limit in ["400", "1700", "5000"] {
        let (listed, count) = pages(&server, &["--limit", limit]).await;
        assert_eq!(ids(&listed).into_iter().collect::<BTreeSet<_>>(), expected, "{limit}");
        assert_eq!(listed.len(), SESSIONS, "{limit}: one is listed twice");
        let least = SESSIONS.div_ceil(limit.parse().unwrap());
        assert!((least..=least + 1).contains(&count), "{limit}: {count} pages");
    }
    // Few of many: the pages are full all the same.
    let (of_one, count) = pages(&server, &["--user", "USR_00000007", "--limit", "2"]).await;
    assert_eq!((of_one.len(), count), (3, 2));
    let text = said(&server.setup, &["sessions", "list", "--limit", "10"]).await;
    assert_eq!(text.lines().filter(|line| line.starts_with("USR_")).count(), 10);
    assert!(text.contains("--cursor "), "{text}");
    for cursor in ["nothing", ":", "1:2:3", "%"] {
        let output = run(&server.setup, &["sessions", "list", "--cursor", cursor]).await;
        assert!(matches!(output.status.code(), Some(1 | 2)), "{cursor}: {output:?}");
        assert!(output.stdout.is_empty(), "{cursor}: {output:?}");
    }
}

async fn what_cant_be_read_is_counted_and_hides_nothing(deployment: Deployment) {
    let server = alone(deployment).await;
    let (spoilt, whole) = (log_in(&server, BUYER, APP).await, log_in(&server, SELLER, APP).await);
    let id = public_id(&spoilt);
    tamper(&server, &id, ("\"buyer\"", "\"king\""), "\"current_role\" = 'king'").await;
    let listing = said_json(&server.setup, &["sessions", "list", "--json"]).await;
    assert_eq!(listing["unreadable"], 1);
    assert_eq!(ids(listing["sessions"].as_array().unwrap()), [public_id(&whole)]);
    let text = said(&server.setup, &["sessions", "list"]).await;
    assert!(text.contains("1 record can't be read"), "{text}");
    assert_eq!(said_json(&server.setup, &["sessions", "stats", "--json"]).await["unreadable"], 1);
    assert_failed(&run(&server.setup, &["sessions", "show", &id]).await, 1, "can't be read as a session");
    // It can be removed all the same.
    said(&server.setup, &["sessions", "revoke", &id]).await;
    assert_eq!(said_json(&server.setup, &["sessions", "list", "--json"]).await["unreadable"], 0);
}

async fn what_has_ended_is_not_listed(deployment: Deployment) {
    let server = alone(deployment).await;
    let secret = log_in(&server, BUYER, APP).await;
    let kept = log_in(&server, BUYER, APP).await;
    server.with_bearer(&secret).post_nothing("/users/logout").await.assert_status(204);
    let expired = Session { idle_expires_at: session_of("USR_00000001").created_at, ..session_of("USR_00000001") };
    create(&server, &[expired]).await;
    assert_eq!(ids(&listed(&server, &[]).await), [public_id(&kept)]);
}

async fn what_came_from_clients_moves_no_cursor(deployment: Deployment) {
    let server = alone(deployment).await;
    let session = session_of("USR_00000001");
    let client = Client { user_agent: "evil\u{1b}[2J\nUSR_FAKE".into(), ..session.client.clone() };
    let session = Session { client, ..session };
    create(&server, std::slice::from_ref(&session)).await;
    for arguments in [&["sessions", "list"][..], &["sessions", "show", &session.id.to_string()]] {
        let text = said(&server.setup, arguments).await;
        assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.starts_with("USR_FAKE")), "{text}");
    }
}

async fn who_has_read_enough_ends_the_command_quietly(deployment: Deployment) {
    let server = alone(deployment).await;
    log_in(&server, BUYER, APP).await;
    for arguments in [
        &["sessions", "list"][..],
        &["sessions", "list", "--json"],
        &["sessions", "stats"],
        &["config"],
        &["config", "--json"],
        &["openapi"],
    ] {
        let output = run_unread(&server.setup, arguments).await;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

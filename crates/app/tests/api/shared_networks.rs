//! Limits where many are behind one address: a neighbour who guesses locks nobody out who is known there, and nobody is
//! guessed at more often for it.

use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::limits::{ATTACKER, EMAIL, HOME, WRONG, assert_limited, at, reauthenticate, setup, use_up};
use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};

on_both_deployments!(
    a_neighbour_who_guesses_locks_nobody_out_of_where_they_logged_in_before,
    a_neighbour_gets_no_more_guesses_at_once_at_who_is_known_there_than_elsewhere,
    failures_of_who_is_known_count_for_the_network_too,
    where_accounts_are_not_limited_the_network_is_for_everybody,
    a_neighbour_who_guesses_keeps_nobody_who_is_logged_in_from_confirming_the_password,
    wrong_passwords_of_who_is_logged_in_count_for_the_network_too,
);

/// A server that takes five wrong passwords from a network.
async fn server(deployment: Deployment) -> Server {
    setup(deployment).await.with("MARKT_LIMITS__LOGIN_PER_IP", "5/15m").start().await
}

async fn assert_let_in(client: &Client, email: &str) {
    let answer = client.log_in(email, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{email}: {answer:?}");
}

/// Uses up what the network of this client may get wrong.
async fn fill_network(client: &Client) {
    for n in 0..5 {
        use_up(client, &format!("nobody{n}@markt.com"), 1).await;
    }
    assert_limited(&client.log_in("nobody@markt.com", WRONG).await);
}

async fn a_neighbour_who_guesses_locks_nobody_out_of_where_they_logged_in_before(deployment: Deployment) {
    let server = server(deployment).await;
    let home = at(&server, HOME);
    assert_let_in(&home, EMAIL).await;
    assert_let_in(&home, "both1@markt.com").await;
    fill_network(&home).await;
    assert_let_in(&home, EMAIL).await;
    // Who was never there is not let in, and can't be guessed at.
    for password in [PASSWORD, WRONG] {
        assert_limited(&home.log_in("seller1@markt.com", password).await);
    }
    // Who was there can be guessed at as often as ever.
    use_up(&home, EMAIL, 10).await;
    for password in [WRONG, PASSWORD] {
        assert_limited(&home.log_in(EMAIL, password).await);
    }
    assert_let_in(&home, "both1@markt.com").await;
    assert_let_in(&at(&server, ATTACKER), EMAIL).await;
}

async fn a_neighbour_gets_no_more_guesses_at_once_at_who_is_known_there_than_elsewhere(deployment: Deployment) {
    let server = server(deployment).await;
    let home = at(&server, HOME);
    assert_let_in(&home, EMAIL).await;
    fill_network(&home).await;
    for (email, allowed) in [(EMAIL, 10), ("seller1@markt.com", 0)] {
        let mut guesses = JoinSet::new();
        for _ in 0..30 {
            let client = home.clone();
            guesses.spawn(async move { client.log_in(email, WRONG).await });
        }
        let answers = guesses.join_all().await;
        let (told, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::UNAUTHORIZED);
        assert_eq!(told.len(), allowed, "{email}");
        for answer in refused {
            assert_limited(answer);
        }
    }
}

async fn failures_of_who_is_known_count_for_the_network_too(deployment: Deployment) {
    let server = server(deployment).await;
    let home = at(&server, HOME);
    assert_let_in(&home, EMAIL).await;
    use_up(&home, EMAIL, 5).await;
    assert_limited(&home.log_in("seller1@markt.com", PASSWORD).await);
    assert_let_in(&home, EMAIL).await;
}

async fn where_accounts_are_not_limited_the_network_is_for_everybody(deployment: Deployment) {
    let setup = setup(deployment).await.with("MARKT_LIMITS__LOGIN_PER_IP", "5/15m");
    let server = setup.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off").start().await;
    let home = server.browser().with_header("x-forwarded-for", HOME);
    assert_let_in(&home, EMAIL).await;
    use_up(&home, EMAIL, 5).await;
    assert_limited(&home.log_in(EMAIL, PASSWORD).await);
    assert_limited(&reauthenticate(&home, PASSWORD).await);
}

async fn a_neighbour_who_guesses_keeps_nobody_who_is_logged_in_from_confirming_the_password(deployment: Deployment) {
    let server = server(deployment).await;
    let browser = server.browser().with_header("x-forwarded-for", HOME);
    assert_let_in(&browser, EMAIL).await;
    fill_network(&at(&server, HOME)).await;
    assert_eq!(reauthenticate(&browser, PASSWORD).await.status, StatusCode::OK);
    for _ in 0..10 {
        reauthenticate(&browser, WRONG).await.assert_error(403, "wrong_password");
    }
    assert_limited(&reauthenticate(&browser, PASSWORD).await);
}

async fn wrong_passwords_of_who_is_logged_in_count_for_the_network_too(deployment: Deployment) {
    let server = server(deployment).await;
    let browser = server.browser().with_header("x-forwarded-for", HOME);
    assert_let_in(&browser, EMAIL).await;
    for _ in 0..5 {
        reauthenticate(&browser, WRONG).await.assert_error(403, "wrong_password");
    }
    assert_limited(&at(&server, HOME).log_in("seller1@markt.com", PASSWORD).await);
}

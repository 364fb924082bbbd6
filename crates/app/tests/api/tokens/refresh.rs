//! `POST /auth/refresh`

use std::collections::HashSet;

use serde_json::json;
use tokio::task::JoinSet;

use super::{GRACE, MOMENT, REFRESH_TTL, Tokens, assert_let_in, by_tokens, caller, claims, log_in, refresh};
use crate::on_both_deployments;
use crate::server::Deployment;
use crate::shapes::assert_keys;

on_both_deployments!(
    a_refresh_token_is_replaced_by_the_next,
    a_token_that_was_just_replaced_gets_the_same_child,
    many_refreshes_at_once_get_the_same_child,
    a_token_that_comes_again_later_ends_its_session,
    a_token_of_long_ago_ends_its_session_too,
    a_chain_goes_on_for_as_long_as_it_is_used_but_not_for_ever,
    what_is_no_refresh_token_gets_nothing,
    a_body_that_is_none_is_refused,
);

async fn a_refresh_token_is_replaced_by_the_next(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let mut tokens = log_in(&server).await;
    let session = claims(&tokens.access)["sid"].clone();
    let mut seen = HashSet::from([tokens.refresh.clone()]);
    for _ in 0..5 {
        server.clock().advance(GRACE + MOMENT);
        let answer = refresh(&server, &tokens.refresh).await;
        assert_keys(&answer.json(), &[&["access_token", "token_type", "expires_in", "refresh_token"]]);
        assert_eq!(answer.header("cache-control"), "no-store");
        tokens = Tokens::of(&answer);
        assert!(seen.insert(tokens.refresh.clone()), "a refresh token came twice");
        assert_eq!(claims(&tokens.access)["sid"], session, "it is the same session");
        assert_let_in(&server, &tokens).await;
    }
    let devices = caller(&server, &tokens).get("/users/sessions").await.json();
    assert_eq!(devices["items"].as_array().unwrap().len(), 1, "{devices}");
}

async fn a_token_that_was_just_replaced_gets_the_same_child(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let first = log_in(&server).await;
    let second = Tokens::of(&refresh(&server, &first.refresh).await);
    server.clock().advance(GRACE - MOMENT);
    let again = Tokens::of(&refresh(&server, &first.refresh).await);
    assert_eq!(again.refresh, second.refresh);
    assert_let_in(&server, &again).await;
    let third = Tokens::of(&refresh(&server, &second.refresh).await);
    assert_ne!(third.refresh, second.refresh);
    assert_let_in(&server, &third).await;
}

async fn many_refreshes_at_once_get_the_same_child(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let other = server.twin().await;
    let mut token = log_in(&server).await.refresh;
    for round in 0..10 {
        let mut asking = JoinSet::new();
        for n in 0..16 {
            let client = if n % 2 == 0 { server.without_cookies() } else { other.without_cookies() };
            let body = json!({ "refresh_token": token });
            asking.spawn(async move { Tokens::of(&client.post("/auth/refresh", body).await) });
        }
        let children: HashSet<_> = asking.join_all().await.into_iter().map(|tokens| tokens.refresh).collect();
        assert_eq!(children.len(), 1, "a fork in round {round}");
        token = children.into_iter().next().unwrap();
        assert_eq!(claims(&token)["gen"], round + 2);
    }
}

async fn a_token_that_comes_again_later_ends_its_session(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let (mine, others) = (log_in(&server).await, log_in(&server).await);
    let stolen = mine.refresh.clone();
    let mine = Tokens::of(&refresh(&server, &mine.refresh).await);
    server.clock().advance(GRACE + MOMENT);
    refresh(&server, &stolen).await.assert_error(401, "invalid_token");
    refresh(&server, &mine.refresh).await.assert_error(401, "invalid_token");
    assert_let_in(&server, &mine).await;
    let others = Tokens::of(&refresh(&server, &others.refresh).await);
    let devices = caller(&server, &others).get("/users/sessions").await.json();
    assert_eq!(devices["items"].as_array().unwrap().len(), 1, "the other session goes on: {devices}");
}

async fn a_token_of_long_ago_ends_its_session_too(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let first = log_in(&server).await;
    let second = Tokens::of(&refresh(&server, &first.refresh).await);
    let third = Tokens::of(&refresh(&server, &second.refresh).await);
    // In the grace of the second, but not by it.
    refresh(&server, &first.refresh).await.assert_error(401, "invalid_token");
    refresh(&server, &third.refresh).await.assert_error(401, "invalid_token");
}

async fn a_chain_goes_on_for_as_long_as_it_is_used_but_not_for_ever(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let unused = log_in(&server).await;
    let mut tokens = log_in(&server).await;
    server.clock().advance(REFRESH_TTL - MOMENT * 2);
    tokens = Tokens::of(&refresh(&server, &tokens.refresh).await);
    server.clock().advance(MOMENT * 3);
    refresh(&server, &unused.refresh).await.assert_error(401, "invalid_token");
    // `session.absolute_timeout` is 30 days.
    for _ in 0..3 {
        server.clock().advance(REFRESH_TTL - MOMENT * 5);
        tokens = Tokens::of(&refresh(&server, &tokens.refresh).await);
    }
    server.clock().advance(REFRESH_TTL - MOMENT * 5);
    refresh(&server, &tokens.refresh).await.assert_error(401, "invalid_token");
}

async fn what_is_no_refresh_token_gets_nothing(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    let tokens = log_in(&server).await;
    let stranger = log_in(&by_tokens(deployment).await.start().await).await;
    let long = "a".repeat(9000);
    for token in ["", "a.b.c", &tokens.access, &stranger.refresh, &long] {
        refresh(&server, token).await.assert_error(401, "invalid_token");
    }
    Tokens::of(&refresh(&server, &tokens.refresh).await);
}

async fn a_body_that_is_none_is_refused(deployment: Deployment) {
    let server = by_tokens(deployment).await.start().await;
    for body in [json!({}), json!({"refresh_token": 7}), json!({"refresh_token": null})] {
        let answer = server.client().post("/auth/refresh", body).await;
        answer.assert_error(422, "validation_failed");
        assert!(answer.errors("json")["refresh_token"].is_array(), "{answer:?}");
    }
    server.client().post_bytes("/auth/refresh", "{").await.assert_error(400, "malformed_body");
}

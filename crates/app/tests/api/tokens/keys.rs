//! What tokens are signed with.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;
use serde_json::json;

use super::{Tokens, assert_let_in, by_tokens, caller, log_in, part, refresh};
use crate::answer::Answer;
use crate::server::{Deployment, Server};
use crate::setup::Setup;

const SECRET: &str = "a secret of forty characters, for tests.";

async fn by_secret(secret: &str) -> Setup {
    let setup = by_tokens(Deployment::Embedded).await;
    setup.with("MARKT_JWT__ALGORITHM", "HS256").with("MARKT_JWT__SECRET", secret)
}

async fn published(server: &Server) -> Answer {
    Answer::of(server.client().request_at_root(Method::GET, "/.well-known/jwks.json")).await
}

#[tokio::test]
async fn a_key_pair_is_made_at_the_first_start_and_kept() {
    let setup = by_tokens(Deployment::Embedded).await;
    let file = setup.folder().join("jwt.pem");
    let server = setup.start().await;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else may read it");
    let (tokens, key) = (log_in(&server).await, std::fs::read(&file).unwrap());
    let published_before = published(&server).await.json();
    let server = server.stop().await.start().await;
    assert_eq!(std::fs::read(&file).unwrap(), key);
    assert_eq!(published(&server).await.json(), published_before);
    assert_let_in(&server, &tokens).await;
    Tokens::of(&refresh(&server, &tokens.refresh).await);
}

#[tokio::test]
async fn the_public_key_is_published_under_the_name_that_tokens_give_it() {
    let server = by_tokens(Deployment::Embedded).await.start().await;
    let answer = published(&server).await;
    answer.assert_status(200);
    let keys = answer.json();
    let key = &keys["keys"][0];
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1, "{keys}");
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")), "{key}");
    assert!(key.get("d").is_none(), "{key}");
    let header = part(&log_in(&server).await.access, 0);
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &json!("EdDSA")));
}

#[tokio::test]
async fn a_secret_is_not_published() {
    let server = by_secret(SECRET).await.start().await;
    assert_eq!(part(&log_in(&server).await.access, 0)["alg"], "HS256");
    published(&server).await.assert_error(404, "not_found");
    let server = Server::start(Deployment::Embedded).await;
    published(&server).await.assert_error(404, "not_found");
}

#[tokio::test]
async fn nodes_that_share_a_secret_accept_each_others_tokens_and_no_others() {
    let server = by_secret(SECRET).await.start().await;
    let tokens = log_in(&server).await;
    assert_let_in(&server.twin().await, &tokens).await;
    let setup = server.setup.clone().with("MARKT_JWT__SECRET", "another secret of forty-two characters, too");
    let stranger = setup.start().await;
    caller(&stranger, &tokens).get("/users/profile").await.assert_error(401, "invalid_token");
    refresh(&stranger, &tokens.refresh).await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn parties_stand_in_tokens_and_are_asked_for() {
    let parties =
        |setup: Setup, issuer: &str| setup.with("MARKT_JWT__ISSUER", issuer).with("MARKT_JWT__AUDIENCE", "markt");
    let server = parties(by_secret(SECRET).await, "https://auth.example.com").start().await;
    let tokens = log_in(&server).await;
    let claims = part(&tokens.access, 1);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://auth.example.com"), &json!("markt")));
    assert_let_in(&server, &tokens).await;
    let other = parties(server.setup.clone(), "https://auth.example.org").start().await;
    caller(&other, &tokens).get("/users/profile").await.assert_error(401, "invalid_token");
}

#[tokio::test]
async fn a_key_that_cant_be_used_stops_the_start_with_its_key_and_without_its_content() {
    let setup = by_tokens(Deployment::Embedded).await;
    std::fs::write(setup.folder().join("jwt.pem"), "geheim").unwrap();
    let error = setup.build().await.err().unwrap();
    let message =
        format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
    assert!(message.contains("jwt.private_key_file") && message.contains("jwt.pem"), "{message}");
    assert!(!message.contains("geheim"), "{message}");
}

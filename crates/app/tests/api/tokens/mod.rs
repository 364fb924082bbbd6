//! The service where it works by tokens (`auth.mode = jwt`).

mod keys;
mod refresh;
mod revocation;
mod use_of_tokens;

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Client;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

/// The defaults of `jwt.access_ttl`, `jwt.refresh_ttl` and `session.rotation_grace`.
const ACCESS_TTL: Duration = Duration::from_secs(15 * 60);
const REFRESH_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
const GRACE: Duration = Duration::from_secs(10);

const MOMENT: Duration = Duration::from_secs(1);

const EMAIL: &str = "both1@markt.com";

/// The setup of a server that works by tokens, with a key of its own.
pub async fn by_tokens(deployment: Deployment) -> Setup {
    let setup = Setup::of(deployment).await.with("MARKT_AUTH__MODE", "jwt");
    let key = setup.folder().join("jwt.pem").display().to_string();
    setup.with("MARKT_JWT__PRIVATE_KEY_FILE", key)
}

/// What a login, or whatever else hands out tokens, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// The tokens of this answer, which has to have them all.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{answer:?}");
        assert!(!answer.sets_cookie(), "{answer:?}");
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer", "{body}");
        assert_eq!(body["expires_in"], ACCESS_TTL.as_secs(), "{body}");
        assert!(body.get("token").is_none(), "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

async fn log_in(server: &Server) -> Tokens {
    Tokens::of(&server.without_cookies().log_in(EMAIL, PASSWORD).await)
}

async fn refresh(server: &Server, token: &str) -> Answer {
    server.without_cookies().post("/auth/refresh", json!({ "refresh_token": token })).await
}

pub fn caller(server: &Server, tokens: &Tokens) -> Client {
    server.with_bearer(&tokens.access)
}

async fn assert_let_in(server: &Server, tokens: &Tokens) {
    let answer = caller(server, tokens).get("/users/profile").await;
    assert_eq!((answer.status, &answer.json()["username"]), (StatusCode::OK, &json!("both1")), "{answer:?}");
}

/// The claims of a token, which nobody vouches for here.
fn claims(token: &str) -> Value {
    part(token, 1)
}

/// A part of a token: 0 is its header, 1 are its claims.
fn part(token: &str, place: usize) -> Value {
    use base64::Engine as _;
    let text = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

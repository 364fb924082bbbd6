//! The service where it works by tokens (`auth.mode = jwt`).

mod dual;
mod exchange;
mod keys;
mod refresh;
mod revocation;
mod use_of_tokens;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::entropy::Entropy as _;
use markt_test_support::entropy::MachineEntropy;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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

/// What the system signed its tokens with that the service takes the place of.
pub const LEGACY_SECRET: &str = "the old system's secret of forty-odd characters";

/// The setup of a server that works by sessions, and accepts its own tokens and those of the old system.
pub async fn by_either(deployment: Deployment) -> Setup {
    let setup = by_tokens(deployment).await.with("MARKT_AUTH__MODE", "dual");
    setup.with("MARKT_JWT__LEGACY__SECRET", LEGACY_SECRET)
}

/// A token of the old system for this user, with what else it is to say; a claim that is to be null is left out.
pub async fn legacy_token(server: &Server, username: &str, claims: Value) -> String {
    let user = server.setup.query_texts(&format!("SELECT id FROM users WHERE username = '{username}'")).await.concat();
    let now = server.clock().now().unix_milliseconds() / 1000;
    let jti = format!("{:016x}", rand());
    let mut all = json!({"sub": user, "jti": jti, "iat": now, "exp": now + 3600});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    signed(&all, LEGACY_SECRET)
}

/// A token signed with HS256 (RFC 7515, appendix A.1).
pub fn signed(claims: &Value, secret: &str) -> String {
    let [head, body] =
        [&json!({"alg": "HS256", "typ": "JWT"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{head}.{body}");
    let signature = hmac_sha256(secret.as_bytes(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// RFC 2104, for keys of a block at most.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| -> Vec<u8> {
        let bytes = key.iter().copied().chain(std::iter::repeat(0)).take(64);
        bytes.map(|byte| byte ^ pad).collect()
    };
    let inner = Sha256::digest([padded(0x36).as_slice(), message].concat());
    Sha256::digest([padded(0x5c).as_slice(), &inner].concat()).into()
}

fn rand() -> u64 {
    let mut bytes = [0; 8];
    MachineEntropy.fill(&mut bytes);
    u64::from_be_bytes(bytes)
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
    let text = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

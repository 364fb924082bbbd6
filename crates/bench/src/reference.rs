//! The servers that the service is compared with: the same HTTP library, runtime and allocator, and nothing of its work.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use clap::Subcommand;
use fred::clients::Pool;
use fred::interfaces::KeysInterface as _;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use hyper::body::Bytes;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::cli::Error;
use crate::entropy::random;
use crate::redis;

/// Where the service gives a profile, and where these give what they recorded of it.
pub(crate) const PROFILE: &str = "/api/v1/users/profile";

/// The life of the token that the HS256 server accepts: longer than a benchmark.
const TOKEN_LIFE_SECONDS: u64 = 24 * 60 * 60;

/// What a server does before it answers.
#[derive(Subcommand)]
pub(crate) enum Reference {
    /// Nothing
    Bare,
    /// Nothing, whatever is asked
    Backend,
    /// Verifies a token signed with HS256, of its own making
    Hs256,
    /// Reads a key from Redis
    OneGet {
        /// The URL of the Redis
        #[arg(long)]
        redis: String,
        /// The key, which must be there
        #[arg(long)]
        key: String,
    },
}

/// Serves on a free port, which it says on standard error as the service does.
pub(crate) async fn serve(answer: &Path, reference: Reference) -> Result<(), Error> {
    let answer = Arc::new(Answer::read(answer)?);
    let (router, token) = match reference {
        Reference::Bare => (Router::new().route(PROFILE, get(bare)).with_state(answer), None),
        Reference::Backend => (Router::new().fallback(bare).with_state(answer), None),
        Reference::Hs256 => {
            let (verifier, token) = Verifier::with_token(answer)?;
            (Router::new().route(PROFILE, get(verify)).with_state(Arc::new(verifier)), Some(token))
        }
        Reference::OneGet { redis, key } => {
            let reader = Reader { answer, pool: redis::service_like_pool(&redis).await?, key };
            (Router::new().route(PROFILE, get(read)).with_state(Arc::new(reader)), None)
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    // As the service's own listener.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    eprintln!("{}", json!({ "message": "serving", "address": address, "token": token }));
    Ok(axum::serve(listener, router).await?)
}

async fn bare(State(answer): State<Arc<Answer>>) -> Response {
    answer.give()
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    jti: String,
    iat: u64,
    exp: u64,
}

struct Verifier {
    answer: Arc<Answer>,
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// With a key that nobody else has, and a token that it accepts.
    fn with_token(answer: Arc<Answer>) -> Result<(Self, String), Error> {
        let key: [u8; 32] = random()?;
        let now = jsonwebtoken::get_current_timestamp();
        let claims = Claims {
            sub: "USR_00000000".into(),
            jti: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
            iat: now,
            exp: now + TOKEN_LIFE_SECONDS,
        };
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(&key))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        Ok((Self { answer, key: DecodingKey::from_secret(&key), validation }, token))
    }
}

async fn verify(State(verifier): State<Arc<Verifier>>, headers: HeaderMap) -> Response {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let claims = token.map(|token| jsonwebtoken::decode::<Claims>(token, &verifier.key, &verifier.validation));
    match claims {
        Some(Ok(_)) => verifier.answer.give(),
        Some(Err(_)) | None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

struct Reader {
    answer: Arc<Answer>,
    pool: Pool,
    key: String,
}

async fn read(State(reader): State<Arc<Reader>>) -> Response {
    let connection = redis::next(&reader.pool);
    let found: Result<Option<Bytes>, _> = connection.get(reader.key.as_str()).await;
    match found {
        Ok(Some(_)) => reader.answer.give(),
        Ok(None) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

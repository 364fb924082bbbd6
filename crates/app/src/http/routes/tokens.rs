//! `POST /auth/exchange`, `POST /auth/refresh` and `GET /.well-known/jwks.json`: what there is where the service works by tokens.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use markt_domain::audit::{AuditEvent, AuditRecord};
use markt_domain::tokens::Token;
use utoipa::ToSchema;

use super::new_session::{WantedSession, hand_out};
use crate::http::App;
use crate::http::adoption::{ForeignCookies, retire_after_login};
use crate::http::authenticated::BearerTokens;
use crate::http::body::Json;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody, ErrorType};
use crate::http::fields::{Fields, FromFields, token};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{TokensBody, UserBody, WithToken};

/// A refresh token.
#[derive(ToSchema)]
pub struct RefreshBody {
    #[schema(value_type = String)]
    refresh_token: Token,
}

impl FromFields for RefreshBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { refresh_token: fields.required("refresh_token", token)? })
    }
}

/// Get new tokens.
///
/// The refresh token is replaced by the next. It gets the same answer for a moment (`session.rotation_grace`); if it comes
/// again later, its session ends, since it may have been stolen.
#[utoipa::path(
    post, path = "/auth/refresh", context_path = BASE_PATH, tag = "tokens", operation_id = "refresh",
    request_body = RefreshBody,
    responses(
        (status = 200, description = "New tokens", body = TokensBody),
        (status = 400, description = "`malformed_body`, `bad_request`", body = ErrorBody),
        (status = 401, description = "`invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 404, description = "`not_found`: the service doesn't work by tokens", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn refresh(
    State(app): State<App>,
    RequestClient(client): RequestClient,
    Json(body): Json<RefreshBody>,
) -> Result<Response, ApiError> {
    let refresh = app.refresh_tokens.as_ref().ok_or_else(|| ApiError::new(ErrorType::NotFound))?;
    let tokens = refresh.execute(body.refresh_token.expose()).await.inspect_err(|reason| {
        app.audit.record(AuditRecord::new(AuditEvent::RefreshFailed).by(&client).because(reason));
    })?;
    Ok(axum::Json(TokensBody::new(&tokens)).into_response())
}

/// Get a session for a token.
///
/// While clients go over from tokens to sessions (`auth.mode = dual`): the holder of an access token, of this service or of
/// the system before it, is answered as at a login, without a password. The session isn't fresh. A token is good for one
/// session, and for none if it was issued before the user's sessions were last ended everywhere.
#[utoipa::path(
    post, path = "/auth/exchange", context_path = BASE_PATH, tag = "tokens", operation_id = "exchange",
    params(("X-Session-Transport" = Option<String>, Header, description = "`bearer` or `cookie`")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Logged in", body = WithToken<UserBody>),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 404, description = "`not_found`: the service doesn't work by both", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn exchange(
    State(app): State<App>,
    wanted: WantedSession,
    foreign: ForeignCookies,
    BearerTokens(tokens): BearerTokens,
) -> Result<Response, ApiError> {
    let exchange = app.exchange_token.as_ref().ok_or_else(|| ApiError::new(ErrorType::NotFound))?;
    let tokens: Vec<_> = tokens.iter().map(Token::expose).collect();
    let request = wanted.remembered(true);
    let exchanged = exchange.execute(&tokens, &request).await.inspect_err(|reason| {
        app.audit.record(AuditRecord::new(AuditEvent::ExchangeFailed).by(&request.client).because(reason));
    })?;
    retire_after_login(&app, &foreign).await;
    let user = UserBody::new(exchanged.account.user(), exchanged.issued.session.current_role);
    Ok(hand_out(&app, StatusCode::OK, user, &exchanged.issued))
}

/// Public keys (RFC 7517).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written where the keys are")]
pub struct JwksBody {
    keys: Vec<JwkBody>,
}

/// A public key for EdDSA (RFC 8037).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written where the keys are")]
struct JwkBody {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: &'static str,
    #[schema(example = "sig")]
    r#use: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    /// The name that tokens give it.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: &'static str,
}

/// The public keys by which others can verify access tokens (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "jwks",
    responses(
        (status = 200, description = "The keys", body = JwksBody),
        (status = 404, description = "`not_found`: tokens aren't signed with EdDSA here", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
    )
)]
pub async fn jwks(State(app): State<App>) -> Result<Response, ApiError> {
    let keys = app.jwks.clone().ok_or_else(|| ApiError::new(ErrorType::NotFound))?;
    Ok(([(CONTENT_TYPE, "application/json")], keys).into_response())
}

//! `GET /sessions/verify`: forward authentication, for a gateway in front of other services.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::http::authenticated::Authenticated;
use crate::http::error::ErrorBody;
use crate::http::openapi::BASE_PATH;

/// Who asks, in headers.
///
/// For a gateway that asks before it lets a request through to another service. It must pass the request's cookies,
/// `Authorization` and `User-Agent` on to this route, and this answer's `X-Auth-` headers to the service, in place of
/// any that came with the request. The answer's `Set-Cookie`, if any, belongs to the client.
#[utoipa::path(
    get, path = "/sessions/verify", context_path = BASE_PATH, tag = "sessions", operation_id = "verify_session",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "The caller is logged in", headers(
            ("X-Auth-User-Id" = String, description = "The user's id"),
            ("X-Auth-Username" = String, description = "The user's name"),
            ("X-Auth-Role" = String, description = "`buyer` or `seller`"),
            ("X-Auth-Session" = String, description = "The session's public id"),
            ("X-Auth-Fresh" = String, description = "`true` if the password was given recently, else `false`"),
        )),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn verify(Authenticated(caller): Authenticated) -> Response {
    let (session, user) = (&caller.session, caller.account.user());
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        ("x-auth-user-id", session.user_id.as_str()),
        ("x-auth-username", user.username.as_str()),
        ("x-auth-role", session.current_role.as_str()),
        ("x-auth-session", &session.id.to_string()),
        ("x-auth-fresh", if caller.is_fresh { "true" } else { "false" }),
    ] {
        // A name of old may hold anything; what a header can't hold is no name that a service could use.
        let value = HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""));
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

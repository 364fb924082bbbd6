//! `GET /session`

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use markt_domain::ports::authenticator::Activity;

use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::body::QueryString;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, flag};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::SessionBody;

/// Whether asking counts as a use of the session.
struct SessionQuery {
    touch: bool,
}

impl FromFields for SessionQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { touch: fields.optional("touch", flag).unwrap_or(true) })
    }
}

/// The caller, whose session may be looked at without being used.
pub struct Polling(Authenticated);

impl FromRequestParts<App> for Polling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let QueryString(query) = QueryString::<SessionQuery>::from_request_parts(parts, app).await?;
        let activity = if query.touch { Activity::Use } else { Activity::Look };
        Authenticated::find(parts, app, activity).await.map(Self)
    }
}

/// This session.
#[utoipa::path(
    get, path = "/session", context_path = BASE_PATH, tag = "sessions", operation_id = "session",
    params(("touch" = Option<bool>, Query, description = "`false` looks without keeping the session alive, for pages \
                                                          that poll")),
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The session", body = SessionBody),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn session(Polling(Authenticated(caller)): Polling) -> Response {
    axum::Json(SessionBody::new(&caller.session, caller.is_fresh)).into_response()
}

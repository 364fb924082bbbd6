//! `POST /users/logout`

use axum::extract::State;
use axum::response::Response;
use markt_domain::use_cases::log_out::Extent;

use super::new_session::logged_out;
use crate::http::App;
use crate::http::adoption::{ForeignCookies, retire};
use crate::http::authenticated::Authenticated;
use crate::http::body::QueryString;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, flag};
use crate::http::openapi::BASE_PATH;

/// How far a logout goes.
pub struct LogoutQuery {
    everywhere: bool,
}

impl FromFields for LogoutQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { everywhere: fields.optional("everywhere", flag).unwrap_or(false) })
    }
}

/// Log out.
///
/// Ends the session, or all of the user's sessions on all devices, and clears the cookie. Where the service works by
/// tokens, refresh tokens are void at once, and access tokens when they expire.
#[utoipa::path(
    post, path = "/users/logout", context_path = BASE_PATH, tag = "users", operation_id = "logout",
    params(("everywhere" = Option<bool>, Query, description = "Whether all of the user's sessions end")),
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "Logged out"),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn logout(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    foreign: ForeignCookies,
    RequestClient(client): RequestClient,
    QueryString(query): QueryString<LogoutQuery>,
) -> Result<Response, ApiError> {
    let extent = if query.everywhere { Extent::Everywhere } else { Extent::ThisSession };
    retire(&app, &foreign).await?;
    app.log_out.execute(&caller, &client, extent).await?;
    Ok(logged_out(&app))
}

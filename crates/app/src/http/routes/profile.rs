//! `GET /users/profile`

use axum::response::{IntoResponse as _, Response};

use crate::http::authenticated::Authenticated;
use crate::http::error::ErrorBody;
use crate::http::representation::ProfileBody;

/// The caller's profile.
#[utoipa::path(
    get, path = "/users/profile", tag = "users", operation_id = "profile",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The profile", body = ProfileBody),
        (status = 400, description = "`ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn profile(Authenticated(caller): Authenticated) -> Response {
    axum::Json(ProfileBody::new(&caller.account.profile, caller.session.current_role)).into_response()
}

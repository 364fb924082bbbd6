//! `GET /users/sessions`, `DELETE /users/sessions` and `DELETE /users/sessions/{id}`: a user's devices.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use markt_domain::session::SessionId;
use markt_domain::use_cases::devices::Revoked;
use serde::Serialize;
use utoipa::ToSchema;

use super::new_session::logged_out;
use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody, ErrorType};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::SessionBody;

/// A user's sessions.
#[derive(Serialize, ToSchema)]
pub struct DevicesBody<'a> {
    /// The one that was used last stands first.
    items: Vec<DeviceBody<'a>>,
}

/// A session among the user's others.
#[derive(Serialize, ToSchema)]
struct DeviceBody<'a> {
    #[serde(flatten)]
    session: SessionBody<'a>,
    /// Whether it is the caller's own.
    current: bool,
    /// What the user agent says of the device.
    #[schema(example = "Firefox on Linux")]
    device: String,
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub struct RevokedBody {
    #[schema(example = 2)]
    revoked: u64,
}

/// The caller's sessions on all devices.
#[utoipa::path(
    get, path = "/users/sessions", context_path = BASE_PATH, tag = "sessions", operation_id = "sessions",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The sessions, the one that was used last first", body = DevicesBody),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, Authenticated(caller): Authenticated) -> Result<Response, ApiError> {
    let listed = app.devices.list(&caller).await?;
    let items = listed
        .iter()
        .map(|listed| DeviceBody {
            session: SessionBody::new(&listed.session, listed.is_fresh),
            current: listed.is_current,
            device: listed.device.to_string(),
        })
        .collect();
    Ok(Json(DevicesBody { items }).into_response())
}

/// End one of the caller's sessions.
///
/// Another one than the caller's own takes a fresh session. The caller's own is logged out.
#[utoipa::path(
    delete, path = "/users/sessions/{id}", context_path = BASE_PATH, tag = "sessions", operation_id = "revoke_session",
    params(("id" = String, Path, description = "The session's public id")),
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 204, description = "It has ended"),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`reauthentication_required`, `cross_origin_refused`", body = ErrorBody),
        (status = 404, description = "`not_found`: the caller has no such session", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn revoke(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RequestClient(client): RequestClient,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id: SessionId = id.parse().map_err(|_| ApiError::new(ErrorType::NotFound))?;
    Ok(match app.devices.revoke(&caller, &client, &id).await? {
        Revoked::ThisSession => logged_out(&app),
        Revoked::Another => StatusCode::NO_CONTENT.into_response(),
    })
}

/// End all of the caller's sessions but this one.
///
/// Takes a fresh session.
#[utoipa::path(
    delete, path = "/users/sessions", context_path = BASE_PATH, tag = "sessions", operation_id = "revoke_other_sessions",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "How many have ended", body = RevokedBody),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`reauthentication_required`, `cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn revoke_others(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RequestClient(client): RequestClient,
) -> Result<Json<RevokedBody>, ApiError> {
    let revoked = app.devices.revoke_others(&caller, &client).await?;
    Ok(Json(RevokedBody { revoked }))
}

//! `POST /users/switch-role`

use axum::extract::State;
use axum::response::Response;
use markt_domain::audit::{AuditEvent, AuditRecord};
use serde::Serialize;
use utoipa::ToSchema;

use super::new_session::hand_out_changed;
use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{RoleName, UserBody, WithToken};

/// The role before and after.
#[derive(Serialize, ToSchema)]
pub struct SwitchedBody<'a> {
    #[schema(example = true)]
    success: bool,
    previous_role: RoleName,
    current_role: RoleName,
    #[schema(example = "Switched to seller")]
    message: String,
    user: UserBody<'a>,
}

/// Act in the other role, on this device.
///
/// A cookie session has a new secret then; a bearer session keeps its own. Where the service works by tokens, there is a new
/// access token.
#[utoipa::path(
    post, path = "/users/switch-role", context_path = BASE_PATH, tag = "users", operation_id = "switch_role",
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Switched", body = WithToken<SwitchedBody>),
        (status = 400, description = "`bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`role_unavailable`, `cross_origin_refused`, \
                                      `reauthentication_required`: the token belongs to no session", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn switch_role(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RequestClient(client): RequestClient,
) -> Result<Response, ApiError> {
    let changed = app.switch_role.execute(&caller).await?;
    let role = changed.session.current_role;
    app.audit.record(AuditRecord::new(AuditEvent::RoleSwitched).of_session(&changed.session).by(&client).because(role));
    let body = SwitchedBody {
        success: true,
        previous_role: role.other().into(),
        current_role: role.into(),
        message: format!("Switched to {role}"),
        user: UserBody::new(caller.account.user(), role),
    };
    Ok(hand_out_changed(&app, body, &changed))
}

//! `POST /users/reauthenticate`

use axum::extract::State;
use axum::response::Response;
use markt_domain::audit::{AuditEvent, AuditRecord};
use markt_domain::credentials::Password;
use utoipa::ToSchema;

use super::new_session::hand_out_changed;
use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::body::Json;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, password};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{SessionBody, WithToken};

/// The caller's password.
#[derive(ToSchema)]
pub struct ReauthenticateBody {
    #[schema(value_type = String, example = "Password123")]
    password: Password,
}

impl FromFields for ReauthenticateBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("password", password).map(|password| Self { password })
    }
}

/// Give the password again.
///
/// The session is fresh again, and has a new secret: in the cookie, and as `token` for a bearer session. Who comes with
/// a secret that was just replaced gets no other, and isn't fresh by it: the present one is.
#[utoipa::path(
    post, path = "/users/reauthenticate", context_path = BASE_PATH, tag = "sessions", operation_id = "reauthenticate",
    request_body = ReauthenticateBody,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The session, as `GET /session` has it", body = WithToken<SessionBody>),
        (status = 400, description = "`malformed_body`, `bad_request`, `ambiguous_credentials`", body = ErrorBody),
        (status = 401, description = "`not_authenticated`, `session_expired`, `session_revoked`, `invalid_token`", body = ErrorBody),
        (status = 403, description = "`wrong_password`, `cross_origin_refused`, \
                                      `reauthentication_required`: the token belongs to no session", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 429, description = "`too_many_requests`: wrong passwords", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn reauthenticate(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RequestClient(client): RequestClient,
    Json(body): Json<ReauthenticateBody>,
) -> Result<Response, ApiError> {
    let changed = app.reauthenticate.execute(&caller, &body.password, &client).await.inspect_err(|error| {
        let failed = AuditRecord::new(AuditEvent::ReauthenticationFailed).of_session(&caller.session);
        app.audit.record(failed.by(&client).because(error));
    })?;
    app.audit.record(AuditRecord::new(AuditEvent::Reauthenticated).of_session(&changed.session).by(&client));
    let is_fresh = app.reauthenticate.makes_fresh(&changed);
    Ok(hand_out_changed(&app, SessionBody::new(&changed.session, is_fresh), &changed))
}

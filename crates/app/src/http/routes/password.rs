//! `POST /users/password`

use axum::extract::State;
use axum::response::Response;
use markt_domain::credentials::{NewPassword, Password};
use utoipa::ToSchema;

use super::new_session::hand_out_changed;
use crate::http::App;
use crate::http::authenticated::Authenticated;
use crate::http::body::Json;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, new_password, password};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{MessageBody, WithToken};

/// The present password and the one to be.
#[derive(ToSchema)]
pub struct PasswordBody {
    #[schema(value_type = String, example = "Password123")]
    current_password: Password,
    /// 8 to 128 characters, with a digit, a lower-case and an upper-case letter.
    #[schema(value_type = String, example = "Password456")]
    new_password: NewPassword,
}

impl FromFields for PasswordBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let current_password = fields.required("current_password", password);
        let new_password = fields.required("new_password", new_password);
        Some(Self { current_password: current_password?, new_password: new_password? })
    }
}

/// Change the password.
///
/// Ends all other sessions of the user. This one is fresh, and has a new secret: in the cookie, and as `token` for a
/// bearer session.
#[utoipa::path(
    post, path = "/users/password", context_path = BASE_PATH, tag = "users", operation_id = "change_password",
    request_body = PasswordBody,
    security(("cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "Changed", body = WithToken<MessageBody>),
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
pub async fn change_password(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    RequestClient(client): RequestClient,
    Json(body): Json<PasswordBody>,
) -> Result<Response, ApiError> {
    let changed = app.change_password.execute(&caller, &body.current_password, &body.new_password, &client).await?;
    let body = MessageBody { message: "Password changed; all other sessions were ended" };
    Ok(hand_out_changed(&app, body, &changed))
}

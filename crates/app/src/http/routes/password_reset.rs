//! `POST /users/password-reset` and `…/confirm`

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use markt_domain::credentials::{EmailAddress, NewPassword, Password};
use utoipa::ToSchema;

use super::email_verification::EmailBody;
use crate::http::App;
use crate::http::body::Json;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, code, email, new_password};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::MessageBody;

/// The code that came by mail, and the password to be.
#[derive(ToSchema)]
pub struct ConfirmBody {
    #[schema(value_type = String, example = "ann@example.com")]
    email: EmailAddress,
    #[schema(value_type = String, pattern = "^[0-9]{6}$", example = "123456")]
    code: Password,
    /// 8 to 128 characters, with a digit, a lower-case and an upper-case letter.
    #[schema(value_type = String, example = "Password456")]
    new_password: NewPassword,
}

impl FromFields for ConfirmBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", email);
        let code = fields.required("code", code);
        let new_password = fields.required("new_password", new_password);
        Some(Self { email: email?, code: code?, new_password: new_password? })
    }
}

/// Have a code sent to set a new password with.
///
/// The answer is the same whether the address is known or not.
#[utoipa::path(
    post, path = "/users/password-reset", context_path = BASE_PATH, tag = "users", operation_id = "send_password_reset_code",
    request_body = EmailBody,
    responses(
        (status = 202, description = "A code is on its way, if the address is known", body = MessageBody),
        (status = 400, description = "`malformed_body`, `bad_request`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 429, description = "`too_many_requests`: for this address", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn send(
    State(app): State<App>,
    RequestClient(client): RequestClient,
    Json(body): Json<EmailBody>,
) -> Result<(StatusCode, JsonAnswer<MessageBody>), ApiError> {
    app.reset_password.send(&body.email, &client).await?;
    let message = "If this address has an account, a code to set a new password is on its way.";
    Ok((StatusCode::ACCEPTED, JsonAnswer(MessageBody { message })))
}

/// Set a new password by the code that was sent.
///
/// Ends all of the user's sessions. The address, which the code came to, counts as verified.
#[utoipa::path(
    post, path = "/users/password-reset/confirm", context_path = BASE_PATH, tag = "users", operation_id = "reset_password",
    request_body = ConfirmBody,
    responses(
        (status = 200, description = "The password is set", body = MessageBody),
        (status = 400, description = "`invalid_code`, `malformed_body`, `bad_request`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn confirm(
    State(app): State<App>,
    RequestClient(client): RequestClient,
    Json(body): Json<ConfirmBody>,
) -> Result<JsonAnswer<MessageBody>, ApiError> {
    app.reset_password.confirm(&body.email, &body.code, &body.new_password, &client).await?;
    Ok(JsonAnswer(MessageBody { message: "Password set; please log in with it" }))
}

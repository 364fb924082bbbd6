//! `POST /users/email-verification/send` and `…/verify`

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use markt_domain::credentials::{EmailAddress, Password};
use utoipa::ToSchema;

use crate::http::App;
use crate::http::body::Json;
use crate::http::client::RequestClient;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, code, email};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::MessageBody;

/// Where a code shall go.
#[derive(ToSchema)]
pub struct EmailBody {
    #[schema(value_type = String, example = "ann@example.com")]
    pub(super) email: EmailAddress,
}

impl FromFields for EmailBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("email", email).map(|email| Self { email })
    }
}

/// The code that came by mail.
#[derive(ToSchema)]
pub struct VerifyBody {
    #[schema(value_type = String, example = "ann@example.com")]
    email: EmailAddress,
    #[schema(value_type = String, pattern = "^[0-9]{6}$", example = "123456")]
    verification_code: Password,
}

impl FromFields for VerifyBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", email);
        let verification_code = fields.required("verification_code", code);
        Some(Self { email: email?, verification_code: verification_code? })
    }
}

/// Have a code sent.
///
/// The answer is the same whether the address is known or not.
#[utoipa::path(
    post, path = "/users/email-verification/send", context_path = BASE_PATH, tag = "users", operation_id = "send_verification_code",
    request_body = EmailBody,
    responses(
        (status = 202, description = "A code is on its way, if the address is one to verify", body = MessageBody),
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
    app.verify_email.send(&body.email, &client).await?;
    let message = "If this address has an account to verify, a code is on its way.";
    Ok((StatusCode::ACCEPTED, JsonAnswer(MessageBody { message })))
}

/// Verify an e-mail address by the code that was sent to it.
#[utoipa::path(
    post, path = "/users/email-verification/verify", context_path = BASE_PATH, tag = "users", operation_id = "verify_email",
    request_body = VerifyBody,
    responses(
        (status = 200, description = "Verified", body = MessageBody),
        (status = 400, description = "`invalid_code`, `malformed_body`, `bad_request`", body = ErrorBody),
        (status = 403, description = "`cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn verify(
    State(app): State<App>,
    RequestClient(client): RequestClient,
    Json(body): Json<VerifyBody>,
) -> Result<JsonAnswer<MessageBody>, ApiError> {
    app.verify_email.verify(&body.email, &body.verification_code, &client).await?;
    Ok(JsonAnswer(MessageBody { message: "Email verified successfully" }))
}

//! `POST /users/login`

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use markt_domain::audit::{AuditEvent, AuditRecord};
use markt_domain::credentials::{EmailAddress, Password};
use markt_domain::role::Role;
use markt_domain::use_cases::log_in::LogInRequest;
use utoipa::ToSchema;

use super::new_session::{WantedSession, hand_out};
use crate::http::App;
use crate::http::adoption::{ForeignCookies, retire_after_login};
use crate::http::body::Json;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, boolean, email, password, role};
use crate::http::openapi::BASE_PATH;
use crate::http::representation::{RoleName, UserBody, WithToken};

/// What a user logs in with.
#[derive(ToSchema)]
pub struct LoginBody {
    #[schema(value_type = String, example = "buyer1@markt.com")]
    email: EmailAddress,
    #[schema(value_type = String, example = "Password123")]
    password: Password,
    /// The role to act in; buyer, where there is a choice and none is made.
    #[schema(value_type = Option<RoleName>)]
    account_type: Option<Role>,
    /// Whether the session outlives the browser.
    #[schema(value_type = Option<bool>, default = true)]
    remember: bool,
}

impl FromFields for LoginBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", email);
        let password = fields.required("password", password);
        let account_type = fields.optional("account_type", role);
        let remember = fields.optional("remember", boolean).unwrap_or(true);
        Some(Self { email: email?, password: password?, account_type, remember })
    }
}

/// Log in.
///
/// Sets the session cookie. A client that no browser can be, or that says `X-Session-Transport: bearer`, gets the
/// secret as `token`, too. A session that comes with the request is ended, unless the login fails.
#[utoipa::path(
    post, path = "/users/login", context_path = BASE_PATH, tag = "users", operation_id = "login",
    request_body = LoginBody,
    params(("X-Session-Transport" = Option<String>, Header, description = "`bearer` or `cookie`")),
    responses(
        (status = 200, description = "Logged in", body = WithToken<UserBody>),
        (status = 400, description = "`malformed_body`, `bad_request`", body = ErrorBody),
        (status = 401, description = "`invalid_credentials`", body = ErrorBody),
        (status = 403, description = "`unverified_email`, `account_deactivated`, `role_unavailable`, \
                                      `cross_origin_refused`", body = ErrorBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 413, description = "`body_too_large`", body = ErrorBody),
        (status = 415, description = "`unsupported_media_type`", body = ErrorBody),
        (status = 422, description = "`validation_failed`", body = ErrorBody),
        (status = 429, description = "`too_many_requests`: wrong passwords", body = ErrorBody),
        (status = 503, description = "`overloaded`, `store_unavailable`", body = ErrorBody),
    )
)]
pub async fn login(
    State(app): State<App>,
    wanted: WantedSession,
    foreign: ForeignCookies,
    Json(body): Json<LoginBody>,
) -> Result<Response, ApiError> {
    let session = wanted.remembered(body.remember);
    let request = LogInRequest { email: body.email, password: body.password, role: body.account_type, session };
    let client = &request.session.client;
    let outcome = app.log_in.execute(&request).await;
    app.metrics.login(&outcome);
    let logged_in = outcome.inspect_err(|error| {
        app.audit.record(AuditRecord::new(AuditEvent::LoginFailed).by(client).because(error));
    })?;
    retire_after_login(&app, &foreign).await;
    let session = &logged_in.issued.session;
    app.audit.record(AuditRecord::new(AuditEvent::LoginSucceeded).of_session(session).by(client));
    let user = UserBody::new(logged_in.account.user(), session.current_role);
    Ok(hand_out(&app, StatusCode::OK, user, &logged_in.issued))
}

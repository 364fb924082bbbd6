//! Errors as clients see them: one body for all of them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What went wrong, for programs. The list is closed: clients may match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(rename_all = "snake_case")]
pub enum ErrorType {
    ValidationFailed,
    MalformedBody,
    BadRequest,
    UnsupportedMediaType,
    BodyTooLarge,
    RequestTimeout,
    WrongPassword,
    NotAuthenticated,
    SessionExpired,
    SessionRevoked,
    InvalidCredentials,
    InvalidToken,
    ReauthenticationRequired,
    UnverifiedEmail,
    AccountDeactivated,
    RoleUnavailable,
    CrossOriginRefused,
    NotFound,
    MethodNotAllowed,
    Conflict,
    InvalidCode,
    AmbiguousCredentials,
    TooManyRequests,
    Overloaded,
    StoreUnavailable,
    Internal,
}

/// As answers have it: `store_unavailable`.
impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl ErrorType {
    /// The status that answers with this error have.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MalformedBody | Self::BadRequest | Self::InvalidCode | Self::AmbiguousCredentials => {
                StatusCode::BAD_REQUEST
            }
            Self::NotAuthenticated
            | Self::SessionExpired
            | Self::SessionRevoked
            | Self::InvalidCredentials
            | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::WrongPassword
            | Self::ReauthenticationRequired
            | Self::UnverifiedEmail
            | Self::AccountDeactivated
            | Self::RoleUnavailable
            | Self::CrossOriginRefused => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What is said where there is nothing more exact to say.
    const fn message(self) -> &'static str {
        match self {
            Self::ValidationFailed => "The request is not valid",
            Self::MalformedBody => "The body is not valid JSON",
            Self::BadRequest => "The request can't be understood",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::BodyTooLarge => "The body is too large",
            Self::RequestTimeout => "The request took too long",
            Self::WrongPassword => "Wrong password",
            Self::NotAuthenticated => "Not logged in",
            Self::SessionExpired => "The session has expired",
            Self::SessionRevoked => "The session was ended",
            Self::InvalidCredentials => "Invalid credentials",
            Self::InvalidToken => "The token is not valid",
            Self::ReauthenticationRequired => "Please give your password again",
            Self::UnverifiedEmail => "Please verify your email address before logging in",
            Self::AccountDeactivated => "Account is deactivated",
            Self::RoleUnavailable => "The user has no such account",
            Self::CrossOriginRefused => "Requests from this origin are not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Conflict => "Already taken",
            Self::InvalidCode => "Invalid or expired code",
            Self::AmbiguousCredentials => "The request brings the secrets of two different sessions",
            Self::TooManyRequests => "Too many requests, try again later",
            Self::Overloaded => "The service is busy, try again shortly",
            Self::StoreUnavailable => "The service is unavailable for now, try again shortly",
            Self::Internal => "Internal error",
        }
    }

    /// After how many seconds it makes sense to try again.
    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::Overloaded | Self::StoreUnavailable => Some(1),
            _ => None,
        }
    }

    /// The error that stands for an answer of this status that says nothing itself.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_server_error() => Self::Internal,
            _ => Self::BadRequest,
        }
    }
}

/// An error on its way to the client. The envelope around all routes writes its body, since it knows the request's id.
#[derive(Clone, Debug)]
pub struct ApiError {
    error_type: ErrorType,
    message: Cow<'static, str>,
    details: Map<String, Value>,
    /// After how many seconds it makes sense to try again.
    retry_after: Option<u64>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    /// Always `error`.
    #[schema(example = "error")]
    status: &'static str,
    /// The HTTP status.
    #[schema(example = 401)]
    code: u16,
    error_type: ErrorType,
    /// What went wrong, for people.
    #[schema(example = "Invalid credentials")]
    message: Cow<'static, str>,
    /// The answer's `X-Request-Id`.
    #[schema(example = "0f8fad5bd9cb469fa16570867728950e")]
    request_id: String,
    /// With `validation_failed`: the messages by field, below `json` for the body and `query` for the query string.
    #[schema(value_type = Option<Object>, example = json!({"json": {"email": ["Not a valid email address."]}}))]
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Value>,
    /// With `unverified_email`: the address to verify.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Value>,
}

impl ApiError {
    /// An error that says what its type says.
    #[must_use]
    pub fn new(error_type: ErrorType) -> Self {
        Self {
            error_type,
            message: error_type.message().into(),
            details: Map::new(),
            retry_after: error_type.retry_after(),
            cause: None,
        }
    }

    /// An error with a message of its own.
    #[must_use]
    pub fn with_message(error_type: ErrorType, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::new(error_type) }
    }

    /// A failed validation: the messages by field, below where the fields stand (`json` or `query`).
    #[must_use]
    pub fn validation(location: &str, errors: Map<String, Value>) -> Self {
        Self::new(ErrorType::ValidationFailed).with_detail("errors", json!({ location: errors }))
    }

    /// The same error with its cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The same error, and when it makes sense to try again: in whole seconds, and not before.
    #[must_use]
    pub fn retry_after(mut self, duration: Duration) -> Self {
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The same error with a field of its own in the body.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub const fn error_type(&self) -> ErrorType {
        self.error_type
    }

    /// What caused it, outermost first, in one line.
    pub(super) fn cause(&self) -> Option<String> {
        let mut cause: &dyn Error = self.cause.as_deref()?;
        let mut line = cause.to_string();
        while let Some(source) = cause.source() {
            line = format!("{line}: {source}");
            cause = source;
        }
        Some(line)
    }

    pub(super) fn body(&self, request_id: &str) -> ErrorBody {
        ErrorBody {
            status: "error",
            code: self.error_type.status().as_u16(),
            error_type: self.error_type,
            message: self.message.clone(),
            request_id: request_id.to_owned(),
            errors: self.details.get("errors").cloned(),
            email: self.details.get("email").cloned(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.error_type.status().into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

//! What the domain's errors are to clients: the one place that maps them.

use markt_domain::ports::authenticator::AuthenticateError;
use markt_domain::ports::password_hasher::HashingError;
use markt_domain::ports::user_store::AccountError;
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::role::Role;
use markt_domain::use_cases::adopt_session::AdoptError;
use markt_domain::use_cases::confirm_password::PasswordError;
use markt_domain::use_cases::devices::RevokeError;
use markt_domain::use_cases::exchange_token::ExchangeError;
use markt_domain::use_cases::log_in::LogInError;
use markt_domain::use_cases::mailed_codes::{SendCodeError, TakeCodeError};
use markt_domain::use_cases::refresh_tokens::RefreshError;
use markt_domain::use_cases::register::RegisterError;
use markt_domain::use_cases::switch_role::SwitchRoleError;
use markt_domain::use_cases::throttle::ThrottleError;
use serde_json::{Map, Value};

use super::error::{ApiError, ErrorType};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let error_type = match error.kind {
            StoreErrorKind::Unavailable => ErrorType::StoreUnavailable,
            StoreErrorKind::Unreadable => ErrorType::Internal,
        };
        Self::new(error_type).caused_by(error)
    }
}

impl From<ThrottleError> for ApiError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooManyAttempts { retry_after } => {
                Self::new(ErrorType::TooManyRequests).retry_after(retry_after)
            }
            ThrottleError::Store(error) => error.into(),
        }
    }
}

impl From<HashingError> for ApiError {
    fn from(error: HashingError) -> Self {
        let error_type = match error {
            HashingError::Overloaded => ErrorType::Overloaded,
            HashingError::Failed(_) => ErrorType::Internal,
        };
        Self::new(error_type).caused_by(error)
    }
}

impl From<AuthenticateError> for ApiError {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::NotAuthenticated => Self::new(ErrorType::NotAuthenticated),
            AuthenticateError::SessionExpired => Self::new(ErrorType::SessionExpired),
            AuthenticateError::SessionRevoked => Self::new(ErrorType::SessionRevoked),
            AuthenticateError::InvalidToken => Self::new(ErrorType::InvalidToken),
            AuthenticateError::AmbiguousCredentials => Self::new(ErrorType::AmbiguousCredentials),
            AuthenticateError::Store(error) => error.into(),
        }
    }
}

impl From<LogInError> for ApiError {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::InvalidCredentials => Self::new(ErrorType::InvalidCredentials),
            LogInError::AccountDeactivated => Self::new(ErrorType::AccountDeactivated),
            LogInError::UnverifiedEmail(email) => {
                let message = "Please verify your email address before logging in (verify your email: \
                               POST /users/email-verification/send sends a code)";
                Self::with_message(ErrorType::UnverifiedEmail, message).with_detail("email", email.as_str())
            }
            LogInError::RoleUnavailable(role) => role_unavailable(role),
            LogInError::Throttle(error) => error.into(),
            LogInError::Hashing(error) => error.into(),
            LogInError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::EmailTaken => Self::with_message(ErrorType::Conflict, "Email already registered"),
            RegisterError::UsernameTaken => Self::with_message(ErrorType::Conflict, "Username already taken"),
            RegisterError::UnknownCategories(ids) => {
                let errors = Map::from_iter([("category_ids".to_owned(), unknown_categories(&ids))]);
                Self::validation("json", Map::from_iter([("seller_data".to_owned(), errors.into())]))
            }
            RegisterError::Hashing(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<SendCodeError> for ApiError {
    fn from(error: SendCodeError) -> Self {
        match error {
            SendCodeError::Throttle(error) => error.into(),
            SendCodeError::Hashing(error) => error.into(),
            SendCodeError::Store(error) => error.into(),
        }
    }
}

impl From<TakeCodeError> for ApiError {
    fn from(error: TakeCodeError) -> Self {
        match error {
            TakeCodeError::InvalidCode => Self::new(ErrorType::InvalidCode),
            TakeCodeError::Hashing(error) => error.into(),
            TakeCodeError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::WrongPassword => Self::new(ErrorType::WrongPassword),
            PasswordError::NoSession => Self::new(ErrorType::ReauthenticationRequired),
            PasswordError::SessionRevoked => Self::new(ErrorType::SessionRevoked),
            PasswordError::Throttle(error) => error.into(),
            PasswordError::Hashing(error) => error.into(),
            PasswordError::Store(error) => error.into(),
        }
    }
}

impl From<ExchangeError> for ApiError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::NotAuthenticated => Self::new(ErrorType::NotAuthenticated),
            ExchangeError::Ambiguous => Self::new(ErrorType::AmbiguousCredentials),
            ExchangeError::Invalid(reason) => Self::new(ErrorType::InvalidToken).caused_by(reason),
            ExchangeError::Store(error) => error.into(),
        }
    }
}

impl From<AdoptError> for ApiError {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Ambiguous => Self::new(ErrorType::AmbiguousCredentials),
            AdoptError::Store(error) => error.into(),
        }
    }
}

impl From<RefreshError> for ApiError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid(reason) => Self::new(ErrorType::InvalidToken).caused_by(reason),
            RefreshError::Store(error) => error.into(),
        }
    }
}

impl From<SwitchRoleError> for ApiError {
    fn from(error: SwitchRoleError) -> Self {
        match error {
            SwitchRoleError::RoleUnavailable(role) => role_unavailable(role),
            SwitchRoleError::NoSession => Self::new(ErrorType::ReauthenticationRequired),
            SwitchRoleError::SessionRevoked => Self::new(ErrorType::SessionRevoked),
            SwitchRoleError::Store(error) => error.into(),
        }
    }
}

impl From<RevokeError> for ApiError {
    fn from(error: RevokeError) -> Self {
        match error {
            RevokeError::NotFound => Self::new(ErrorType::NotFound),
            RevokeError::ReauthenticationRequired => Self::new(ErrorType::ReauthenticationRequired),
            RevokeError::SessionRevoked => Self::new(ErrorType::SessionRevoked),
            RevokeError::Store(error) => error.into(),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Exists => Self::with_message(ErrorType::BadRequest, "The user has such an account already"),
            AccountError::Missing => Self::with_message(ErrorType::BadRequest, "The user has no such account"),
            AccountError::UnknownCategories(ids) => {
                Self::validation("json", Map::from_iter([("category_ids".to_owned(), unknown_categories(&ids))]))
            }
            AccountError::Store(error) => error.into(),
        }
    }
}

fn role_unavailable(role: Role) -> ApiError {
    ApiError::with_message(ErrorType::RoleUnavailable, format!("The user can't act as {role}"))
}

fn unknown_categories(ids: &[i32]) -> Value {
    ids.iter().map(|id| format!("Category {id} not found.")).collect()
}

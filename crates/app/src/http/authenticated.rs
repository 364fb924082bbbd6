//! `current_user` of the guide: the caller, as an extractor.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use markt_domain::session::SessionSecret;
use markt_domain::use_cases::authenticate::{self, AuthenticateError};

use super::App;
use super::credentials;
use super::error::{ApiError, ErrorType};
use crate::config::values::BearerPolicy;

/// A caller who is logged in. As an `Option` it is nothing for one who is not; a store that can't be asked is an error
/// either way.
pub struct Authenticated(pub authenticate::Authenticated);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(find(parts, app).await?.map(Self)?)
    }
}

impl OptionalFromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, ApiError> {
        match find(parts, app).await? {
            Ok(found) => Ok(Some(Self(found))),
            Err(error @ (AuthenticateError::Store(_) | AuthenticateError::AmbiguousCredentials)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}

type Found = Result<authenticate::Authenticated, AuthenticateError>;

async fn find(parts: &Parts, app: &App) -> Result<Found, ApiError> {
    let secrets = presented_secrets(parts, app)?;
    Ok(app.authenticate.by_secrets(&secrets).await)
}

/// The secrets that the request brings.
pub fn presented_secrets(parts: &Parts, app: &App) -> Result<Vec<SessionSecret>, ApiError> {
    credentials::secrets(&parts.headers, app.session_cookie.name(), app.bearer != BearerPolicy::Off)
        .map_err(|credentials::TooManySecrets| ApiError::new(ErrorType::AmbiguousCredentials))
}

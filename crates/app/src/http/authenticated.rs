//! `current_user` of the guide: the caller, as an extractor.

use axum::extract::FromRequestParts;
use http::request::Parts;
use markt_domain::ports::authenticator::{self, Activity, AuthenticateError, Credentials};
use markt_domain::tokens::Token;

use super::App;
use super::adoption::adopt;
use super::client::client;
use super::credentials::{Presented, presented};
use super::error::ApiError;
use super::renewal;
use crate::config::values::BearerPolicy;

/// A caller who is logged in. The request counts as a use of the session.
pub struct Authenticated(pub authenticator::Authenticated);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Self::find(parts, app, Activity::Use).await
    }
}

impl Authenticated {
    /// Finds the caller. A cookie whose session lives longer for this request shall do so, too.
    pub async fn find(parts: &Parts, app: &App, activity: Activity) -> Result<Self, ApiError> {
        let Presented { secrets, from_cookies, tokens, .. } = presented_secrets(parts, app).all()?;
        let client = client(parts, &app.trusted_proxies);
        let presented = Credentials { secrets: &secrets, tokens: &tokens };
        let found = match app.authenticator.recall(&presented, &client, activity) {
            Some(found) => {
                app.metrics.authentications.recalled(&found);
                found
            }
            None => {
                let found = app.authenticator.authenticate(&presented, &client, activity).await;
                if matches!(found, Err(AuthenticateError::NotAuthenticated))
                    && app.adopt_session.is_some()
                    && let Some(caller) = Box::pin(adopt(parts, app, &client, activity)).await?
                {
                    app.metrics.authentications.asked(true, &Ok(caller.clone()));
                    return Ok(Self(caller));
                }
                app.metrics.authentications.asked(!(secrets.is_empty() && tokens.is_empty()), &found);
                found?
            }
        };
        if found.was_touched
            && found.session.remember
            && let Some(secret) = found.secret.filter(|secret| *secret < from_cookies)
        {
            let lifetime = found.session.ends_at().since(found.session.last_activity);
            renewal::order(found.session.id, app.session_cookie.issue(&secrets[secret], Some(lifetime)));
        }
        Ok(Self(found))
    }
}

/// The different tokens that the request brings.
pub struct BearerTokens(pub Vec<Token>);

impl FromRequestParts<App> for BearerTokens {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Presented { tokens, .. } = presented_secrets(parts, app).all()?;
        Ok(Self(tokens.into_iter().map(|token| Token::new(token.to_owned())).collect()))
    }
}

/// The secrets that the request brings.
pub fn presented_secrets<'a>(parts: &'a Parts, app: &App) -> Presented<'a> {
    presented(&parts.headers, app.session_cookie.name(), app.bearer != BearerPolicy::Off)
}

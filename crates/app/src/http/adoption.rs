//! Sessions of the system before, where they are taken over: a request that brings its cookie, and nothing that opens a
//! session of ours, gets one in the same answer.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderName, Method};
use markt_domain::client::Client;
use markt_domain::ports::authenticator::{self, Activity, Credentials};
use zeroize::Zeroizing;

use super::App;
use super::cross_origin::is_forged;
use super::error::ApiError;
use super::renewal;

/// The values of the old system's cookie in a request, none of which is written anywhere.
pub struct ForeignCookies(Vec<Zeroizing<String>>);

impl ForeignCookies {
    /// Those of this request; none where they aren't taken over.
    pub fn of(parts: &Parts, app: &App) -> Self {
        if app.adopt_session.is_none() {
            return Self(Vec::new());
        }
        let name = app.foreign_cookie.name();
        let mut values: Vec<Zeroizing<String>> = Vec::new();
        let pairs =
            parts.headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        for pair in pairs {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) else { continue };
            if !values.iter().any(|other| other.as_str() == value) {
                values.push(Zeroizing::new(value.to_owned()));
            }
        }
        Self(values)
    }

    fn as_texts(&self) -> Vec<&str> {
        self.0.iter().map(|value| value.as_str()).collect()
    }
}

impl FromRequestParts<App> for ForeignCookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(parts, app))
    }
}

/// The caller, by a session that takes the place of one of the old system; nothing if there is none to be taken over.
pub async fn adopt(
    parts: &Parts,
    app: &App,
    client: &Client,
    activity: Activity,
) -> Result<Option<authenticator::Authenticated>, ApiError> {
    let cookies = ForeignCookies::of(parts, app);
    let Some(adopt) = app.adopt_session.as_ref().filter(|_| !cookies.0.is_empty() && may_change_something(parts, app))
    else {
        return Ok(None);
    };
    let Some(adopted) = adopt.execute(&cookies.as_texts(), client).await? else { return Ok(None) };
    let secrets = [adopted.secret];
    let presented = Credentials { secrets: &secrets, tokens: &[] };
    let caller = app.authenticator.authenticate(&presented, client, activity).await?;
    if adopted.is_handed_out {
        let session = &adopted.session;
        let lifetime = session.remember.then(|| session.ends_at().since(session.last_activity));
        let mut cookies = vec![app.session_cookie.issue(&secrets[0], lifetime)];
        if app.foreign_cookie.name() != app.session_cookie.name() {
            cookies.push(app.foreign_cookie.clear());
        }
        renewal::order_adopted(cookies);
    }
    Ok(Some(caller))
}

/// Whether a request may take a session over: not if another site's page sent it, whose answer the browser may not take a
/// cookie from. It may if the user went to us by a link.
fn may_change_something(parts: &Parts, app: &App) -> bool {
    let is_navigation = parts.method == Method::GET
        && parts.headers.get(HeaderName::from_static("sec-fetch-dest")).is_some_and(|to| to == "document");
    is_navigation || !is_forged(&Method::POST, &parts.uri, &parts.headers, &app.allowed_origins)
}

/// Sees to it that the old system's sessions that came along don't come back after a logout: before it, so that a store that
/// is away is no logout.
pub async fn retire(app: &App, cookies: &ForeignCookies) -> Result<(), ApiError> {
    match &app.adopt_session {
        Some(adopt) => Ok(adopt.retire(&cookies.as_texts()).await?),
        None => Ok(()),
    }
}

/// The same after a login, which stands whatever becomes of them.
pub async fn retire_after_login(app: &App, cookies: &ForeignCookies) {
    if let Some(adopt) = &app.adopt_session
        && let Err(error) = adopt.retire(&cookies.as_texts()).await
    {
        tracing::warn!(%error, "a session of the old system that came along with a login lives on");
    }
}

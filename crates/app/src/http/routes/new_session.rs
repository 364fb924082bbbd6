//! What logging in and registering share: the session that is asked for, and how it is handed out.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use markt_domain::ports::authenticator::HandedOut;
use markt_domain::session::{Session, Transport};
use markt_domain::use_cases::issue_session::{IssuedSession, SessionRequest};
use markt_domain::use_cases::rotate_session::ChangedSession;
use serde::Serialize;

use crate::config::values::AuthMode;
use crate::http::App;
use crate::http::authenticated::presented_secrets;
use crate::http::client::{client, is_forwarded_untrusted};
use crate::http::error::ApiError;
use crate::http::representation::WithToken;
use crate::http::transport::transport;

/// What a request's headers say of the session that is asked for.
pub struct WantedSession(SessionRequest);

impl WantedSession {
    /// The session, which outlives the browser if it is to be remembered.
    pub fn remembered(self, remember: bool) -> SessionRequest {
        SessionRequest { remember, ..self.0 }
    }
}

impl FromRequestParts<App> for WantedSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        // Here, where it matters whom a client counts as, and not with each request.
        if is_forwarded_untrusted(parts, &app.trusted_proxies) {
            app.metrics.untrusted_forwarded.inc();
        }
        Ok(Self(SessionRequest {
            remember: true,
            transport: transport(&parts.headers, app.bearer),
            client: client(parts, &app.trusted_proxies),
            replaces: presented_secrets(parts, app).secrets,
        }))
    }
}

/// Answers with a body, and hands out what a new session is proven with.
pub fn hand_out(app: &App, status: StatusCode, body: impl Serialize, issued: &IssuedSession) -> Response {
    answer(app, status, body, &issued.session, &issued.handed_out)
}

/// Answers with a body, and hands out what a session is proven with from now on, if that has changed.
pub fn hand_out_changed(app: &App, body: impl Serialize, changed: &ChangedSession) -> Response {
    match &changed.handed_out {
        Some(handed_out) => answer(app, StatusCode::OK, body, &changed.session, handed_out),
        None => axum::Json(body).into_response(),
    }
}

/// A secret is handed out in the cookie, and in the body too for a client that keeps it itself; tokens in the body.
fn answer(app: &App, status: StatusCode, body: impl Serialize, session: &Session, handed_out: &HandedOut) -> Response {
    match handed_out {
        HandedOut::Secret(secret) => {
            let lifetime = session.remember.then(|| session.ends_at().since(session.last_activity));
            let token = (session.transport == Transport::Bearer).then(|| secret.expose());
            let cookie = app.session_cookie.issue(secret, lifetime);
            (status, [(SET_COOKIE, cookie)], axum::Json(WithToken::secret(body, token))).into_response()
        }
        HandedOut::Tokens(tokens) => (status, axum::Json(WithToken::tokens(body, tokens))).into_response(),
    }
}

/// Answers that the caller is logged out, and takes away the cookie, if there are cookies.
pub fn logged_out(app: &App) -> Response {
    match app.auth_mode {
        AuthMode::Jwt => StatusCode::NO_CONTENT.into_response(),
        AuthMode::Session | AuthMode::Dual => {
            (StatusCode::NO_CONTENT, [(SET_COOKIE, app.session_cookie.clear())]).into_response()
        }
    }
}

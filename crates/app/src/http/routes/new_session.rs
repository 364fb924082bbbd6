//! What logging in and registering share: the session that is asked for, and how it is handed out.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use markt_domain::session::{Session, SessionSecret, Transport};
use markt_domain::use_cases::issue_session::{IssuedSession, SessionRequest};
use markt_domain::use_cases::rotate_session::ChangedSession;
use serde::Serialize;

use crate::http::App;
use crate::http::authenticated::presented_secrets;
use crate::http::client::client;
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
        Ok(Self(SessionRequest {
            remember: true,
            transport: transport(&parts.headers, app.bearer),
            client: client(parts, &app.trusted_proxies),
            replaces: presented_secrets(parts, app).secrets,
        }))
    }
}

/// Answers with a body, and hands out the secret of a new session: in the cookie, and in the body too for a client that
/// keeps it itself.
pub fn hand_out(app: &App, status: StatusCode, body: impl Serialize, issued: &IssuedSession) -> Response {
    hand_out_secret(app, status, body, &issued.session, &issued.secret)
}

/// Answers with a body, and hands out the secret that a session got in place of the old one, if it did.
pub fn hand_out_changed(app: &App, body: impl Serialize, changed: &ChangedSession) -> Response {
    let ChangedSession { session, secret } = changed;
    match secret {
        Some(secret) => hand_out_secret(app, StatusCode::OK, body, session, secret),
        None => axum::Json(body).into_response(),
    }
}

fn hand_out_secret(
    app: &App,
    status: StatusCode,
    body: impl Serialize,
    session: &Session,
    secret: &SessionSecret,
) -> Response {
    let lifetime = session.remember.then(|| session.ends_at().since(session.last_activity));
    let token = (session.transport == Transport::Bearer).then(|| secret.expose());
    let cookie = app.session_cookie.issue(secret, lifetime);
    (status, [(SET_COOKIE, cookie)], axum::Json(WithToken { body, token })).into_response()
}

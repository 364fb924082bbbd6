//! Renews the session cookie along with the session: neither shall outlive the other.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use http::request::Parts;
use markt_domain::session::SessionId;

use super::App;

/// The cookie that an answer shall bring, once the caller is known, and the session that it opens.
#[derive(Clone, Default)]
pub struct Renewal(Arc<OnceLock<(SessionId, HeaderValue)>>);

impl Renewal {
    /// Orders this cookie for the answer to the request.
    pub fn order(parts: &Parts, session: SessionId, cookie: HeaderValue) {
        if let Some(Self(slot)) = parts.extensions.get::<Self>() {
            let _only_the_first_counts = slot.set((session, cookie));
        }
    }
}

/// Adds the cookie that was ordered, unless the answer sets or clears one itself.
///
/// Nor if the session has got a new secret meanwhile, or has ended: another answer has told the browser of that by now,
/// and the old secret would take the new one's place.
pub async fn renew(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let renewal = Renewal::default();
    request.extensions_mut().insert(renewal.clone());
    let mut response = next.run(request).await;
    if let Some((session, cookie)) = renewal.0.get()
        && !response.headers().contains_key(SET_COOKIE)
        && app.authenticate.is_current(session).await
    {
        response.headers_mut().insert(SET_COOKIE, cookie.clone());
    }
    response
}

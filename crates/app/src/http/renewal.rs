//! Renews the session cookie along with the session: neither shall outlive the other.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use http::request::Parts;

/// The cookie that an answer shall bring, once the caller is known.
#[derive(Clone, Default)]
pub struct Renewal(Arc<OnceLock<HeaderValue>>);

impl Renewal {
    /// Orders this cookie for the answer to the request.
    pub fn order(parts: &Parts, cookie: HeaderValue) {
        if let Some(Self(slot)) = parts.extensions.get::<Self>() {
            let _only_the_first_counts = slot.set(cookie);
        }
    }
}

/// Adds the cookie that was ordered, unless the answer sets or clears one itself.
pub async fn renew(mut request: Request, next: Next) -> Response {
    let renewal = Renewal::default();
    request.extensions_mut().insert(renewal.clone());
    let mut response = next.run(request).await;
    if let Some(cookie) = renewal.0.get()
        && !response.headers().contains_key(SET_COOKIE)
    {
        response.headers_mut().insert(SET_COOKIE, cookie.clone());
    }
    response
}

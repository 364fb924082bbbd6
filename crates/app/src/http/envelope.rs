//! What every answer has in common: an id, security headers, an error body if it is an error, a line in the log.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use markt_domain::ports::entropy::Entropy;
use tracing::Instrument as _;

use super::error::{ApiError, ErrorType};

/// The header that carries the request's id, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An API's answers are nothing to render, to frame or to run (ASVS 3.4.3, 3.4.6).
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'");

/// Two years, as ASVS 3.4.1 asks for one at least.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// What the envelope is made of.
pub struct Envelope {
    /// Draws the ids.
    pub entropy: Arc<dyn Entropy>,
    /// Whether browsers are told to come by TLS only.
    pub strict_transport_security: bool,
}

/// Wraps an answer.
pub async fn wrap(State(envelope): State<Arc<Envelope>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers(), envelope.entropy.as_ref());
    request.headers_mut().insert(X_REQUEST_ID, id.clone());
    let id_text = id.to_str().unwrap_or_default().to_owned();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());

    let span = tracing::info_span!("request", id = %id_text, %method, route);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|panic| panicked(panic.as_ref()));
    let _entered = span.enter();
    response = describe_error(response, &id_text);
    log(&response, started);
    complete_headers(response.headers_mut(), id, envelope.strict_transport_security);
    response
}

/// The caller's id, if it is a sane one; a new one otherwise.
fn request_id(headers: &HeaderMap, entropy: &dyn Entropy) -> HeaderValue {
    let sane = |value: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(plain)
    };
    if let Some(id) = headers.get(X_REQUEST_ID).filter(sane) {
        return id.clone();
    }
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let id = format!("{:032x}", u128::from_be_bytes(bytes));
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ApiError::new(ErrorType::Internal).caused_by(std::io::Error::other(format!("panic: {message}"))).into_response()
}

/// Gives every error its body, also those that the framework answered with by itself.
fn describe_error(response: Response, id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = response.extensions().get::<ApiError>().cloned();
    let error = error.unwrap_or_else(|| ApiError::new(ErrorType::of_status(status)));
    let (mut parts, _) = response.into_parts();
    parts.status = error.error_type().status();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = serde_json::to_vec(&error.body(id)).unwrap_or_default();
    parts.extensions.insert(error);
    Response::from_parts(parts, body.into())
}

fn log(response: &Response, started: Instant) {
    let status = response.status().as_u16();
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    let error = response.extensions().get::<ApiError>();
    let error_type = error.map(|error| tracing::field::debug(error.error_type()));
    match error.and_then(ApiError::cause) {
        Some(cause) if status >= 500 => tracing::error!(status, error_type, milliseconds, cause, "answered"),
        cause => tracing::debug!(status, error_type, milliseconds, cause, "answered"),
    }
}

fn complete_headers(headers: &mut HeaderMap, id: HeaderValue, strict_transport_security: bool) {
    headers.insert(X_REQUEST_ID, id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if strict_transport_security {
        headers.insert(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0x77);
        }
    }

    #[test]
    fn a_sane_id_is_kept_and_another_replaced() {
        let id = |value: &[u8]| {
            let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(value).unwrap())]);
            request_id(&headers, &Sevens).to_str().unwrap().to_owned()
        };
        assert_eq!(id(b"abc-123_DEF.4"), "abc-123_DEF.4");
        let fresh = "7".repeat(32);
        for odd in [&b""[..], b"two words", b"\"quoted\"", b"{curly}", "\u{fc}".as_bytes(), &[b'a'; 129]] {
            assert_eq!(id(odd), fresh);
        }
        assert_eq!(request_id(&HeaderMap::new(), &Sevens), fresh);
    }
}

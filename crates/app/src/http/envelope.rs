//! What every answer has in common: an id, security headers, an error body if it is an error, a line in the log, a span.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use markt_domain::ports::entropy::Entropy;
use tracing::Instrument as _;

use super::error::{ApiError, ErrorType};
use crate::metrics::RequestDurations;
use crate::telemetry::{Marks, RequestSpan, marked};
use crate::unique::UniqueNumbers;

/// The header that carries the request's id, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An API's answers are nothing to render, to frame or to run (ASVS 3.4.3, 3.4.6).
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'");

/// Two years, as ASVS 3.4.1 asks for one at least.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// How many headers an answer has, about: so many don't take room bit by bit.
pub const USUAL_HEADERS: usize = 12;

/// Wraps answers.
pub struct Envelope {
    /// What measures answers, and names routes for the log.
    durations: Arc<RequestDurations>,
    ids: RequestIds,
    strict_transport_security: bool,
}

/// What is kept of a request for its answer.
pub struct Opened {
    envelope: Arc<Envelope>,
    started: Instant,
    marks: Marks,
    method: Method,
    uri: Uri,
}

impl Envelope {
    /// Has answers measured by these, and tells browsers, if it shall, to come by TLS only.
    pub fn new(durations: Arc<RequestDurations>, entropy: &dyn Entropy, strict_transport_security: bool) -> Self {
        Self { durations, ids: RequestIds::draw(entropy), strict_transport_security }
    }

    /// Gives the request its id.
    pub fn open(self: &Arc<Self>, request: &Request) -> Opened {
        let started = Instant::now();
        let request_id = self.ids.id(request.headers());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let span = RequestSpan::begin(request, || self.durations.known_route(uri.path()), &request_id);
        Opened { envelope: Arc::clone(self), started, marks: Marks { request_id, span }, method, uri }
    }

    /// Measures and logs an answer.
    fn account_for(&self, response: &Response, method: &Method, uri: &Uri, started: Instant) {
        let took = started.elapsed();
        self.durations.observe(uri.path(), method, response.status(), took);
        let status = response.status().as_u16();
        let milliseconds = || took.as_secs_f64() * 1000.0;
        let route = || self.durations.route(uri.path());
        let method = method.as_str();
        let error = response.extensions().get::<ApiError>();
        let error_type = error.map(|error| tracing::field::debug(error.error_type()));
        match error.and_then(ApiError::cause) {
            // A store that is away, or too much to do, is told of once by whoever finds out, and not with each request.
            Some(cause) if status >= 500 && response.status() != StatusCode::SERVICE_UNAVAILABLE => {
                let (route, milliseconds) = (route(), milliseconds());
                tracing::error!(method, route, status, error_type, milliseconds, cause, "answered");
            }
            cause => {
                tracing::debug!(
                    method,
                    route = route(),
                    status,
                    error_type,
                    milliseconds = milliseconds(),
                    cause,
                    "answered"
                );
            }
        }
    }
}

impl Opened {
    /// Has what is done for the answer stand within the request's span, if it has one.
    pub fn trace<T: Send + 'static>(&self, answer: BoxFuture<'static, T>) -> BoxFuture<'static, T> {
        match &self.marks.span {
            Some(span) => answer.instrument(span.span()).boxed(),
            None => answer,
        }
    }

    /// Waits for the answer, and wraps it.
    pub async fn close(self, answer: impl Future<Output = Response>) -> Response {
        let Self { envelope, started, marks, method, uri } = self;
        let answered = async {
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            let response = answer.unwrap_or_else(|panic| panicked(panic.as_ref()));
            envelope.account_for(&response, &method, &uri, started);
            response
        };
        let (response, Marks { request_id, span }) = marked(marks, answered).await;
        let mut response = describe_error(response, &request_id);
        complete_headers(response.headers_mut(), request_id, envelope.strict_transport_security);
        if let Some(span) = span {
            span.end(&mut response);
        }
        response
    }
}

/// Gives requests their ids: the caller's, if it is a sane one; a new one otherwise.
pub struct RequestIds(UniqueNumbers);

impl RequestIds {
    /// Ids that no other process gives.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        Self(UniqueNumbers::draw(entropy))
    }

    fn id(&self, headers: &HeaderMap) -> HeaderValue {
        let sane = |value: &&HeaderValue| {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
            (1..=128).contains(&value.len()) && value.as_bytes().iter().all(plain)
        };
        if let Some(id) = headers.get(X_REQUEST_ID).filter(sane) {
            return id.clone();
        }
        HeaderValue::from_bytes(&hexadecimal(self.0.next())).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// What the admin listener's answers have of all that: the id, and a body where they are errors that have none.
pub async fn identified(State(ids): State<Arc<RequestIds>>, request: Request, next: Next) -> Response {
    let id = ids.id(request.headers());
    let mut response = next.run(request).await;
    // What is not ready has a body of its own.
    if response.extensions().get::<ApiError>().is_some() {
        response = describe_error(response, &id);
    }
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

fn hexadecimal(number: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * place) & 15) as usize];
    }
    digits
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    ApiError::new(ErrorType::Internal).caused_by(std::io::Error::other(format!("panic: {message}"))).into_response()
}

/// Gives every error its body, also those that the framework answered with by itself.
fn describe_error(response: Response, id: &HeaderValue) -> Response {
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
    let body = serde_json::to_vec(&error.body(id.to_str().unwrap_or_default())).unwrap_or_default();
    parts.extensions.insert(error);
    Response::from_parts(parts, body.into())
}

fn complete_headers(headers: &mut HeaderMap, id: HeaderValue, strict_transport_security: bool) {
    headers.reserve(USUAL_HEADERS.saturating_sub(headers.len()));
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
        let ids = RequestIds(UniqueNumbers::draw(&Sevens));
        let id = |value: &[u8]| {
            let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(value).unwrap())]);
            ids.id(&headers).to_str().unwrap().to_owned()
        };
        assert_eq!(id(b"abc-123_DEF.4"), "abc-123_DEF.4");
        for odd in [&b""[..], b"two words", b"\"quoted\"", b"{curly}", "\u{fc}".as_bytes(), &[b'a'; 129]] {
            let new = id(odd);
            assert!(new.len() == 32 && new.starts_with("7777777777777777"), "{new}");
        }
    }

    #[test]
    fn no_two_requests_get_the_same_id() {
        let ids = RequestIds(UniqueNumbers::draw(&Sevens));
        assert_ne!(ids.id(&HeaderMap::new()), ids.id(&HeaderMap::new()));
    }
}

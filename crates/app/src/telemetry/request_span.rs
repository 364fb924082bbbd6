//! What a trace shows of a request: a span by OpenTelemetry's semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>), within the trace that the caller names.

use axum::extract::Request;
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use markt_domain::trace;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
#[cfg(test)]
use opentelemetry::trace::{TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::{Empty, display};
use tracing::{Level, Span, span_enabled};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::http::ApiError;

/// The header that carries a trace's id, both ways (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What goes with it, from one vendor's systems to others of its.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A request's span.
pub struct RequestSpan {
    span: Span,
    context: SpanContext,
}

impl RequestSpan {
    /// Begins one, if traces are sent. It goes on with the caller's trace, if the request names one. `route` tells the
    /// template that the path matches, if there is one.
    ///
    /// The path is told where it leads somewhere, and the query never: who mistakes an address may write secrets there.
    pub fn begin<'route>(
        request: &Request,
        route: impl FnOnce() -> Option<&'route str>,
        request_id: &HeaderValue,
    ) -> Option<Box<Self>> {
        if !span_enabled!(target: trace::TARGET, Level::INFO) {
            return None;
        }
        let (route, method, headers) = (route(), method(request.method()), request.headers());
        let span = tracing::info_span!(
            target: trace::TARGET,
            parent: None,
            "request",
            otel.name = [method.unwrap_or("HTTP"), route.unwrap_or_default()].join(" ").trim_end(),
            otel.kind = "server",
            otel.status_code = Empty,
            "error.type" = Empty,
            http.request.method = method.unwrap_or("_OTHER"),
            http.route = route,
            http.response.status_code = Empty,
            url.scheme = "http",
            url.path = route.map(|_| request.uri().path()),
            user_agent.original = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()),
            markt.request_id = request_id.to_str().ok(),
        );
        let parent = TraceContextPropagator::new().extract(&Headers(headers));
        // It has just begun, and is the layer's: neither of what could be wrong is.
        let _set = span.set_parent(parent);
        let context = span.context().span().span_context().clone();
        Some(Box::new(Self { span, context }))
    }

    /// One that is sent nowhere, with these ids.
    #[cfg(test)]
    pub fn known_as(trace: TraceId, span: SpanId) -> Self {
        let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
        Self { span: Span::none(), context }
    }

    /// What is done for the request is to be within this.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The trace, and the span in it.
    pub fn ids(&self) -> (TraceId, SpanId) {
        (self.context.trace_id(), self.context.span_id())
    }

    /// Says what came of the request. The answer names the trace.
    pub fn end(&self, response: &mut Response) {
        let status = response.status();
        self.span.record("http.response.status_code", status.as_u16());
        if let Some(error) = response.extensions().get::<ApiError>() {
            self.span.record("error.type", display(error.error_type()));
        }
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
        let ((trace, span), flags) = (self.ids(), self.context.trace_flags().to_u8());
        if let Ok(value) = HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}")) {
            response.headers_mut().insert(TRACEPARENT, value);
        }
    }
}

/// The method's name, if it is one of HTTP's own: anybody can make up others.
fn method(method: &Method) -> Option<&'static str> {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
        .into_iter()
        .find(|name| *name == method.as_str())
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

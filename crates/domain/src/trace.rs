//! What a trace shows of a request: spans of `tracing`, which the binary sends to a collector if it is told to.
//!
//! They have a [target](TARGET) of their own, which the log has no ear for: where no traces are sent, a span costs the look
//! at a flag. Only what is done for a request is traced, and not what the service does by itself.

use tracing::field::Empty;
use tracing::{Level, Span, info_span, span_enabled};

use crate::ports::{StoreError, StoreErrorKind};

/// The target of all spans.
pub const TARGET: &str = "markt_trace";

/// Whether this is done for a request that is traced.
#[must_use]
pub fn is_traced() -> bool {
    span_enabled!(target: TARGET, Level::INFO) && !Span::current().is_none()
}

/// A span for what is done within this process, or behind a port. No span at all if this [isn't traced](is_traced).
#[must_use]
pub fn step(name: &'static str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    info_span!(target: TARGET, "step", otel.name = name, otel.status_code = Empty, "error.type" = Empty)
}

/// Says of a span that it failed, and by which of few errors. The span must have the fields of [`step`]'s.
pub fn fail(span: &Span, error_type: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error_type);
}

/// Says of a span that the store failed, if it did.
pub fn see<T>(span: &Span, outcome: &Result<T, StoreError>) {
    match outcome.as_ref().err().map(|error| error.kind) {
        None => {}
        Some(StoreErrorKind::Unavailable) => fail(span, "store_unavailable"),
        Some(StoreErrorKind::Unreadable) => fail(span, "store_unreadable"),
    }
}

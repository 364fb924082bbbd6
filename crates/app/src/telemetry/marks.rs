//! Which request a line in the log is about, and which trace.
//!
//! A span would say so, too, but costs each request an eighth of its instructions, whether it logs something or not: the
//! log's layer puts a span's fields into words when it begins. Here the ids stand ready, and are written by who needs them.

use std::fmt;
use std::pin::pin;

use http::HeaderValue;
use tokio::task_local;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::RequestSpan;

task_local! {
    static MARKS: Marks;
}

/// What a request is known by.
pub struct Marks {
    /// Its id.
    pub request_id: HeaderValue,
    /// Its span, if it is traced. Behind a pointer, as it mostly isn't there.
    pub span: Option<Box<RequestSpan>>,
}

impl Marks {
    fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

/// Waits for this, and has all that it logs meanwhile marked. The marks are then given back.
///
/// What it spawns is not marked.
pub async fn marked<T>(marks: Marks, work: impl Future<Output = T>) -> (T, Marks) {
    let mut work = pin!(MARKS.scope(marks, work));
    let outcome = work.as_mut().await;
    // They are there: nobody else takes them.
    let marks = work.as_mut().take_value();
    (outcome, marks.unwrap_or(Marks { request_id: HeaderValue::from_static("-"), span: None }))
}

/// The id of the request that this is a part of.
pub fn current_request_id() -> Option<String> {
    MARKS.try_with(|marks| marks.request_id().to_owned()).ok()
}

/// Fields in text, the marks the last of them.
#[derive(Default)]
pub struct MarkedFields(DefaultFields);

impl<'writer> FormatFields<'writer> for MarkedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        let mark = |marks: &Marks| {
            write!(writer, " request_id={}", marks.request_id())?;
            marks.span.as_ref().map_or(Ok(()), |span| write!(writer, " trace_id={}", span.ids().0))
        };
        MARKS.try_with(mark).unwrap_or(Ok(()))
    }
}

/// Objects in JSON, the marks at their beginning: `request_id` and, of a request that is traced, `trace_id` and
/// `span_id`, as OpenTelemetry wants them in logs
/// (<https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/>).
pub struct MarkedObjects<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for MarkedObjects<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut object = String::new();
        self.0.format_event(context, Writer::new(&mut object), event)?;
        let mark = |marks: &Marks| {
            // An id has no character that would have to be escaped: others aren't taken over from the caller.
            write!(writer, r#"{{"request_id":"{}","#, marks.request_id())?;
            if let Some((trace, span)) = marks.span.as_ref().map(|span| span.ids()) {
                write!(writer, r#""trace_id":"{trace}","span_id":"{span}","#)?;
            }
            writer.write_str(object.strip_prefix('{').unwrap_or(&object))
        };
        MARKS.try_with(mark).unwrap_or_else(|_| writer.write_str(&object))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;
    use opentelemetry::{SpanId, TraceId};
    use serde_json::Value;
    use tracing_subscriber::Layer;
    use tracing_subscriber::fmt;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry::Registry;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    const TRACE: (TraceId, SpanId) = (TraceId::from_bytes([0xab; 16]), SpanId::from_bytes([7; 8]));

    /// What is logged within a request that is traced, and outside of any.
    fn logged(layer: impl FnOnce(Log) -> Box<dyn Layer<Registry> + Send + Sync>) -> [String; 2] {
        let log = Log::default();
        tracing::subscriber::with_default(Registry::default().with(layer(log.clone())), || {
            let work = async { tracing::info!(event = "session_created", "within") };
            let span = Some(Box::new(RequestSpan::known_as(TRACE.0, TRACE.1)));
            let ((), marks) =
                marked(Marks { request_id: HeaderValue::from_static("abc-1"), span }, work).now_or_never().unwrap();
            assert_eq!(marks.request_id, "abc-1");
            tracing::info!("outside");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.try_into().unwrap()
    }

    #[test]
    fn an_object_begins_with_what_its_request_is_known_by() {
        let [within, outside] = logged(|log| {
            fmt::layer().json().flatten_event(true).map_event_format(MarkedObjects).with_writer(log).boxed()
        });

        let within: Value = serde_json::from_str(&within).unwrap();
        assert_eq!((&within["request_id"], &within["event"]), (&"abc-1".into(), &"session_created".into()));
        assert_eq!((&within["trace_id"], &within["span_id"]), (&"ab".repeat(16).into(), &"07".repeat(8).into()));
        assert_eq!(serde_json::from_str::<Value>(&outside).unwrap().get("request_id"), None);
    }

    #[test]
    fn a_line_ends_with_what_its_request_is_known_by() {
        let [within, outside] =
            logged(|log| fmt::layer().fmt_fields(MarkedFields::default()).with_ansi(false).with_writer(log).boxed());

        let expected = format!(r#"within event="session_created" request_id=abc-1 trace_id={}"#, "ab".repeat(16));
        assert!(within.ends_with(&expected), "{within}");
        assert!(outside.ends_with("outside"), "{outside}");
    }
}

//! Which request a line in the log is about.
//!
//! A span would say so, too, but costs each request an eighth of its instructions, whether it logs something or not: the
//! log's layer puts a span's fields into words when it begins. Here the id stands ready, and is written by who needs it.

use std::fmt;
use std::pin::pin;

use http::HeaderValue;
use tokio::task_local;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

task_local! {
    static REQUEST_ID: HeaderValue;
}

/// Waits for this, and has all that it logs meanwhile marked with the id, which is then given back.
///
/// What it spawns is not marked.
pub async fn with_request_id<T>(id: HeaderValue, work: impl Future<Output = T>) -> (T, HeaderValue) {
    let mut work = pin!(REQUEST_ID.scope(id, work));
    let outcome = work.as_mut().await;
    // It is there: nobody else takes it.
    let id = work.as_mut().take_value().unwrap_or_else(|| HeaderValue::from_static("-"));
    (outcome, id)
}

/// The id of the request that this is a part of.
pub fn current() -> Option<String> {
    REQUEST_ID.try_with(|id| id.to_str().map(str::to_owned)).ok()?.ok()
}

/// Fields in text, the id the last of them.
#[derive(Default)]
pub struct MarkedFields(DefaultFields);

impl<'writer> FormatFields<'writer> for MarkedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        current().map_or(Ok(()), |id| write!(writer, " request_id={id}"))
    }
}

/// Objects in JSON, the id at their beginning.
pub struct MarkedObjects<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for MarkedObjects<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = current() else { return self.0.format_event(context, writer, event) };
        let mut object = String::new();
        self.0.format_event(context, Writer::new(&mut object), event)?;
        // An id has no character that would have to be escaped: others aren't taken over from the caller.
        write!(writer, r#"{{"request_id":"{id}",{}"#, object.strip_prefix('{').unwrap_or(&object))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;
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

    /// What is logged within a request, and outside of any.
    fn logged(layer: impl FnOnce(Log) -> Box<dyn Layer<Registry> + Send + Sync>) -> [String; 2] {
        let log = Log::default();
        tracing::subscriber::with_default(Registry::default().with(layer(log.clone())), || {
            let work = async { tracing::info!(event = "session_created", "within") };
            let ((), id) = with_request_id(HeaderValue::from_static("abc-1"), work).now_or_never().unwrap();
            assert_eq!(id, "abc-1");
            tracing::info!("outside");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.try_into().unwrap()
    }

    #[test]
    fn an_object_begins_with_the_id_of_its_request() {
        let [within, outside] = logged(|log| {
            fmt::layer().json().flatten_event(true).map_event_format(MarkedObjects).with_writer(log).boxed()
        });

        let within: Value = serde_json::from_str(&within).unwrap();
        assert_eq!((&within["request_id"], &within["event"]), (&"abc-1".into(), &"session_created".into()));
        assert_eq!(serde_json::from_str::<Value>(&outside).unwrap().get("request_id"), None);
    }

    #[test]
    fn a_line_ends_with_the_id_of_its_request() {
        let [within, outside] =
            logged(|log| fmt::layer().fmt_fields(MarkedFields::default()).with_ansi(false).with_writer(log).boxed());

        assert!(within.ends_with(r#"within event="session_created" request_id=abc-1"#), "{within}");
        assert!(outside.ends_with("outside"), "{outside}");
    }
}

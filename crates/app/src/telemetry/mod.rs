//! The log, on standard error, and traces.

mod marks;
mod request_span;
mod traces;

use std::io::IsTerminal as _;

use markt_domain::trace::TARGET;
use opentelemetry_otlp::ExporterBuildError;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use self::marks::{MarkedFields, MarkedObjects};
use crate::config;
use crate::config::values::LogFormat;

pub use self::marks::{Marks, current_request_id, marked};
pub use self::request_span::{RequestSpan, TRACEPARENT, TRACESTATE};
pub use self::traces::Traces;

/// The crates whose log is the service's own; of others, warnings are enough.
const OWN: [&str; 9] = [
    "markt_auth",
    "markt_devices",
    "markt_domain",
    "markt_flask",
    "markt_mail",
    "markt_near_cache",
    "markt_password",
    "markt_redis",
    "markt_seaorm",
];

/// Begins to log. Only the first call in a process counts.
pub fn init(config: &config::Telemetry) {
    // A filter for all, which is asked once for each place that logs, unlike one for a layer.
    let installed = Registry::default().with(log(config)).with(what_is_logged(config)).try_init();
    if installed.is_err() {
        tracing::debug!("logging was set up before");
    }
}

/// Begins to log and, if it is configured where to, to send traces. They have to be [closed](Traces::close) in the end.
///
/// # Errors
/// If what is configured is no address.
pub fn init_with_traces(config: &config::Telemetry) -> Result<Option<Traces>, InvalidEndpoint> {
    let Some(endpoint) = &config.otlp_endpoint else {
        init(config);
        return Ok(None);
    };
    let traces = Traces::to(endpoint).map_err(InvalidEndpoint)?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(traces.tracer())
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO));
    let log = log(config).with_filter(what_is_logged(config));
    let installed = Registry::default().with(log).with(spans).try_init();
    if installed.is_err() {
        tracing::debug!("logging was set up before");
    }
    Ok(Some(traces))
}

/// Traces can't be sent where they should.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.otlp_endpoint: must be the address of a collector, such as http://collector:4317")]
pub struct InvalidEndpoint(#[source] ExporterBuildError);

fn what_is_logged(config: &config::Telemetry) -> Targets {
    let level = config.log_level.as_str().parse().unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(OWN.map(|name| (name, level)))
        .with_target(TARGET, LevelFilter::OFF)
}

fn log(config: &config::Telemetry) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Pretty => {
            let layer = layer.fmt_fields(MarkedFields::default());
            layer.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).map_event_format(MarkedObjects).boxed(),
    }
}

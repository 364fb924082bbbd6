//! The log, on standard error.

mod request_id;

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use self::request_id::{MarkedFields, MarkedObjects};
use crate::config;
use crate::config::values::LogFormat;

pub use self::request_id::{current as current_request_id, with_request_id};

/// The crates whose log is the service's own; of others, warnings are enough.
const OWN: [&str; 8] = [
    "markt_auth",
    "markt_devices",
    "markt_domain",
    "markt_mail",
    "markt_near_cache",
    "markt_password",
    "markt_redis",
    "markt_seaorm",
];

/// Begins to log. Only the first call in a process counts.
pub fn init(config: &config::Telemetry) {
    let level = config.log_level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let filter = Targets::new().with_default(LevelFilter::WARN).with_targets(OWN.map(|name| (name, level)));
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = match config.log_format {
        LogFormat::Pretty => {
            let layer = layer.fmt_fields(MarkedFields::default());
            layer.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).map_event_format(MarkedObjects).boxed(),
    };
    // A filter for all, which is asked once for each place that logs, unlike one for a layer.
    let installed = Registry::default().with(layer).with(filter).try_init();
    if installed.is_err() {
        tracing::debug!("logging was set up before");
    }
}

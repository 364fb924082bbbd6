//! The log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config;
use crate::config::values::LogFormat;

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
    let level = config.log_level.as_str();
    let own: Vec<String> = OWN.iter().map(|name| format!("{name}={level}")).collect();
    let filter = EnvFilter::new(format!("warn,{}", own.join(",")));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match config.log_format {
        LogFormat::Pretty => subscriber.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    if installed.is_err() {
        tracing::debug!("logging was set up before");
    }
}

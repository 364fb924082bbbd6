//! How many sessions there are.

use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::session_directory::SessionDirectory;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::sleep;

/// How often the sessions are counted: it costs the store something.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);

/// How many sessions there are (`markt_sessions_active`).
pub struct ActiveSessions(Gauge);

impl ActiveSessions {
    /// Shown among these metrics.
    pub fn register(metrics: &mut Registry) -> Self {
        let gauge = Gauge::default();
        let help = "Sessions in the store, counted once a minute; estimated from a sample where Redis has many keys";
        metrics.register("markt_sessions_active", help, gauge.clone());
        Self(gauge)
    }

    /// Counts them now and then, for as long as it is polled.
    pub async fn keep_counting(self, directory: Arc<dyn SessionDirectory>) {
        loop {
            match directory.estimated_count().await {
                Ok(count) => {
                    self.0.set(i64::try_from(count.sessions).unwrap_or(i64::MAX));
                }
                Err(error) => tracing::debug!(%error, "the sessions were not counted"),
            }
            sleep(COUNT_INTERVAL).await;
        }
    }
}

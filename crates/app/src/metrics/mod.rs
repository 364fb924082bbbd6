//! What the service measures of itself, for Prometheus: `GET /metrics` on the admin listener.
//!
//! `docs/operations/monitoring/metrics.md` lists all of it. What requests count is made ready at the start: on the way of a
//! request that is answered from memory, it takes a few atomic additions and no lock.

mod authentication;
mod histogram;
mod http;
mod process;
mod reading;
mod sessions;
mod stores;

pub use authentication::{Authentications, Source};
pub use histogram::AtomicHistogram;
pub use http::{HttpMetrics, RequestDurations};
pub use process::register_process;
pub use reading::{Readings, count, gauge, large_number, number};
pub use sessions::ActiveSessions;
pub use stores::{Watched, register_stores};

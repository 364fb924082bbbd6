//! How the stores are doing.

use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::StoreErrorKind;
use markt_domain::ports::store_observer::StoreObserver;
use markt_domain::store_guard::StoreGuard;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::{AtomicHistogram, Readings, number};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    store: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    store: &'static str,
    kind: &'static str,
}

#[derive(Clone)]
struct Observer {
    store: &'static str,
    durations: Family<Operation, AtomicHistogram>,
    errors: Family<Failure, Counter>,
}

impl StoreObserver for Observer {
    fn observe(&self, operation: &'static str, took: Duration, error: Option<StoreErrorKind>) {
        let store = self.store;
        self.durations.get_or_create(&Operation { store, operation }).observe(took);
        if let Some(kind) = error {
            self.errors.get_or_create(&Failure { store, kind: name_of(kind) }).inc();
        }
    }
}

const fn name_of(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::Unavailable => "unavailable",
        StoreErrorKind::Unreadable => "unreadable",
    }
}

/// A store to be measured.
pub struct Watched {
    /// Its name in the metrics.
    pub store: &'static str,
    /// What stands before it.
    pub guard: Arc<StoreGuard>,
    /// Whether it isn't asked, or one of its servers.
    pub is_away: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Measures these stores, each under its name, by what stands before it.
pub fn register_stores(metrics: &mut Registry, stores: impl IntoIterator<Item = Watched>) {
    let (durations, errors) = (Family::default(), Family::default());
    let help = "Time that operations on stores took, those included that failed";
    metrics.register_with_unit("markt_store_operation_duration", help, Unit::Seconds, Family::clone(&durations));
    metrics.register("markt_store_errors", "Operations on stores that failed", Family::clone(&errors));
    let help = "Whether the store isn't asked, or one of its servers, because it didn't answer lately";
    let mut breakers = Readings::gauges("markt_store_breaker_open", help, "store");
    let help = "Operations that wait for the store now";
    let mut waiting = Readings::gauges("markt_store_operations_in_flight", help, "store");
    for Watched { store, guard, is_away } in stores {
        let bulkhead = Arc::clone(&guard);
        breakers = breakers.with(store, move || number(is_away()));
        waiting = waiting.with(store, move || number(bulkhead.waiting()));
        guard.be_observed_by(Arc::new(Observer { store, durations: durations.clone(), errors: errors.clone() }));
    }
    breakers.register(metrics);
    waiting.register(metrics);
}

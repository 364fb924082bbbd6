//! What the adapters say of themselves, as metrics.

use std::sync::Arc;

use markt_password::Hasher;
use markt_redis::RedisStores;
use markt_seaorm::Database;
use prometheus_client::registry::{Registry, Unit};

use super::near_cache::ReadStatistics;
use crate::metrics::{self, AtomicHistogram, Readings, Watched, count, gauge, large_number, number};

/// What both stores take, by what stands before them.
pub(super) fn stores(metrics: &mut Registry, database: &Database, redis: Option<&RedisStores>) {
    let guard = database.guard();
    let database = Watched { store: "database", is_away: Arc::new(move || guard.is_open()), guard: database.guard() };
    let redis = redis.cloned().map(|redis| Watched {
        store: "redis",
        guard: redis.guard(),
        is_away: Arc::new(move || redis.is_one_away()),
    });
    metrics::register_stores(metrics, std::iter::once(database).chain(redis));
}

/// What hashing takes.
pub(super) fn hashing(metrics: &mut Registry, hasher: &Arc<Hasher>) {
    let statistics = |read: fn(markt_password::Statistics) -> f64| {
        let hasher = Arc::clone(hasher);
        move || read(hasher.statistics())
    };
    let help = "Passwords that are being hashed";
    gauge(metrics, "markt_password_hashes_running", help, statistics(|now| number(now.running)));
    let help = "Passwords that wait to be hashed";
    gauge(metrics, "markt_password_hashes_queued", help, statistics(|now| number(now.queued)));
    let help = "Passwords that were not hashed, because they would have waited for too long";
    count(metrics, "markt_password_hashes_refused", help, statistics(|now| large_number(now.refused)));
    let durations = AtomicHistogram::default();
    let help = "Time that it took to hash a password, without the wait for it";
    metrics.register_with_unit("markt_password_hash_duration", help, Unit::Seconds, durations.clone());
    hasher.be_observed_by(move |took| durations.observe(took));
}

/// How sessions in memory are doing.
pub(super) fn near_cache(metrics: &mut Registry, statistics: &ReadStatistics) {
    let value = |read: fn(markt_near_cache::Statistics) -> f64| {
        let statistics = Arc::clone(statistics);
        move || read(statistics())
    };
    let help = "Sessions that are held in memory";
    gauge(metrics, "markt_near_cache_sessions", help, value(|now| number(now.sessions)));
    let help = "Sessions that are held in memory at most, about";
    gauge(metrics, "markt_near_cache_capacity", help, value(|now| number(now.capacity)));
    let help = "Whether sessions may be answered from memory: the channel that tells of changes is proven alive";
    gauge(metrics, "markt_near_cache_usable", help, value(|now| number(now.is_usable)));
    let help = "Uses of sessions that wait to be written down";
    gauge(metrics, "markt_near_cache_touches_waiting", help, value(|now| number(now.touches_waiting)));
    Readings::counts("markt_near_cache_lookups", "Sessions that were looked for in memory", "result")
        .with("hit", value(|now| large_number(now.hits)))
        .with("miss", value(|now| large_number(now.misses)))
        .register(metrics);
    let help = "Times that memory was told to forget a session, or all of them";
    Readings::counts("markt_near_cache_invalidations", help, "scope")
        .with("session", value(|now| large_number(now.sessions_invalidated)))
        .with("all", value(|now| large_number(now.times_emptied)))
        .register(metrics);
}

//! Whether sessions are answered from memory, and how that memory is told of changes.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join};
use markt_domain::client::Client;
use markt_domain::ports::invalidations::Invalidations;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionSecret, Transport};
use markt_domain::user::{SessionEpoch, UserId};
use markt_near_cache::{NearCache, Observation, Options, Statistics};
use markt_redis::keys::PROBE_USER;
use markt_redis::{RedisSessionStore, RedisStores};
use markt_seaorm::{Database, SeaOrmSessionStore, SqliteInvalidations};

use super::Surroundings;
use crate::config;
use crate::revocation::RevocationTime;

/// How long touches wait to be written together at most. They make `last_activity` lag that much more.
const FLUSH_INTERVAL: Duration = Duration::from_secs(2);

/// Where they wait, they are written no more often than this, however small the touch interval.
const LEAST_FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How often it is measured how long a revocation takes.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a probe lives if its process ends in the middle of a measurement.
const PROBE_LIFETIME: Duration = Duration::from_secs(5);

/// Reads how a near cache is doing.
pub(super) type ReadStatistics = Arc<dyn Fn() -> Statistics + Send + Sync>;

/// A session store that answers from memory, and what that takes.
pub(super) struct NearSessions {
    /// The store.
    pub(super) sessions: Arc<dyn SessionStore>,
    /// How it is doing.
    pub(super) statistics: ReadStatistics,
    /// How long revocations take to reach that memory, where they come from outside.
    pub(super) revocation_time: Option<RevocationTime>,
    /// Keeps the memory true, for as long as it runs.
    pub(super) upkeep: BoxFuture<'static, ()>,
    /// Writes what still waits to be written, in the end.
    pub(super) flush: BoxFuture<'static, ()>,
}

/// Sessions in memory over those of Redis, or of SQLite; nothing if that is switched off or can't be kept true.
pub(super) fn near_sessions(
    config: &config::Session,
    surroundings: &Surroundings,
    redis: Option<&RedisStores>,
    database: &Database,
) -> Option<NearSessions> {
    if !config.near_cache_enabled {
        return None;
    }
    let options = options(config);
    if let Some(redis) = redis {
        let (store, invalidations) = redis.tracked_sessions();
        let cache = NearCache::new(store, options);
        let time = RevocationTime::new(config.near_cache_max_staleness);
        let measure = measure(cache.clone(), redis.clone(), surroundings.clone(), time.clone());
        let upkeep = join(keep_true(cache.clone(), invalidations), measure).map(drop).boxed();
        return Some(NearSessions { revocation_time: Some(time), ..near(cache, upkeep) });
    }
    let Some(invalidations) = SqliteInvalidations::of(database) else {
        tracing::info!("sessions aren't held in memory: PostgreSQL alone tells no process what the others change");
        return None;
    };
    let store = SeaOrmSessionStore::new(database.clone(), Arc::clone(&surroundings.clock));
    let cache = NearCache::new(store, options);
    let upkeep = keep_true(cache.clone(), invalidations).boxed();
    Some(near(cache, upkeep))
}

/// How long a process that serves may still answer from memory what was changed in these stores by another. Redis tells it
/// at once; of SQLite it finds out by itself.
pub(super) fn settling_time(config: &config::Session, redis: Option<&RedisStores>, database: &Database) -> Duration {
    let is_held = config.near_cache_enabled && redis.is_none() && SqliteInvalidations::of(database).is_some();
    if is_held { config.near_cache_max_staleness } else { Duration::ZERO }
}

fn options(config: &config::Session) -> Options {
    // Where every use is to be written down, none is put off.
    let flush_interval = match config.touch_interval {
        Duration::ZERO => Duration::ZERO,
        interval => interval.clamp(LEAST_FLUSH_INTERVAL, FLUSH_INTERVAL),
    };
    Options {
        capacity: usize::try_from(config.near_cache_capacity).unwrap_or(usize::MAX),
        max_staleness: config.near_cache_max_staleness,
        flush_interval,
    }
}

fn near<S: SessionStore + 'static>(cache: NearCache<S>, upkeep: BoxFuture<'static, ()>) -> NearSessions {
    let (sessions, watched) = (Arc::new(cache.clone()), cache.clone());
    let statistics = Arc::new(move || watched.statistics());
    let flush = async move {
        if let Err(error) = cache.flush().await {
            tracing::warn!(%error, "the last use of some sessions was not written down");
        }
    };
    NearSessions { sessions, statistics, revocation_time: None, upkeep, flush: flush.boxed() }
}

async fn keep_true<S: SessionStore + 'static>(cache: NearCache<S>, invalidations: impl Invalidations) {
    cache.run(&invalidations).await;
}

/// Revokes a session again and again, past the memory that holds it, and watches when that is seen.
async fn measure(
    cache: NearCache<RedisSessionStore>,
    redis: RedisStores,
    surroundings: Surroundings,
    time: RevocationTime,
) {
    loop {
        tokio::time::sleep(PROBE_INTERVAL).await;
        let probe = probe(&surroundings);
        let observation = async {
            redis.plant_probe(&probe, PROBE_LIFETIME).await?;
            cache.observe_revocation(&probe.id, redis.revoke_probe(&probe.id), time.bound()).await
        };
        match observation.await {
            Ok(Observation::Seen(after)) => time.observe(after),
            Ok(Observation::Unseen(until)) => {
                tracing::error!(seconds = until.as_secs_f64(), "a revoked session is still let in");
                time.observe(until);
            }
            Ok(Observation::NotHeld) => time.nothing_held(),
            // Readiness tells of a store that is away by itself, and nothing is served from memory for long then.
            Err(error) => tracing::debug!(%error, "the time that a revocation takes was not measured"),
        }
    }
}

/// A session that nobody can log in with: its secret is gone when this returns, and there is no such user.
fn probe(Surroundings { clock, entropy }: &Surroundings) -> Session {
    let id = SessionSecret::generate(entropy.as_ref()).id();
    let now = clock.now();
    Session {
        id,
        family: id.family(),
        user_id: UserId::from_store(PROBE_USER),
        epoch: SessionEpoch::default(),
        current_role: Role::Buyer,
        created_at: now,
        last_activity: now,
        authenticated_at: now,
        password_given: false,
        remember: false,
        transport: Transport::Cookie,
        client: Client::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), ""),
        idle_expires_at: now.plus(PROBE_LIFETIME),
        expires_at: now.plus(PROBE_LIFETIME),
        refresh: None,
    }
}

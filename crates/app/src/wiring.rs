//! The composition root: the one place that names the adapters, and decides by the configuration which are used.

pub(crate) mod examination;
mod foreign;
mod measuring;
mod near_cache;
mod token_signer;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use markt_devices::Recognizer;
use markt_domain::ports::StoreError;
use markt_domain::ports::audit_log::{AuditLog, AuditTrail};
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::CodeStore;
use markt_domain::ports::device_recognizer::DeviceRecognizer;
use markt_domain::ports::entropy::Entropy;
use markt_domain::ports::mailer::Mailer;
use markt_domain::ports::password_hasher::PasswordHasher;
use markt_domain::ports::rate_limiter::RateLimiter;
use markt_domain::ports::session_directory::SessionDirectory;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::ports::token_signer::{TokenSigner, TokenVerifier};
use markt_domain::ports::token_uses::TokenUses;
use markt_domain::ports::user_store::UserStore;
use markt_domain::session::ENDING_REMEMBERED_FOR;
use markt_domain::use_cases::follow_sessions::FollowSessions;
use markt_mail::{Outbox, Transport};
use markt_password::{Cost, Hasher};
use markt_redis::{ConnectOptions, RedisStores, RedisUrl};
use markt_seaorm::{
    Database, SeaOrmAuditTrail, SeaOrmCodeStore, SeaOrmRateLimiter, SeaOrmSessionDirectory, SeaOrmSessionStore,
    SeaOrmSpentTokens, SeaOrmUserStore,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use crate::assembly::{Parts, assemble};
use crate::audit::AuditWriter;
use crate::config::values::{AuthMode, Environment, MailTransport};
use crate::config::{self, Config};
use crate::http::events::EventStreams;
use crate::http::health::Dependency;
use crate::http::{self, UseCases};
use crate::metrics::{self, HttpMetrics, Source};
use crate::token_requests::LegacyTokenRequests;
use near_cache::{NearSessions, near_sessions, settling_time};

/// How often expired sessions and codes are deleted from the database, and how many at a time.
const SWEEP: (Duration, u64) = (Duration::from_secs(60), 500);

/// How much longer Redis keeps what somebody may still go by.
const MARGIN: Duration = Duration::from_secs(5);

/// Why the service can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// The database can't be used.
    #[error("database_url = \"{url}\"")]
    Database {
        /// The URL, without its password.
        url: String,
        /// Why.
        source: markt_seaorm::ConnectError,
    },
    /// The database's schema can't be brought up to date.
    #[error("the database can't be migrated")]
    Migrate(#[from] markt_seaorm::MigrateError),
    /// The database can't be asked about its schema.
    #[error("the database can't be asked about its schema")]
    Schema(#[from] StoreError),
    /// The database's schema is old, and in production it isn't changed without being asked.
    #[error("the database's schema is behind by {}: run `markt-auth migrate` first", .0.join(", "))]
    OldSchema(Vec<String>),
    /// The URL of Redis is wrong.
    #[error("redis_url = \"{url}\": {source}")]
    RedisUrl {
        /// The URL, without its password.
        url: String,
        /// Why.
        source: markt_redis::InvalidRedisUrl,
    },
    /// Redis can't be used.
    #[error("redis_url = \"{url}\"")]
    Redis {
        /// The URL, without its password.
        url: String,
        /// Why.
        source: markt_redis::ConnectError,
    },
    /// Passwords can't be hashed as configured.
    #[error(transparent)]
    Password(#[from] markt_password::SetUpError),
    /// Mail can't be sent as configured.
    #[error(transparent)]
    Mail(#[from] markt_mail::SetUpError),
    /// Tokens can't be signed as configured.
    #[error(transparent)]
    TokenSigner(#[from] token_signer::SignerError),
    /// Sessions of the system before can't be taken over as configured.
    #[error(transparent)]
    Flask(#[from] markt_flask::UselessKey),
    /// Devices can't be told by their user agents.
    #[error(transparent)]
    Devices(#[from] markt_devices::BrokenPatterns),
}

/// What the machine gives: handed in, so that tests can give something else.
#[derive(Clone)]
pub struct Surroundings {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
}

/// The service, put together.
pub struct Wired {
    /// What the routes call.
    pub use_cases: UseCases,
    /// The public keys that tokens are verified by, if they are to be published.
    pub jwks: Option<Bytes>,
    /// Where users are kept, for the demo accounts.
    pub users: Arc<dyn UserStore>,
    /// What hashes their passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What readiness depends on.
    pub dependencies: Vec<Box<dyn Dependency>>,
    /// What is measured, for the admin listener to show.
    pub metrics: Registry,
    /// What the public listener measures of it.
    pub http_metrics: HttpMetrics,
    /// Those who follow what becomes of sessions.
    pub event_streams: EventStreams,
    resources: Resources,
}

/// What has to be closed in the end.
pub struct Resources {
    database: Database,
    redis: Option<RedisStores>,
    outbox: Arc<Outbox>,
    audit: Arc<AuditWriter>,
    /// Writes the touches that wait.
    flush: Option<BoxFuture<'static, ()>>,
    /// What runs beside the requests.
    background: Vec<JoinHandle<()>>,
}

impl Wired {
    /// Takes the service apart: what serves requests, and what has to be closed after the last one.
    #[must_use]
    pub fn into_resources(self) -> Resources {
        self.resources
    }
}

impl Resources {
    /// Sends the mail that is left, writes the touches and the audit records that wait, and closes the stores.
    pub async fn close(self) {
        self.outbox.close().await;
        if let Some(flush) = self.flush {
            flush.await;
        }
        self.audit.close().await;
        for task in self.background {
            task.abort();
        }
        if let Some(redis) = self.redis {
            redis.close().await;
        }
        self.database.close().await;
    }
}

/// Connects to the database.
async fn connect_database(config: &Config) -> Result<Database, WiringError> {
    let url = &config.database_url;
    Database::connect(url.expose()).await.map_err(|source| WiringError::Database { url: url.to_string(), source })
}

/// Brings the database's schema up to date.
///
/// # Errors
/// If the database can't be used, or holds what stands in the way.
pub async fn migrate(config: &Config) -> Result<(), WiringError> {
    let database = connect_database(config).await?;
    markt_seaorm::migrate(&database).await?;
    database.close().await;
    Ok(())
}

/// Puts the service together: connects to the stores and makes sure that their schema is the one that is needed.
///
/// # Errors
/// Says what can't be used, and by which key it is configured.
pub async fn wire(config: &Config, surroundings: &Surroundings) -> Result<Wired, WiringError> {
    let stores = open_stores(config, surroundings).await?;
    let hasher = hasher(config, surroundings)?;
    let outbox = Arc::new(open_outbox(&config.mail, &surroundings.clock)?);
    let Stores { users, sessions, directory, codes, limiter, audit: trail, mut dependencies, database, redis, sweeper } =
        stores;
    let mut background: Vec<_> = sweeper.map(tokio::spawn).into_iter().collect();
    background.push(tokio::spawn(sweep_spent_tokens(database.clone(), Arc::clone(&surroundings.clock))));
    background.push(tokio::spawn(sweep_audit(
        Arc::clone(&trail),
        Arc::clone(&surroundings.clock),
        config.audit_retention,
    )));
    let mut metrics = Registry::default();
    metrics::register_process(&mut metrics);
    measuring::stores(&mut metrics, &database, redis.as_ref());
    measuring::hashing(&mut metrics, &hasher);
    let hasher: Arc<dyn PasswordHasher> = hasher;
    let audit = AuditWriter::start(Arc::clone(&trail), surroundings);
    audit.register(&mut metrics);
    let event_streams = EventStreams::new(FollowSessions { trail }, audit.written());
    event_streams.register(&mut metrics);
    let (sessions, flush) = match near_sessions(&config.session, surroundings, redis.as_ref(), &database) {
        Some(NearSessions { sessions, statistics, revocation_time, upkeep, flush }) => {
            measuring::near_cache(&mut metrics, &statistics);
            if let Some(time) = revocation_time {
                time.register(&mut metrics);
                dependencies.push(Box::new(time));
            }
            background.push(tokio::spawn(upkeep));
            (sessions, Some(flush))
        }
        None => (sessions, None),
    };
    let source = if redis.is_some() { Source::Redis } else { Source::Database };
    let http_metrics = HttpMetrics::register(&mut metrics, http::paths(), source);
    let counting = metrics::ActiveSessions::register(&mut metrics).keep_counting(directory);
    background.push(tokio::spawn(counting));
    let devices = open_devices()?;
    let signer = token_signer::open(config, surroundings)?;
    let legacy = token_signer::open_legacy(config)?;
    let token_uses = (config.auth.mode == AuthMode::Dual).then(|| {
        let requests = LegacyTokenRequests::new(Arc::clone(&devices));
        requests.register(&mut metrics);
        Arc::new(requests) as Arc<dyn TokenUses>
    });
    let jwks = signer.as_ref().and_then(|signer| signer.jwks()).map(|keys| keys.to_json().into());
    let parts = Parts {
        signer: signer.map(|signer| signer as Arc<dyn TokenSigner>),
        legacy: legacy.map(|legacy| legacy as Arc<dyn TokenVerifier>),
        token_uses,
        spent: Arc::new(SeaOrmSpentTokens::new(database.clone())),
        foreign: foreign::sessions(config, redis.as_ref())?,
        users: Arc::clone(&users),
        sessions,
        codes,
        limiter,
        hasher: Arc::clone(&hasher),
        audit: Arc::clone(&audit) as Arc<dyn AuditLog>,
        mailer: Arc::clone(&outbox) as Arc<dyn Mailer>,
        devices,
    };
    let use_cases = assemble(config, surroundings, parts);
    let resources = Resources { database, redis, outbox, audit, flush, background };
    Ok(Wired { use_cases, jwks, users, hasher, dependencies, metrics, http_metrics, event_streams, resources })
}

/// The stores, over the database and, if there is one, Redis.
pub struct Stores {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What looks over all of them.
    pub directory: Arc<dyn SessionDirectory>,
    codes: Arc<dyn CodeStore>,
    limiter: Arc<dyn RateLimiter>,
    /// Where it is kept what happened.
    pub audit: Arc<dyn AuditTrail>,
    dependencies: Vec<Box<dyn Dependency>>,
    database: Database,
    redis: Option<RedisStores>,
    /// What forgets expired rows, as long as it runs.
    sweeper: Option<BoxFuture<'static, ()>>,
}

impl Stores {
    /// Waits until what was changed here shows in every process that serves, those included that answer from memory.
    pub async fn settle(&self, config: &Config) {
        tokio::time::sleep(settling_time(&config.session, self.redis.as_ref(), &self.database)).await;
    }

    /// Closes the stores.
    pub async fn close(self) {
        if let Some(redis) = self.redis {
            redis.close().await;
        }
        self.database.close().await;
    }
}

/// Connects to the stores and makes sure that their schema is the one that is needed.
///
/// # Errors
/// Says what can't be used, and by which key it is configured.
pub async fn open_stores(config: &Config, surroundings: &Surroundings) -> Result<Stores, WiringError> {
    let clock = &surroundings.clock;
    let database = connect_database(config).await?;
    ensure_schema(&database, config.env).await?;
    let users = Arc::new(SeaOrmUserStore::new(database.clone(), Arc::clone(clock)));
    let audit = Arc::new(SeaOrmAuditTrail::new(database.clone()));
    let mut dependencies: Vec<Box<dyn Dependency>> = vec![Box::new(DatabaseDependency(database.clone()))];
    let redis = connect_redis(config, clock).await?;
    Ok(match redis {
        Some(redis) => {
            dependencies.push(Box::new(RedisDependency(redis.clone())));
            Stores {
                users,
                sessions: Arc::new(redis.sessions()),
                directory: Arc::new(redis.directory()),
                codes: Arc::new(redis.codes()),
                limiter: Arc::new(redis.limits()),
                audit,
                dependencies,
                database,
                redis: Some(redis),
                sweeper: None,
            }
        }
        None => {
            let sessions = SeaOrmSessionStore::new(database.clone(), Arc::clone(clock));
            let codes = SeaOrmCodeStore::new(database.clone());
            let limiter = SeaOrmRateLimiter::new(database.clone());
            let directory = SeaOrmSessionDirectory::new(database.clone(), Arc::clone(clock));
            let sweeper = sweep(sessions.clone(), codes.clone(), limiter.clone(), Arc::clone(clock));
            Stores {
                users,
                sessions: Arc::new(sessions),
                directory: Arc::new(directory),
                codes: Arc::new(codes),
                limiter: Arc::new(limiter),
                audit,
                dependencies,
                database,
                redis: None,
                sweeper: Some(Box::pin(sweeper)),
            }
        }
    })
}

async fn ensure_schema(database: &Database, env: Environment) -> Result<(), WiringError> {
    if env == Environment::Development {
        return Ok(markt_seaorm::migrate(database).await?);
    }
    let pending = markt_seaorm::pending_migrations(database).await?;
    if pending.is_empty() { Ok(()) } else { Err(WiringError::OldSchema(pending)) }
}

async fn connect_redis(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<RedisStores>, WiringError> {
    let Some(url) = &config.redis_url else { return Ok(None) };
    let parsed: RedisUrl =
        url.expose().parse().map_err(|source| WiringError::RedisUrl { url: url.to_string(), source })?;
    RedisStores::connect(&parsed, redis_options(config), Arc::clone(clock))
        .await
        .map(Some)
        .map_err(|source| WiringError::Redis { url: url.to_string(), source })
}

/// Nothing is to be left in Redis an idle timeout after a user's last session ended: so why a session ended isn't
/// remembered for longer than that.
fn redis_options(config: &Config) -> ConnectOptions {
    let session = &config.session;
    let idle = session.idle_timeout.min(session.idle_timeout_not_remembered);
    ConnectOptions {
        endings_kept: ENDING_REMEMBERED_FOR.min(idle),
        // Longer than a node may use a copy of the user, or a request one that it read before.
        user_states_kept: session.user_cache_ttl + config.http.request_timeout + MARGIN,
        ..ConnectOptions::default()
    }
}

/// What hashes passwords.
///
/// # Errors
/// If that can't be done as configured.
pub fn open_hasher(config: &Config, surroundings: &Surroundings) -> Result<Arc<dyn PasswordHasher>, WiringError> {
    Ok(hasher(config, surroundings)?)
}

fn hasher(config: &Config, surroundings: &Surroundings) -> Result<Arc<Hasher>, WiringError> {
    Ok(Arc::new(Hasher::new(cost(&config.password), Arc::clone(&surroundings.entropy))?))
}

/// What tells devices by their user agents.
///
/// # Errors
/// If its patterns are broken.
pub fn open_devices() -> Result<Arc<dyn DeviceRecognizer>, WiringError> {
    Ok(Arc::new(Recognizer::new()?))
}

fn cost(config: &config::Password) -> Cost {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Cost {
        memory_kib: config.memory_kib,
        iterations: config.iterations,
        parallelism: config.parallelism,
        max_concurrent: NonZeroUsize::new(number(config.max_concurrent)).unwrap_or(NonZeroUsize::MIN),
        max_queued: number(config.max_queued),
        upgrade: config.upgrade_legacy,
    }
}

fn open_outbox(config: &config::Mail, clock: &Arc<dyn Clock>) -> Result<Outbox, WiringError> {
    let transport = match (config.transport, &config.smtp_url) {
        (MailTransport::Smtp, Some(url)) => Transport::smtp(url.expose())?,
        _ => Transport::folder(config.dir.clone())?,
    };
    Ok(Outbox::open(&config.from, transport, Arc::clone(clock))?)
}

async fn sweep(
    sessions: SeaOrmSessionStore,
    codes: SeaOrmCodeStore,
    limiter: SeaOrmRateLimiter,
    clock: Arc<dyn Clock>,
) {
    let (pause, batch) = SWEEP;
    loop {
        tokio::time::sleep(pause).await;
        let now = clock.now();
        for swept in [
            sessions.delete_expired(now, ENDING_REMEMBERED_FOR, batch).await,
            codes.delete_expired(now, batch).await,
            limiter.delete_expired(now, batch).await,
        ] {
            match swept {
                Ok(0) => {}
                Ok(deleted) => tracing::debug!(deleted, "expired rows deleted"),
                Err(error) => tracing::warn!(%error, "expired rows not deleted"),
            }
        }
    }
}

async fn sweep_spent_tokens(database: Database, clock: Arc<dyn Clock>) {
    let (pause, batch) = SWEEP;
    let spent = SeaOrmSpentTokens::new(database);
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = spent.delete_expired(clock.now(), batch).await {
            tracing::warn!(%error, "expired rows not deleted");
        }
    }
}

async fn sweep_audit(trail: Arc<dyn AuditTrail>, clock: Arc<dyn Clock>, retention: Duration) {
    let (pause, batch) = SWEEP;
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = trail.delete_before(clock.now().minus(retention), batch).await {
            tracing::warn!(%error, "old audit records not deleted");
        }
    }
}

struct DatabaseDependency(Database);

#[async_trait]
impl Dependency for DatabaseDependency {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

struct RedisDependency(RedisStores);

#[async_trait]
impl Dependency for RedisDependency {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.ping().await
    }
}

//! The configuration: read once, typed, checked as a whole.
//!
//! Keys are written with dots (`session.idle_timeout`), as they stand in `markt-auth.toml`; the environment has them as
//! `MARKT_SESSION__IDLE_TIMEOUT`, the command line as `--set session.idle_timeout=7d`.

mod checks;
mod secret;
mod settings;
mod sources;
pub mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

pub use checks::MIN_SECRET;
pub use secret::{Secret, SecretUrl};
pub use settings::{ConfigError, ConfigErrors, Shown};
pub use sources::Sources;

use settings::Settings;
use values::{
    AuthMode, BearerPolicy, ByteSize, Environment, IpBinding, JwtAlgorithm, List, LogFormat, LogLevel, MailTransport,
    MismatchReaction, Origin, Pause, Rate, RedisUrl, SameSite, UserAgentBinding,
};

/// All that can be configured (API contract, section 5).
#[derive(Clone, Debug)]
pub struct Config {
    /// `env`
    pub env: Environment,
    /// `bind`
    pub bind: SocketAddr,
    /// `admin_bind`
    pub admin_bind: SocketAddr,
    /// `database_url`
    pub database_url: SecretUrl,
    /// `redis_url`; sessions live in the database without it.
    pub redis_url: Option<SecretUrl>,
    /// `allow_embedded`
    pub allow_embedded: bool,
    /// `auth.*`
    pub auth: Auth,
    /// `session.*`
    pub session: Session,
    /// `cookie.*`
    pub cookie: Cookie,
    /// `cors.allowed_origins`
    pub cors_allowed_origins: Vec<Origin>,
    /// `http.*`
    pub http: Http,
    /// `password.*`
    pub password: Password,
    /// `limits.*`
    pub limits: Limits,
    /// `jwt.*`
    pub jwt: Jwt,
    /// `mail.*`
    pub mail: Mail,
    /// `adopt.*`
    pub adopt: Adopt,
    /// `audit.retention`: how long it is kept in the database what happened
    pub audit_retention: Duration,
    /// `telemetry.*`
    pub telemetry: Telemetry,
    /// What each key was set to and where, secrets hidden, in alphabetical order.
    pub shown: Vec<Shown>,
}

/// How callers prove who they are.
#[derive(Clone, Copy, Debug)]
pub struct Auth {
    /// `auth.mode`
    pub mode: AuthMode,
    /// `auth.require_verified_email`
    pub require_verified_email: bool,
}

/// How sessions live.
#[derive(Clone, Debug)]
pub struct Session {
    /// `session.idle_timeout`
    pub idle_timeout: Duration,
    /// `session.idle_timeout_not_remembered`
    pub idle_timeout_not_remembered: Duration,
    /// `session.absolute_timeout`
    pub absolute_timeout: Duration,
    /// `session.touch_interval`
    pub touch_interval: Duration,
    /// `session.rotation_grace`
    pub rotation_grace: Duration,
    /// `session.fresh_for`
    pub fresh_for: Duration,
    /// `session.bearer`
    pub bearer: BearerPolicy,
    /// `session.max_per_user`
    pub max_per_user: u32,
    /// `session.user_cache_ttl`
    pub user_cache_ttl: Duration,
    /// `session.binding.user_agent`
    pub binding_user_agent: UserAgentBinding,
    /// `session.binding.ip`
    pub binding_ip: IpBinding,
    /// `session.binding.on_mismatch`
    pub binding_on_mismatch: MismatchReaction,
    /// `session.near_cache.enabled`
    pub near_cache_enabled: bool,
    /// `session.near_cache.capacity`, in sessions
    pub near_cache_capacity: u32,
    /// `session.near_cache.max_staleness`
    pub near_cache_max_staleness: Duration,
}

/// The session cookie.
#[derive(Clone, Debug)]
pub struct Cookie {
    /// `cookie.name`
    pub name: String,
    /// `cookie.secure`
    pub secure: bool,
    /// `cookie.same_site`
    pub same_site: SameSite,
    /// `cookie.domain`
    pub domain: Option<String>,
    /// `cookie.partitioned`
    pub partitioned: bool,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// `http.trusted_proxies`
    pub trusted_proxies: Vec<IpNet>,
    /// `http.body_limit`
    pub body_limit: ByteSize,
    /// `http.request_timeout`
    pub request_timeout: Duration,
    /// `http.drain`
    pub drain: Duration,
    /// `http.account_page`
    pub account_page: bool,
}

/// Password hashing.
#[derive(Clone, Copy, Debug)]
pub struct Password {
    /// `password.memory_kib`
    pub memory_kib: u32,
    /// `password.iterations`
    pub iterations: u32,
    /// `password.parallelism`
    pub parallelism: u32,
    /// `password.max_concurrent`
    pub max_concurrent: u32,
    /// `password.max_queued`
    pub max_queued: u32,
    /// `password.upgrade_legacy`
    pub upgrade_legacy: bool,
}

/// Limits on failures.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `limits.login_per_account`
    pub login_per_account: Rate,
    /// `limits.login_per_ip`
    pub login_per_ip: Rate,
    /// `limits.codes_per_account`
    pub codes_per_account: Rate,
}

/// The token mode.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// `jwt.*`
    pub own: JwtIssuer,
    /// `jwt.legacy.*`
    pub legacy: JwtIssuer,
    /// `jwt.access_ttl`
    pub access_ttl: Duration,
    /// `jwt.refresh_ttl`
    pub refresh_ttl: Duration,
    /// `jwt.denylist`
    pub denylist: bool,
}

/// Who signs tokens, and how they are verified.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    /// `algorithm`
    pub algorithm: Option<JwtAlgorithm>,
    /// `secret`
    pub secret: Option<Secret>,
    /// `private_key_file`
    pub private_key_file: Option<PathBuf>,
    /// `public_key_file`
    pub public_key_file: Option<PathBuf>,
    /// `issuer`
    pub issuer: Option<String>,
    /// `audience`
    pub audience: Option<String>,
}

/// Mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// `mail.transport`
    pub transport: MailTransport,
    /// `mail.dir`
    pub dir: PathBuf,
    /// `mail.smtp_url`
    pub smtp_url: Option<SecretUrl>,
    /// `mail.from`
    pub from: String,
}

/// What is taken over of the system before.
#[derive(Clone, Debug)]
pub struct Adopt {
    /// `adopt.flask_session`
    pub flask_session: bool,
    /// `adopt.flask_secret_key`
    pub flask_secret_key: Option<Secret>,
    /// `adopt.flask_cookie`; the name of this service's own cookie without it.
    pub flask_cookie: Option<String>,
    /// `adopt.flask_lifetime`; `session.idle_timeout` without it.
    pub flask_lifetime: Option<Duration>,
}

/// Logs and traces.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// `telemetry.otlp_endpoint`
    pub otlp_endpoint: Option<String>,
    /// `telemetry.log_format`
    pub log_format: LogFormat,
    /// `telemetry.log_level`
    pub log_level: LogLevel,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The origins of the front ends that developers run beside the service.
const DEVELOPMENT_PORTS: [u16; 3] = [3000, 4200, 8081];

impl Config {
    /// Reads the configuration and checks it as a whole.
    ///
    /// # Errors
    /// Names all that is wrong at once: each key, its value and what is allowed.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let (config, errors) = Self::read(sources)?;
        if errors.0.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// Reads the configuration as far as it can be read: the rest has its defaults. With it goes all that is wrong.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(sources: &Sources) -> Result<(Self, ConfigErrors), ConfigErrors> {
        let mut settings = sources.read()?;
        let config = Self::from_settings(&mut settings);
        let (shown, mut errors) = settings.finish();
        // Both, so that whoever mends what is said here is not told of the rest at the next start.
        checks::check(&config, &mut errors);
        Ok((Self { shown, ..config }, errors))
    }

    /// Whether there is an account page: it needs cookies.
    #[must_use]
    pub fn has_account_page(&self) -> bool {
        self.http.account_page && self.auth.mode != AuthMode::Jwt
    }

    fn from_settings(settings: &mut Settings) -> Self {
        let env = settings.read("env", Environment::Development);
        let production = env == Environment::Production;
        let s = settings;
        Self {
            env,
            bind: s.read("bind", SocketAddr::from(([127, 0, 0, 1], 8000))),
            admin_bind: s.read("admin_bind", SocketAddr::from(([127, 0, 0, 1], 9000))),
            database_url: s.read("database_url", SecretUrl::known("sqlite://data/markt.db?mode=rwc")),
            redis_url: s.read_optional("redis_url").map(|RedisUrl(url)| url),
            allow_embedded: s.read("allow_embedded", false),
            auth: Auth {
                mode: s.read("auth.mode", AuthMode::Session),
                require_verified_email: s.read("auth.require_verified_email", true),
            },
            session: Session::from_settings(s),
            cookie: Cookie {
                name: s.read("cookie.name", "markt_session".to_owned()),
                secure: s.read("cookie.secure", production),
                same_site: s.read("cookie.same_site", SameSite::Lax),
                domain: s.read_optional("cookie.domain"),
                partitioned: s.read("cookie.partitioned", false),
            },
            cors_allowed_origins: s.read("cors.allowed_origins", List(default_origins(production))).0,
            http: Http {
                trusted_proxies: s.read("http.trusted_proxies", List(Vec::new())).0,
                body_limit: s.read("http.body_limit", ByteSize(64 * 1024)),
                request_timeout: s.read("http.request_timeout", 10 * SECOND),
                drain: s.read("http.drain", Pause(if production { 5 * SECOND } else { Duration::ZERO })).0,
                account_page: s.read("http.account_page", true),
            },
            password: Password::from_settings(s),
            limits: Limits {
                login_per_account: s.read("limits.login_per_account", Rate::of(10, 15 * MINUTE)),
                login_per_ip: s.read("limits.login_per_ip", Rate::of(100, 15 * MINUTE)),
                codes_per_account: s.read("limits.codes_per_account", Rate::of(5, 15 * MINUTE)),
            },
            jwt: Jwt::from_settings(s),
            mail: Mail {
                transport: s.read("mail.transport", if production { MailTransport::Smtp } else { MailTransport::File }),
                dir: s.read("mail.dir", PathBuf::from("data/outbox")),
                smtp_url: s.read_optional("mail.smtp_url"),
                from: s.read("mail.from", "Markt <no-reply@markt.localhost>".to_owned()),
            },
            adopt: Adopt {
                flask_session: s.read("adopt.flask_session", false),
                flask_secret_key: s.read_optional("adopt.flask_secret_key"),
                flask_cookie: s.read_optional("adopt.flask_cookie"),
                flask_lifetime: s.read_optional("adopt.flask_lifetime"),
            },
            audit_retention: s.read("audit.retention", 90 * DAY),
            telemetry: Telemetry {
                otlp_endpoint: s.read_optional("telemetry.otlp_endpoint"),
                log_format: s
                    .read("telemetry.log_format", if production { LogFormat::Json } else { LogFormat::Pretty }),
                log_level: s.read("telemetry.log_level", LogLevel::Info),
            },
            shown: Vec::new(),
        }
    }
}

impl Session {
    fn from_settings(s: &mut Settings) -> Self {
        Self {
            idle_timeout: s.read("session.idle_timeout", 7 * DAY),
            idle_timeout_not_remembered: s.read("session.idle_timeout_not_remembered", DAY),
            absolute_timeout: s.read("session.absolute_timeout", 30 * DAY),
            touch_interval: s.read("session.touch_interval", Pause(MINUTE)).0,
            rotation_grace: s.read("session.rotation_grace", Pause(10 * SECOND)).0,
            fresh_for: s.read("session.fresh_for", Pause(15 * MINUTE)).0,
            bearer: s.read("session.bearer", BearerPolicy::Auto),
            max_per_user: s.read("session.max_per_user", 100),
            user_cache_ttl: s.read("session.user_cache_ttl", Pause(MINUTE)).0,
            binding_user_agent: s.read("session.binding.user_agent", UserAgentBinding::Family),
            binding_ip: s.read("session.binding.ip", IpBinding::Off),
            binding_on_mismatch: s.read("session.binding.on_mismatch", MismatchReaction::Revoke),
            near_cache_enabled: s.read("session.near_cache.enabled", true),
            near_cache_capacity: s.read("session.near_cache.capacity", 100_000),
            near_cache_max_staleness: s.read("session.near_cache.max_staleness", SECOND),
        }
    }
}

impl Password {
    fn from_settings(s: &mut Settings) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().try_into().unwrap_or(u32::MAX));
        // Whoever is logged in keeps a core (ADR 26).
        let all_but_one = (cores - 1).max(1);
        Self {
            memory_kib: s.read("password.memory_kib", 19456),
            iterations: s.read("password.iterations", 2),
            parallelism: s.read("password.parallelism", 1),
            max_concurrent: s.read("password.max_concurrent", all_but_one),
            max_queued: s.read("password.max_queued", 256),
            upgrade_legacy: s.read("password.upgrade_legacy", true),
        }
    }
}

impl JwtIssuer {
    /// The algorithm: the one that is named, or else the one that goes with what there is. Nothing if there is nothing, or
    /// both.
    #[must_use]
    pub fn algorithm(&self) -> Option<JwtAlgorithm> {
        self.algorithm.or(match (self.secret.is_some(), self.has_key_file()) {
            (true, false) => Some(JwtAlgorithm::Hs256),
            (false, true) => Some(JwtAlgorithm::EdDsa),
            _ => None,
        })
    }

    /// Whether there is a file with a key.
    #[must_use]
    pub const fn has_key_file(&self) -> bool {
        self.private_key_file.is_some() || self.public_key_file.is_some()
    }
}

impl Jwt {
    fn from_settings(s: &mut Settings) -> Self {
        Self {
            own: JwtIssuer {
                algorithm: Some(s.read("jwt.algorithm", JwtAlgorithm::EdDsa)),
                secret: s.read_optional("jwt.secret"),
                private_key_file: s.read_optional("jwt.private_key_file"),
                public_key_file: s.read_optional("jwt.public_key_file"),
                issuer: s.read_optional("jwt.issuer"),
                audience: s.read_optional("jwt.audience"),
            },
            legacy: JwtIssuer {
                algorithm: s.read_optional("jwt.legacy.algorithm"),
                secret: s.read_optional("jwt.legacy.secret"),
                private_key_file: s.read_optional("jwt.legacy.private_key_file"),
                public_key_file: s.read_optional("jwt.legacy.public_key_file"),
                issuer: s.read_optional("jwt.legacy.issuer"),
                audience: s.read_optional("jwt.legacy.audience"),
            },
            access_ttl: s.read("jwt.access_ttl", 15 * MINUTE),
            refresh_ttl: s.read("jwt.refresh_ttl", 7 * DAY),
            denylist: s.read("jwt.denylist", false),
        }
    }
}

/// The longest that a copy of a user may be used: the session store remembers a change for this long.
pub const MAX_USER_CACHE_TTL: Duration = HOUR;

fn default_origins(production: bool) -> Vec<Origin> {
    if production {
        return Vec::new();
    }
    let hosts = ["localhost", "127.0.0.1"];
    hosts.iter().flat_map(|host| DEVELOPMENT_PORTS.map(|port| Origin::http(host, port))).collect()
}

#[cfg(test)]
mod tests;

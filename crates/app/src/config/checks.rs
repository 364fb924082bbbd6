//! What is wrong with a configuration as a whole, though each value is allowed.

use markt_domain::credentials::EmailAddress;

use super::values::{AuthMode, Environment, JwtAlgorithm, MailTransport, SameSite};
use super::{Config, ConfigError, ConfigErrors, JwtIssuer, MAX_USER_CACHE_TTL};

/// The shortest secret for HS256 (RFC 7518, section 3.2), in bytes.
pub const MIN_SECRET: usize = 32;

/// The shortest secret key of the system before, in bytes: what nobody guesses. The default of its example is shorter.
const MIN_FLASK_KEY: usize = 16;

/// Checks a configuration as a whole.
pub(super) fn check(config: &Config, errors: &mut ConfigErrors) {
    check_urls(config, errors);
    check_session(config, errors);
    check_cookie(config, errors);
    check_mode(config, errors);
    check_mail(config, errors);
    check_adoption(config, errors);
    if config.env == Environment::Production {
        check_production(config, errors);
    }
}

impl ConfigErrors {
    fn refuse(&mut self, id: &'static str, key: &str, text: impl Into<String>) {
        self.0.push(ConfigError::new(id, key, text));
    }

    fn refuse_if(&mut self, wrong: bool, id: &'static str, key: &str, text: &str) {
        if wrong {
            self.refuse(id, key, text);
        }
    }
}

fn check_urls(config: &Config, errors: &mut ConfigErrors) {
    let url = &config.database_url;
    if !matches!(url.scheme(), "sqlite" | "postgres" | "postgresql") {
        let text = format!("database_url = \"{url}\": must begin with sqlite:// or postgres://");
        errors.refuse("database-url-unknown", "database_url", text);
    }
    let Some(url) = &config.redis_url else { return };
    match url.scheme() {
        "redis" | "rediss" | "redis-sentinel" | "rediss-sentinel" | "redis-cluster" | "rediss-cluster" => {}
        _ => {
            let text = format!(
                "redis_url = \"{url}\": must begin with redis://, rediss://, redis-sentinel:// or redis-cluster://"
            );
            errors.refuse("redis-url-unknown", "redis_url", text);
        }
    }
}

fn check_session(config: &Config, errors: &mut ConfigErrors) {
    errors.refuse_if(
        config.session.user_cache_ttl > MAX_USER_CACHE_TTL,
        "user-cache-ttl-too-long",
        "session.user_cache_ttl",
        "session.user_cache_ttl: must be 1h at most, since changes to users are kept track of for that long",
    );
}

fn check_cookie(config: &Config, errors: &mut ConfigErrors) {
    let cookie = &config.cookie;
    if !is_cookie_name(&cookie.name) {
        let text = format!(
            "cookie.name = {:?}: must be a token of RFC 6265: letters, digits and !#$%&'*+-.^_`|~",
            cookie.name
        );
        errors.refuse("cookie-name-malformed", "cookie.name", text);
    }
    let name = cookie.name.to_ascii_lowercase();
    errors.refuse_if(
        name.starts_with("__host-") && (!cookie.secure || cookie.domain.is_some()),
        "cookie-prefix-unmet",
        "cookie.name",
        "cookie.name: a name with __Host- needs cookie.secure = true and no cookie.domain, or browsers drop the cookie",
    );
    errors.refuse_if(
        name.starts_with("__secure-") && !cookie.secure,
        "cookie-prefix-unmet",
        "cookie.name",
        "cookie.name: a name with __Secure- needs cookie.secure = true, or browsers drop the cookie",
    );
    errors.refuse_if(
        cookie.same_site == SameSite::None && !cookie.secure,
        "samesite-none-without-secure",
        "cookie.secure",
        "cookie.same_site = \"None\": needs cookie.secure = true, or browsers drop the cookie",
    );
    errors.refuse_if(
        cookie.partitioned && !cookie.secure,
        "partitioned-without-secure",
        "cookie.secure",
        "cookie.partitioned = \"true\": needs cookie.secure = true, or browsers drop the cookie",
    );
    let domain = |text: &str| {
        let text = text.strip_prefix('.').unwrap_or(text);
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    };
    if let Some(wrong) = cookie.domain.as_ref().filter(|text| !domain(text)) {
        let text = format!("cookie.domain = {wrong:?}: must be a domain, such as example.com");
        errors.refuse("cookie-domain-malformed", "cookie.domain", text);
    }
}

fn check_mode(config: &Config, errors: &mut ConfigErrors) {
    match config.auth.mode {
        AuthMode::Session => {}
        AuthMode::Jwt => check_signing(config, errors),
        AuthMode::Dual => {
            check_signing(config, errors);
            check_legacy(&config.jwt.legacy, errors);
        }
    }
}

fn check_legacy(legacy: &JwtIssuer, errors: &mut ConfigErrors) {
    let (by_secret, by_key) = (legacy.secret.is_some(), legacy.has_key_file());
    match legacy.algorithm() {
        Some(JwtAlgorithm::Hs256) => errors.refuse_if(
            legacy.secret.as_ref().is_none_or(|secret| secret.expose().is_empty()),
            "jwt-key-missing",
            "jwt.legacy.secret",
            "jwt.legacy.secret: must be set where jwt.legacy.algorithm is HS256",
        ),
        Some(JwtAlgorithm::EdDsa) => errors.refuse_if(
            !by_key,
            "jwt-key-missing",
            "jwt.legacy.public_key_file",
            "jwt.legacy.public_key_file: must be set where jwt.legacy.algorithm is EdDSA",
        ),
        None => errors.refuse_if(
            by_secret && by_key,
            "jwt-algorithm-missing",
            "jwt.legacy.algorithm",
            "jwt.legacy.algorithm: must be set where there are a secret and a key: HS256 or EdDSA",
        ),
    }
}

fn check_signing(config: &Config, errors: &mut ConfigErrors) {
    let own = &config.jwt.own;
    let by_secret = own.algorithm == Some(JwtAlgorithm::Hs256);
    errors.refuse_if(
        by_secret && own.secret.as_ref().is_none_or(|secret| secret.expose().is_empty()),
        "jwt-key-missing",
        "jwt.secret",
        "jwt.secret: must be set where jwt.algorithm is HS256",
    );
    errors.refuse_if(
        !by_secret && config.env == Environment::Production && own.private_key_file.is_none(),
        "jwt-key-missing",
        "jwt.private_key_file",
        "jwt.private_key_file: must be set in production where jwt.algorithm is EdDSA: `openssl genpkey -algorithm \
         ed25519` makes a key",
    );
    errors.refuse_if(
        config.jwt.access_ttl.is_zero() || config.jwt.refresh_ttl < config.jwt.access_ttl,
        "jwt-refresh-shorter-than-access",
        "jwt.refresh_ttl",
        "jwt.access_ttl, jwt.refresh_ttl: an access token must live for a while, and a refresh token no shorter than \
         it",
    );
}

fn check_adoption(config: &Config, errors: &mut ConfigErrors) {
    let adopt = &config.adopt;
    if !adopt.flask_session {
        return;
    }
    errors.refuse_if(
        adopt.flask_secret_key.as_ref().is_none_or(|key| key.expose().is_empty()),
        "adopt-key-missing",
        "adopt.flask_secret_key",
        "adopt.flask_secret_key: must be set where adopt.flask_session is: the old system's SECRET_KEY",
    );
    errors.refuse_if(
        config.auth.mode == AuthMode::Jwt,
        "adopt-without-sessions",
        "adopt.flask_session",
        "adopt.flask_session = \"true\": needs auth.mode = \"session\" or \"dual\", since sessions are what is handed out",
    );
    let redis = config.redis_url.as_ref().map(|url| url.expose());
    errors.refuse_if(
        redis.is_some_and(|url| url.starts_with("redis-cluster:") || url.starts_with("rediss-cluster:")),
        "adopt-on-cluster",
        "adopt.flask_session",
        "adopt.flask_session = \"true\": not with a Redis Cluster, where a session's id has to suit its user, and one that \
         follows from an old cookie doesn't",
    );
    errors.refuse_if(
        adopt.flask_cookie.as_ref().is_some_and(|name| !is_cookie_name(name)),
        "cookie-name-malformed",
        "adopt.flask_cookie",
        "adopt.flask_cookie: must be a token of RFC 6265: letters, digits and !#$%&'*+-.^_`|~",
    );
}

/// Whether a cookie can have this name (RFC 6265, section 4.1.1).
fn is_cookie_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

fn check_mail(config: &Config, errors: &mut ConfigErrors) {
    let mail = &config.mail;
    errors.refuse_if(
        mail.transport == MailTransport::Smtp && mail.smtp_url.is_none(),
        "smtp-url-missing",
        "mail.smtp_url",
        "mail.smtp_url: must be set where mail.transport is smtp, such as smtps://user:password@mail.example.com",
    );
    if let Some(url) = mail.smtp_url.as_ref().filter(|url| !matches!(url.scheme(), "smtp" | "smtps")) {
        let text = format!("mail.smtp_url = \"{url}\": must begin with smtp:// or smtps://");
        errors.refuse("smtp-url-unknown", "mail.smtp_url", text);
    }
    if !is_mailbox(&mail.from) {
        let text = format!("mail.from = {:?}: must be a mailbox, such as Markt <no-reply@example.com>", mail.from);
        errors.refuse("mail-from-malformed", "mail.from", text);
    }
}

/// An address, alone or in angle brackets behind a name.
fn is_mailbox(text: &str) -> bool {
    let bracketed = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map(|(_, address)| address);
    EmailAddress::parse(bracketed.unwrap_or(text)).is_ok()
}

fn check_production(config: &Config, errors: &mut ConfigErrors) {
    errors.refuse_if(
        !config.cookie.secure,
        "insecure-cookie-in-production",
        "cookie.secure",
        "cookie.secure = \"false\": must be true in production, or the session travels in the clear",
    );
    errors.refuse_if(
        config.database_url.scheme() == "sqlite" && !config.allow_embedded,
        "sqlite-in-production",
        "database_url",
        "database_url: SQLite serves one process only; in production use postgres://, or set allow_embedded = true \
         (MARKT_ALLOW_EMBEDDED=true)",
    );
    errors.refuse_if(
        config.mail.transport == MailTransport::File,
        "mail-to-files-in-production",
        "mail.transport",
        "mail.transport = \"file\": must be smtp in production, or nobody gets the codes",
    );
    let weak = config.adopt.flask_secret_key.as_ref().is_some_and(|key| key.expose().len() < MIN_FLASK_KEY);
    if config.adopt.flask_session && weak {
        let text = format!(
            "adopt.flask_secret_key: must be at least {MIN_FLASK_KEY} bytes in production: whoever guesses it makes \
             themselves anybody's session. Give the old system a longer SECRET_KEY first"
        );
        errors.refuse("adopt-key-short", "adopt.flask_secret_key", text);
    }
    for (key, issuer) in [("jwt.secret", &config.jwt.own), ("jwt.legacy.secret", &config.jwt.legacy)] {
        let short = issuer.secret.as_ref().is_some_and(|secret| secret.expose().len() < MIN_SECRET);
        if short && issuer.algorithm.is_none_or(|algorithm| algorithm == JwtAlgorithm::Hs256 || key == "jwt.secret") {
            let text = format!("{key}: must be at least {MIN_SECRET} bytes in production (RFC 7518, 3.2)");
            errors.refuse("jwt-secret-short", key, text);
        }
    }
}

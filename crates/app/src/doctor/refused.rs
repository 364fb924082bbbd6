//! The configuration that the service doesn't start with.

use super::cors;
use super::finding::Finding;
use crate::config::{ConfigError, ConfigErrors};

/// What such a mistake means, beyond that the service doesn't start, and what to set.
struct Explanation {
    id: &'static str,
    why: &'static str,
    change: &'static [(&'static str, &'static str)],
}

const fn explained(
    id: &'static str,
    why: &'static str,
    change: &'static [(&'static str, &'static str)],
) -> Explanation {
    Explanation { id, why, change }
}

const EXPLANATIONS: [Explanation; 19] = [
    explained("config-unknown-key", "A misspelt key would leave its setting at the default, unnoticed.", &[]),
    explained("config-set-twice", "Nobody could tell which of the two counts.", &[]),
    explained(
        "samesite-none-without-secure",
        "Browsers would drop the cookie: users log in, and are not logged in at the next request.",
        &[("cookie.secure", "true")],
    ),
    explained(
        "partitioned-without-secure",
        "Browsers would drop the cookie: users log in, and are not logged in at the next request.",
        &[("cookie.secure", "true")],
    ),
    explained(
        "cookie-prefix-unmet",
        "Browsers would drop the cookie: users log in, and are not logged in at the next request.",
        &[("cookie.secure", "true"), ("cookie.domain", "")],
    ),
    explained("cookie-name-malformed", "Browsers would drop the cookie.", &[("cookie.name", "markt_session")]),
    explained("cookie-domain-malformed", "Browsers would drop the cookie.", &[("cookie.domain", "")]),
    explained(
        "insecure-cookie-in-production",
        "Whoever listens on the network would get the session along with any request by http.",
        &[("cookie.secure", "true")],
    ),
    explained(
        "sqlite-in-production",
        "A second process, and so a rolling upgrade, would not see the same users.",
        &[("database_url", "postgres://user:password@host/database")],
    ),
    explained(
        "mail-to-files-in-production",
        "Nobody would get the code that verifies the address, and so could not log in after registering.",
        &[("mail.transport", "smtp"), ("mail.smtp_url", "smtps://user:password@mail.example.com")],
    ),
    explained(
        "smtp-url-missing",
        "Nobody would get the code that verifies the address, and so could not log in after registering.",
        &[("mail.smtp_url", "smtps://user:password@mail.example.com")],
    ),
    explained("smtp-url-unknown", "", &[("mail.smtp_url", "smtps://user:password@mail.example.com")]),
    explained("mail-from-malformed", "", &[("mail.from", "Markt <no-reply@example.com>")]),
    explained(
        "jwt-secret-short",
        "Who holds one token could find the secret by trying, and log in as anybody.",
        &[("jwt.secret", "32 random bytes or more: `openssl rand -base64 48`")],
    ),
    explained("jwt-key-missing", "There is nothing to sign or verify tokens with.", &[]),
    explained("jwt-refresh-shorter-than-access", "", &[("jwt.refresh_ttl", "7d"), ("jwt.access_ttl", "15m")]),
    explained("redis-url-unknown", "", &[("redis_url", "redis://host:6379")]),
    explained("database-url-unknown", "", &[("database_url", "postgres://user:password@host/database")]),
    explained("user-cache-ttl-too-long", "", &[("session.user_cache_ttl", "1m")]),
];

/// A finding for each mistake.
pub fn findings(errors: &ConfigErrors) -> Vec<Finding> {
    errors.0.iter().flat_map(of).collect()
}

fn of(error: &ConfigError) -> Vec<Finding> {
    if let ("cors.allowed_origins", Some(value)) = (error.key.as_str(), &error.value) {
        return cors::malformed(value);
    }
    let explanation = EXPLANATIONS.iter().find(|explanation| explanation.id == error.id);
    let why = explanation.map_or("", |explanation| explanation.why);
    let why = format!("The service doesn't start. {why}");
    let finding = Finding::error(error.id, sentence(&error.text), why.trim_end());
    let change = explanation.map_or(&[][..], |explanation| explanation.change);
    vec![change.iter().fold(finding, |finding, (key, value)| finding.set(key, *value))]
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

/// The keys whose values are not the ones that were meant.
pub fn unread_keys(errors: &ConfigErrors) -> Vec<&str> {
    const UNREAD: [&str; 3] = [ConfigError::BAD_VALUE, "config-secret-file-unreadable", "config-set-twice"];
    errors.0.iter().filter(|error| UNREAD.contains(&error.id)).map(|error| error.key.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{errors_of, find};
    use super::*;

    #[test]
    fn all_that_stops_the_start_is_told_at_once_with_what_to_set() {
        let errors = errors_of(&[
            ("env", "production"),
            ("cookie.secure", "false"),
            ("cookie.same_site", "None"),
            ("cookie.name", "__Host-s"),
            ("session.idle_timeout", "soon"),
            ("sesion.idle_timeout", "7d"),
            ("auth.mode", "jwt"),
            ("jwt.algorithm", "HS256"),
            ("jwt.secret", "geheim"),
        ]);
        let findings = findings(&errors);
        for (id, key) in [
            ("insecure-cookie-in-production", "cookie.secure"),
            ("samesite-none-without-secure", "cookie.secure"),
            ("cookie-prefix-unmet", "cookie.domain"),
            ("sqlite-in-production", "database_url"),
            ("smtp-url-missing", "mail.smtp_url"),
            ("jwt-secret-short", "jwt.secret"),
        ] {
            assert!(find(&findings, id).concerns(&[key]), "{id}");
        }
        assert!(find(&findings, "config-bad-value").what.contains("session.idle_timeout"));
        assert!(find(&findings, "config-unknown-key").what.contains("sesion.idle_timeout"));
        assert!(!format!("{findings:?}").contains("geheim"));
    }
}

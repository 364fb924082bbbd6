//! The keys and secrets that tokens are signed with, and files that others can read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{Facts, ReadableFile};
use super::finding::{Finding, Severity};
use crate::config::values::{AuthMode, Environment, JwtAlgorithm, Value as _};
use crate::config::{Config, MIN_SECRET, Secret};

/// Fewer different characters than that, and a text wasn't drawn by chance.
const VARIETY: usize = 12;

/// What stands in secrets that were copied from somewhere.
const WELL_KNOWN: [&str; 7] = ["secret", "changeme", "change-me", "password", "example", "your-", "12345"];

/// More than that is long for a token that can't be taken back.
const LONG_ACCESS: Duration = Duration::from_secs(60 * 60);

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<_> = facts.readable_files.iter().map(readable_file).collect();
    findings.extend(unused_keys(config));
    if config.auth.mode == AuthMode::Session {
        return findings;
    }
    let production = config.env == Environment::Production;
    let by_secret = config.jwt.own.algorithm == Some(JwtAlgorithm::Hs256);
    if let Some(secret) = config.jwt.own.secret.as_ref().filter(|_| by_secret) {
        findings.extend(secret_finding("jwt.secret", secret, production));
    }
    if let Some(secret) = config.jwt.legacy.secret.as_ref().filter(|_| config.auth.mode == AuthMode::Dual) {
        findings.extend(secret_finding("jwt.legacy.secret", secret, production));
    }
    findings.extend(signing(facts));
    findings.extend(late_logout(config));
    findings
}

fn secret_finding(key: &'static str, secret: &Secret, production: bool) -> Option<Finding> {
    const WHY: &str = "Who holds one token can find the secret by trying, without asking the service, and then log in \
                       as anybody.";
    let text = secret.expose();
    let lower = text.to_ascii_lowercase();
    let variety = text.chars().collect::<BTreeSet<_>>().len();
    let severity = Severity::error_in(production);
    let finding = if WELL_KNOWN.iter().any(|word| lower.contains(word)) {
        let what = format!("{key} has a word in it that stands in examples.");
        Finding::new(severity, "jwt-secret-guessable", what, WHY)
    } else if text.len() < MIN_SECRET {
        // In production that is refused.
        let what = format!("{key} has {} bytes; HS256 wants {MIN_SECRET} or more (RFC 7518, 3.2).", text.len());
        Finding::warning("jwt-secret-short", what, WHY)
    } else if variety < VARIETY {
        let what = format!("{key} is made of {variety} different characters only.");
        Finding::new(severity, "jwt-secret-guessable", what, WHY)
    } else {
        return None;
    };
    Some(finding.set(key, "…").note("the output of `openssl rand -base64 48`"))
}

fn readable_file(ReadableFile { key, path, mode }: &ReadableFile) -> Finding {
    let path = path.display();
    Finding::warning(
        "secret-file-readable",
        format!("{key} stands in {path}, which others on this machine can read (mode {:04o}).", mode & 0o7777),
        "Any user or program on the machine can take the secret.",
    )
    .run(format!("chmod o= {path}"))
    .about(&[key])
}

fn unused_keys(config: &Config) -> Option<Finding> {
    let set = config.shown.iter().filter(|shown| shown.origin != "default");
    let unused: Vec<_> = set.filter(|shown| config.auth.mode.ignores(&shown.key)).map(|shown| &*shown.key).collect();
    let mode = config.auth.mode.as_str();
    (!unused.is_empty()).then(|| {
        Finding::hint(
            "jwt-keys-unused",
            format!("Set, but without effect where auth.mode = {mode}: {}.", unused.join(", ")),
            "Whoever set them expects tokens to be issued or accepted.",
        )
        .set("auth.mode", "dual")
        .note("or remove these keys")
    })
}

fn signing(facts: &Facts) -> Option<Finding> {
    Some(match facts.signing.as_ref()? {
        Ok(()) => Finding::ok("jwt-keys", "Tokens can be signed and verified with the keys that are configured."),
        Err(text) => {
            let why = "The service doesn't start.";
            Finding::error("jwt-key-unusable", format!("{text}."), why)
                .set("jwt.private_key_file", "/etc/markt/jwt.pem")
                .note("a file that `openssl genpkey -algorithm ed25519` made")
        }
    })
}

fn late_logout(config: &Config) -> Option<Finding> {
    let (ttl, denylist) = (config.jwt.access_ttl, config.jwt.denylist);
    (!denylist && ttl > LONG_ACCESS).then(|| {
        Finding::warning(
            "jwt-access-long",
            format!("jwt.access_ttl = {}, and jwt.denylist = false.", ttl.shown()),
            "For that long after a logout, a password change or a deactivation its access token lets anybody in.",
        )
        .set("jwt.access_ttl", "15m")
        .set("jwt.denylist", "true")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    fn found(settings: &[(&str, &str)]) -> Vec<(Severity, &'static str)> {
        bad(&check(&config(settings), &Facts::default()))
    }

    #[test]
    fn secrets_that_can_be_found_by_trying_are_told_without_showing_them() {
        for (env, secret, expected) in [
            ("production", "p9Qy0vZk3bU8xWm2Rt7Lh5Nc1Jf4Gd6S", None),
            ("production", &*"ab".repeat(40), Some((Severity::Error, "jwt-secret-guessable"))),
            ("development", &*"x".repeat(64), Some((Severity::Warning, "jwt-secret-guessable"))),
            (
                "production",
                "my-Secret-p9Qy0vZk3bU8xWm2Rt7Lh5Nc1Jf4Gd6S",
                Some((Severity::Error, "jwt-secret-guessable")),
            ),
            ("development", "p9Qy0vZk3bU8xWm2", Some((Severity::Warning, "jwt-secret-short"))),
        ] {
            let settings = [("env", env), ("auth.mode", "jwt"), ("jwt.algorithm", "HS256"), ("jwt.secret", secret)];
            assert_eq!(found(&settings), Vec::from_iter(expected), "{secret}");
            let text = format!("{:?}", check(&config(&settings), &Facts::default()));
            assert!(!text.contains(secret));
        }
    }

    #[test]
    fn keys_without_effect_and_tokens_that_live_for_long_are_told() {
        assert_eq!(found(&[("jwt.issuer", "markt")]), [(Severity::Hint, "jwt-keys-unused")]);
        let jwt = ("auth.mode", "jwt");
        assert_eq!(found(&[jwt, ("jwt.legacy.issuer", "markt")]), [(Severity::Hint, "jwt-keys-unused")]);
        assert_eq!(found(&[jwt, ("jwt.access_ttl", "1d")]), [(Severity::Warning, "jwt-access-long")]);
        assert_eq!(found(&[jwt, ("jwt.access_ttl", "1d"), ("jwt.denylist", "true")]), []);
    }

    #[test]
    fn a_file_that_others_can_read_and_a_key_that_cannot_be_used_are_told() {
        let facts = Facts {
            readable_files: vec![ReadableFile { key: "jwt.private_key_file", path: "k.pem".into(), mode: 0o100_644 }],
            signing: Some(Err("jwt.private_key_file = \"k.pem\": not an Ed25519 private key".to_owned())),
            ..Facts::default()
        };
        let findings = check(&config(&[("auth.mode", "jwt")]), &facts);
        assert_eq!(
            bad(&findings),
            [(Severity::Warning, "secret-file-readable"), (Severity::Error, "jwt-key-unusable")]
        );
        assert!(findings[0].what.contains("(mode 0644)"), "{}", findings[0].what);
    }
}

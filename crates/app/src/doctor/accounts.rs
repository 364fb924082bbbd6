//! Passwords, limits and verified addresses.

use super::facts::Facts;
use super::finding::{Finding, Severity};
use crate::config::values::{Environment, Rate, Value as _};
use crate::config::{Config, Password};

/// The costs of argon2id that OWASP asks for at least, each as good as the others: KiB and passes, with one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id>).
const OWASP: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let production = config.env == Environment::Production;
    let mut findings = vec![cost(&config.password, production)];
    findings.extend(concurrency(&config.password, facts.cores));
    findings.push(limits(config, production));
    if !config.auth.require_verified_email {
        let severity = if production { Severity::Warning } else { Severity::Hint };
        let what = "auth.require_verified_email = false.";
        let why = "Anybody can register with somebody else's address, and log in with it.";
        findings
            .push(Finding::new(severity, "unverified-emails", what, why).set("auth.require_verified_email", "true"));
    }
    findings
}

fn cost(password: &Password, production: bool) -> Finding {
    let Password { memory_kib, iterations, parallelism, .. } = *password;
    let keys = ["password.memory_kib", "password.iterations"];
    let shown = format!("{memory_kib} KiB, {iterations} passes, parallelism {parallelism}");
    if OWASP.iter().any(|(memory, passes)| memory_kib >= *memory && iterations >= *passes) {
        return Finding::ok("password-cost", format!("A password's hash costs what OWASP asks for: {shown}."))
            .about(&keys);
    }
    Finding::new(
        if production { Severity::Warning } else { Severity::Hint },
        "password-cost-low",
        format!("A password's hash costs less than OWASP asks for: {shown}."),
        "Who steals the database tries out passwords faster.",
    )
    .set(keys[0], "19456")
    .set(keys[1], "2")
}

fn concurrency(password: &Password, cores: u32) -> Option<Finding> {
    let threads = password.max_concurrent;
    (cores > 0 && threads > cores).then(|| {
        Finding::warning(
            "password-threads-many",
            format!("password.max_concurrent = {threads}, but this machine has {cores} cores."),
            "While many log in, hashing takes the cores from all other requests, which get slow; no login gets faster.",
        )
        .set("password.max_concurrent", cores.to_string())
    })
}

fn limits(config: &Config, production: bool) -> Finding {
    let limits = [
        ("limits.login_per_account", config.limits.login_per_account, "10/15m"),
        ("limits.login_per_ip", config.limits.login_per_ip, "100/15m"),
        ("limits.codes_per_account", config.limits.codes_per_account, "5/15m"),
    ];
    let off: Vec<_> = limits.iter().filter(|(_, rate, _)| *rate == Rate(None)).collect();
    if off.is_empty() {
        let shown: Vec<_> = limits.iter().map(|(key, rate, _)| format!("{key} = {}", rate.shown())).collect();
        return Finding::ok("limits", format!("{}.", shown.join(", "))).about(&limits.map(|(key, ..)| key));
    }
    let finding = Finding::new(
        if production { Severity::Warning } else { Severity::Hint },
        "limits-off",
        format!("Off: {}.", off.iter().map(|(key, ..)| *key).collect::<Vec<_>>().join(", ")),
        "Passwords and codes can be guessed as fast as the service answers.",
    );
    off.into_iter().fold(finding, |finding, (key, _, usual)| finding.set(key, *usual))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    #[test]
    fn what_makes_accounts_easy_to_take_over_is_found() {
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [(Severity, &'a str)]);
        let production = ("env", "production");
        let rows: [Row; 8] = [
            (&[production], &[]),
            (&[production, ("password.memory_kib", "12288"), ("password.iterations", "3")], &[]),
            (&[production, ("password.memory_kib", "19455")], &[(Severity::Warning, "password-cost-low")]),
            (&[("password.iterations", "1")], &[(Severity::Hint, "password-cost-low")]),
            (&[("password.max_concurrent", "3")], &[(Severity::Warning, "password-threads-many")]),
            (&[production, ("limits.login_per_ip", "off")], &[(Severity::Warning, "limits-off")]),
            (&[("limits.login_per_ip", "off")], &[(Severity::Hint, "limits-off")]),
            (&[production, ("auth.require_verified_email", "false")], &[(Severity::Warning, "unverified-emails")]),
        ];
        for (settings, expected) in rows {
            let config = config(&[&[("password.max_concurrent", "2")], settings].concat());
            assert_eq!(bad(&check(&config, &Facts { cores: 2, ..Facts::default() })), expected, "{settings:?}");
        }
    }
}

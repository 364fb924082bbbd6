//! How long sessions live, and what ends them before: timeouts that contradict each other, binding to an address.

use std::time::Duration;

use super::facts::Facts;
use super::finding::{Finding, Severity};
use crate::config::values::{AuthMode, IpBinding, MismatchReaction, UserAgentBinding, Value as _};
use crate::config::{Config, Session};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Less than that, and users are logged out while they read.
const SHORT_IDLE: Duration = Duration::from_secs(15 * 60);

/// Less than that, and users who are active all the time log in several times a day.
const SHORT_ABSOLUTE: Duration = Duration::from_secs(4 * 60 * 60);

/// More than that, and a replaced secret is as good as the new one.
const LONG_GRACE: Duration = MINUTE;

/// More than that, and a session that was ended is let in noticeably longer if Redis' messages fail.
const LONG_STALENESS: Duration = Duration::from_secs(10);

pub fn check(session: &Session) -> Vec<Finding> {
    let found = [
        short_idle(session),
        short_absolute(session),
        idle_beyond_absolute(session),
        not_remembered_beyond_remembered(session),
        touch_beyond_idle(session),
        grace(session),
        freshness(session),
        staleness(session),
        one_device(session),
    ];
    let mut findings: Vec<_> = found.into_iter().flatten().collect();
    if findings.is_empty() {
        let (idle, absolute) = (session.idle_timeout.shown(), session.absolute_timeout.shown());
        let what = format!("Sessions end {idle} after their last use, and {absolute} after the login at the latest.");
        findings
            .push(Finding::ok("session-lifetimes", what).about(&["session.idle_timeout", "session.absolute_timeout"]));
    }
    findings
}

fn short_idle(session: &Session) -> Option<Finding> {
    let Session { idle_timeout, idle_timeout_not_remembered: not_remembered, .. } = session;
    let (key, timeout, usual) = if *idle_timeout < SHORT_IDLE {
        ("session.idle_timeout", idle_timeout, "7d")
    } else {
        ("session.idle_timeout_not_remembered", not_remembered, "24h")
    };
    (*timeout < SHORT_IDLE).then(|| {
        Finding::warning(
            "session-idle-timeout-short",
            format!("{key} = {}.", timeout.shown()),
            "Sessions expire too quickly: who reads a page for that long, or puts the phone away, has to log in again.",
        )
        .set(key, usual)
    })
}

fn short_absolute(session: &Session) -> Option<Finding> {
    (session.absolute_timeout < SHORT_ABSOLUTE).then(|| {
        Finding::warning(
            "session-absolute-timeout-short",
            format!("session.absolute_timeout = {}.", session.absolute_timeout.shown()),
            "Sessions expire too quickly: nothing extends this one, so that even who is active all the time has to log \
             in again several times a day.",
        )
        .set("session.absolute_timeout", "30d")
    })
}

fn idle_beyond_absolute(session: &Session) -> Option<Finding> {
    let (idle, absolute) = (session.idle_timeout, session.absolute_timeout);
    (idle > absolute).then(|| {
        Finding::warning(
            "session-idle-beyond-absolute",
            format!(
                "session.idle_timeout = {} is longer than session.absolute_timeout = {}.",
                idle.shown(),
                absolute.shown()
            ),
            "Sessions expire sooner than the idle timeout says: the absolute one ends them all, used or not.",
        )
        .set("session.idle_timeout", absolute.shown())
        .note("or less")
        .set("session.absolute_timeout", idle.shown())
        .note("or more, instead")
    })
}

fn not_remembered_beyond_remembered(session: &Session) -> Option<Finding> {
    let (idle, not_remembered) = (session.idle_timeout, session.idle_timeout_not_remembered);
    (not_remembered > idle).then(|| {
        Finding::hint(
            "session-not-remembered-longer",
            format!(
                "session.idle_timeout_not_remembered = {} is longer than session.idle_timeout = {}.",
                not_remembered.shown(),
                idle.shown()
            ),
            "Who asks not to be remembered is remembered for longer.",
        )
        .set("session.idle_timeout_not_remembered", idle.shown())
        .note("or less")
    })
}

fn touch_beyond_idle(session: &Session) -> Option<Finding> {
    let idle = session.idle_timeout.min(session.idle_timeout_not_remembered);
    (session.touch_interval >= idle).then(|| {
        Finding::warning(
            "session-touch-beyond-idle",
            format!(
                "session.touch_interval = {} is no shorter than an idle timeout ({}).",
                session.touch_interval.shown(),
                idle.shown()
            ),
            "Taken at its word, a session in use would expire, as its use isn't written down in time. The service \
             writes it down after a tenth of the idle timeout instead: what is configured has no effect.",
        )
        .set("session.touch_interval", (idle / 10).min(MINUTE).max(SECOND).shown())
    })
}

fn grace(session: &Session) -> Option<Finding> {
    let grace = session.rotation_grace;
    if grace < SECOND {
        let what = format!("session.rotation_grace = {}.", grace.shown());
        let why = "When a secret is replaced, requests that the same page sent a moment before come with the old one, \
                   and are 401: users are logged out at a role switch or a password change.";
        return Some(Finding::warning("session-rotation-grace-short", what, why).set("session.rotation_grace", "10s"));
    }
    (grace > LONG_GRACE).then(|| {
        Finding::warning(
            "session-rotation-grace-long",
            format!("session.rotation_grace = {}.", grace.shown()),
            "For that long after a role switch or a password change a stolen secret works on beside the new one.",
        )
        .set("session.rotation_grace", "10s")
    })
}

fn freshness(session: &Session) -> Option<Finding> {
    let fresh_for = session.fresh_for;
    if fresh_for.is_zero() {
        let what = "session.fresh_for = 0s: no session is ever fresh.";
        let why = "Nobody can end a session on another device, not even right after giving the password.";
        return Some(Finding::warning("session-never-fresh", what, why).set("session.fresh_for", "15m"));
    }
    if fresh_for < MINUTE {
        let what = format!("session.fresh_for = {}.", fresh_for.shown());
        let why = "Who has just logged in is asked for the password again before ending a session on another device.";
        return Some(Finding::hint("session-fresh-for-short", what, why).set("session.fresh_for", "15m"));
    }
    (fresh_for >= session.absolute_timeout).then(|| {
        Finding::warning(
            "session-always-fresh",
            format!(
                "session.fresh_for = {} is no shorter than session.absolute_timeout: sessions are always fresh.",
                fresh_for.shown()
            ),
            "Who finds a device unlocked can end all other sessions without knowing the password.",
        )
        .set("session.fresh_for", "15m")
    })
}

fn staleness(session: &Session) -> Option<Finding> {
    let staleness = session.near_cache_max_staleness;
    (session.near_cache_enabled && staleness > LONG_STALENESS).then(|| {
        Finding::warning(
            "near-cache-stale",
            format!("session.near_cache.max_staleness = {}.", staleness.shown()),
            "If Redis' messages are lost, a session that was ended is let in from memory for that long.",
        )
        .set("session.near_cache.max_staleness", "1s")
    })
}

fn one_device(session: &Session) -> Option<Finding> {
    (session.max_per_user < 3).then(|| {
        Finding::warning(
            "session-few-per-user",
            format!("session.max_per_user = {}.", session.max_per_user),
            "With one login more, the oldest session ends: a user with a phone, a tablet and a browser keeps being \
             logged out on one of them.",
        )
        .set("session.max_per_user", "100")
    })
}

/// What ties a session to the client that it began with. Tokens aren't tied to anything.
pub fn check_binding(config: &Config, facts: &Facts) -> Vec<Finding> {
    if config.auth.mode == AuthMode::Jwt {
        return Vec::new();
    }
    let found = [exact_user_agent(&config.session), address(&config.session), behind_a_proxy(config, facts)];
    let findings: Vec<_> = found.into_iter().flatten().collect();
    if !findings.is_empty() {
        return findings;
    }
    let what = "Sessions aren't tied to what changes by itself: an address, a browser's version.";
    vec![Finding::ok("session-binding", what).about(&["session.binding.ip", "session.binding.user_agent"])]
}

/// What users see, and how bad that is.
fn consequence(session: &Session) -> (Severity, &'static str) {
    match session.binding_on_mismatch {
        MismatchReaction::Revoke => (Severity::Warning, "are logged out"),
        MismatchReaction::Unfresh => (Severity::Hint, "are asked for the password before anything of weight"),
        MismatchReaction::Log => (Severity::Hint, "fill the log with binding_mismatch, where a real theft isn't seen"),
    }
}

fn exact_user_agent(session: &Session) -> Option<Finding> {
    let (severity, users) = consequence(session);
    (session.binding_user_agent == UserAgentBinding::Exact).then(|| {
        Finding::new(
            severity,
            "binding-user-agent-exact",
            "session.binding.user_agent = exact.",
            format!("Browsers and apps update themselves every few weeks, and say so: their users {users}."),
        )
        .set("session.binding.user_agent", "family")
    })
}

fn address(session: &Session) -> Option<Finding> {
    let (severity, users) = consequence(session);
    let binding = session.binding_ip;
    let (severity, when) = match binding {
        IpBinding::Off => return None,
        IpBinding::Subnet => (Severity::Hint, "when they leave the Wi-Fi"),
        IpBinding::Exact => (severity, "when they leave the Wi-Fi, and often while they stay in one network"),
    };
    Some(
        Finding::new(
            severity,
            "binding-ip",
            format!("session.binding.ip = {}.", binding.as_str()),
            format!("Phones get another address {when}: their users {users}."),
        )
        .set("session.binding.ip", "off"),
    )
}

/// Whose address a session is tied to, if the proxies in front aren't known.
fn behind_a_proxy(config: &Config, facts: &Facts) -> Option<Finding> {
    let forwards = facts.untrusted_forwards().unwrap_or_default();
    let is_tied = config.session.binding_ip != IpBinding::Off;
    (is_tied && config.http.trusted_proxies.is_empty() && forwards > 0.0).then(|| {
        Finding::error(
            "binding-ip-of-proxy",
            "Sessions are tied to an address, and it is the proxy's: http.trusted_proxies is empty.",
            "All clients have the same address, so the tie holds nobody back; with several proxies, users are logged \
             out whenever another one of them passes on a request.",
        )
        .set("http.trusted_proxies", "10.0.3.7")
        .note("the proxy's own address instead of this one")
    })
}

#[cfg(test)]
mod tests {
    use super::super::facts::ServiceFacts;
    use super::super::testing::{bad, config};
    use super::*;

    #[test]
    fn lifetimes_that_users_would_notice_are_found() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<(Severity, &'a str)>);
        let rows: [Row; 15] = [
            (&[], None),
            (&[("session.idle_timeout", "5m")], Some((Severity::Warning, "session-idle-timeout-short"))),
            (&[("session.idle_timeout_not_remembered", "5m")], Some((Severity::Warning, "session-idle-timeout-short"))),
            (&[("session.absolute_timeout", "3d")], Some((Severity::Warning, "session-idle-beyond-absolute"))),
            (&[("session.idle_timeout", "12h")], Some((Severity::Hint, "session-not-remembered-longer"))),
            (&[("session.touch_interval", "24h")], Some((Severity::Warning, "session-touch-beyond-idle"))),
            (&[("session.rotation_grace", "1ms")], Some((Severity::Warning, "session-rotation-grace-short"))),
            (&[("session.rotation_grace", "5m")], Some((Severity::Warning, "session-rotation-grace-long"))),
            (&[("session.rotation_grace", "0s")], Some((Severity::Warning, "session-rotation-grace-short"))),
            (&[("session.fresh_for", "0s")], Some((Severity::Warning, "session-never-fresh"))),
            (&[("session.fresh_for", "30d")], Some((Severity::Warning, "session-always-fresh"))),
            (&[("session.fresh_for", "30s")], Some((Severity::Hint, "session-fresh-for-short"))),
            (&[("session.near_cache.max_staleness", "1m")], Some((Severity::Warning, "near-cache-stale"))),
            (&[("session.near_cache.max_staleness", "1m"), ("session.near_cache.enabled", "false")], None),
            (&[("session.max_per_user", "1")], Some((Severity::Warning, "session-few-per-user"))),
        ];
        for (settings, expected) in rows {
            let found = bad(&check(&config(settings).session));
            // A user who isn't remembered was let to stay for longer, of necessity.
            let found: Vec<_> = match settings {
                [("session.idle_timeout", "5m")] => found.into_iter().take(1).collect(),
                _ => found,
            };
            assert_eq!(found, Vec::from_iter(expected), "{settings:?}");
        }
        let short = config(&[("session.absolute_timeout", "1h"), ("session.idle_timeout", "30m")]);
        assert!(bad(&check(&short.session)).contains(&(Severity::Warning, "session-absolute-timeout-short")));
    }

    #[test]
    fn what_ties_a_session_to_something_that_changes_is_as_bad_as_what_comes_of_it() {
        let of = |settings: &[(&str, &str)], forwards| {
            let service = ServiceFacts { untrusted_forwards: forwards, ..ServiceFacts::default() };
            bad(&check_binding(&config(settings), &Facts { service: Some(Ok(service)), ..Facts::default() }))
        };
        let exact = ("session.binding.ip", "exact");
        assert_eq!(of(&[], None), []);
        assert_eq!(of(&[exact], Some(0.0)), [(Severity::Warning, "binding-ip")]);
        assert_eq!(of(&[exact, ("session.binding.on_mismatch", "log")], None), [(Severity::Hint, "binding-ip")]);
        assert_eq!(of(&[("session.binding.ip", "subnet")], None), [(Severity::Hint, "binding-ip")]);
        assert_eq!(
            of(&[exact], Some(7.0)),
            [(Severity::Warning, "binding-ip"), (Severity::Error, "binding-ip-of-proxy")]
        );
        let agent = of(&[("session.binding.user_agent", "exact")], None);
        assert_eq!(agent, [(Severity::Warning, "binding-user-agent-exact")]);
        assert_eq!(of(&[exact, ("auth.mode", "jwt")], None), []);
    }
}

//! The cookie's flags, against the scheme by which the service is reached and against each other.

use super::finding::{Finding, Severity};
use super::site::{WebOrigin, is_public_suffix};
use crate::config::values::{AuthMode, BearerPolicy, Environment, SameSite};
use crate::config::{Config, Cookie};

/// What users see of a cookie that browsers don't keep.
const NOT_KEPT: &str = "Sessions don't persist: users log in, and are not logged in at the next request.";

pub fn check(config: &Config, service: Option<&WebOrigin>) -> Vec<Finding> {
    if config.auth.mode == AuthMode::Jwt {
        return vec![Finding::ok("cookie", "With auth.mode = jwt there is no cookie.")];
    }
    let cookie = &config.cookie;
    let mut findings: Vec<_> =
        [scheme(config, service), domain(cookie, service), partitioned(cookie), strict(cookie), bearer(config)]
            .into_iter()
            .flatten()
            .collect();
    if findings.is_empty() {
        let flags =
            Finding::ok("cookie", "The cookie's flags agree with each other, and with how the service is reached.");
        findings.push(flags.about(&["cookie.secure", "cookie.same_site", "cookie.domain", "cookie.partitioned"]));
    }
    findings
}

fn scheme(config: &Config, service: Option<&WebOrigin>) -> Option<Finding> {
    match service {
        Some(service) if config.cookie.secure && !service.is_https() && !service.is_loopback() => Some(
            Finding::error(
                "secure-cookie-over-http",
                format!("The cookie is Secure, but browsers reach the service by {service}, without TLS."),
                format!("Browsers drop a Secure cookie that comes by http. {NOT_KEPT}"),
            )
            .set("cookie.secure", "false")
            .note("or better, put TLS in front of the service"),
        ),
        Some(service) if service.is_https() && !config.cookie.secure => Some(
            Finding::warning(
                "cookie-not-secure",
                format!("Browsers reach the service by {service}, but the cookie isn't Secure."),
                "One request by http, to a link that somebody typed, sends the session in the clear.",
            )
            .set("cookie.secure", "true"),
        ),
        None if config.cookie.secure && config.env == Environment::Development => Some(
            Finding::warning(
                "secure-cookie-over-http",
                "The cookie is Secure, but in development the service is usually reached by http.",
                "On http://localhost Chrome and Firefox keep such a cookie and Safari doesn't; by any other name, and \
                 in curl, it is lost: sessions don't persist.",
            )
            .set("cookie.secure", "false")
            .about(&["env"]),
        ),
        _ => None,
    }
}

fn domain(cookie: &Cookie, service: Option<&WebOrigin>) -> Option<Finding> {
    let domain = cookie.domain.as_deref()?;
    let bare = domain.trim_start_matches('.').to_ascii_lowercase();
    let is_of_service = |service: &WebOrigin| service.may_set_domain(&bare);
    if service.is_none() && is_public_suffix(&bare) || service.is_some_and(|service| !is_of_service(service)) {
        let whose = service.map_or("anybody".to_owned(), |service| service.host());
        return Some(
            Finding::error(
                "cookie-domain-foreign",
                format!("cookie.domain = \"{domain}\" is no domain that {whose} may set cookies for."),
                format!("Browsers drop the cookie. {NOT_KEPT}"),
            )
            .set("cookie.domain", ""),
        );
    }
    Some(
        Finding::hint(
            "cookie-domain-wide",
            format!("cookie.domain = \"{domain}\": browsers send the session to every host below {bare}."),
            "Each of them sees the session's secret, and one that is taken over can use it. Only a gateway on another \
             host that asks /sessions/verify needs this.",
        )
        .set("cookie.domain", ""),
    )
}

fn partitioned(cookie: &Cookie) -> Option<Finding> {
    (cookie.partitioned && cookie.same_site != SameSite::None).then(|| {
        Finding::warning(
            "partitioned-without-none",
            format!("The cookie is Partitioned, but SameSite={}.", cookie.same_site.as_str()),
            "A partition is for pages of other sites, and to those it isn't sent anyway.",
        )
        .set("cookie.same_site", "None")
        .set("cookie.partitioned", "false")
        .note("if no page of another site uses the service")
    })
}

fn strict(cookie: &Cookie) -> Option<Finding> {
    (cookie.same_site == SameSite::Strict).then(|| {
        Finding::new(
            Severity::Hint,
            "samesite-strict",
            "The cookie is SameSite=Strict.",
            "Who follows a link from another site, from a mail say, is not logged in on the page that it opens, until \
             the next click.",
        )
        .set("cookie.same_site", "Lax")
    })
}

/// What apps keep that have no browser's jar.
fn bearer(config: &Config) -> Option<Finding> {
    (config.session.bearer == BearerPolicy::Off).then(|| {
        Finding::hint(
            "bearer-off",
            "session.bearer = off: apps have to keep the cookie, as browsers do.",
            "React Native forgets cookies: users of apps are logged out when the app is restarted, or on one of the \
             two platforms only.",
        )
        .set("session.bearer", "auto")
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    #[test]
    fn flags_that_cost_the_cookie_are_found() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, &'a [(Severity, &'a str)]);
        let https = Some("https://auth.example.com");
        let rows: [Row; 13] = [
            (&[], None, &[]),
            (&[("session.bearer", "off")], None, &[(Severity::Hint, "bearer-off")]),
            (&[("cookie.same_site", "Strict")], None, &[(Severity::Hint, "samesite-strict")]),
            (&[], https, &[(Severity::Warning, "cookie-not-secure")]),
            (&[("cookie.secure", "true")], https, &[]),
            (&[("cookie.secure", "true")], None, &[(Severity::Warning, "secure-cookie-over-http")]),
            (
                &[("env", "production")],
                Some("http://auth.example.com"),
                &[(Severity::Error, "secure-cookie-over-http")],
            ),
            (&[("env", "production")], None, &[]),
            (
                &[("cookie.secure", "true"), ("cookie.domain", "example.com")],
                https,
                &[(Severity::Hint, "cookie-domain-wide")],
            ),
            (
                &[("cookie.secure", "true"), ("cookie.domain", "example.org")],
                https,
                &[(Severity::Error, "cookie-domain-foreign")],
            ),
            (&[("cookie.domain", "co.uk")], None, &[(Severity::Error, "cookie-domain-foreign")]),
            (
                &[("env", "production"), ("cookie.partitioned", "true")],
                https,
                &[(Severity::Warning, "partitioned-without-none")],
            ),
            (&[("auth.mode", "jwt"), ("cookie.domain", "co.uk")], None, &[]),
        ];
        for (settings, service, expected) in rows {
            let service = service.map(|service| service.parse().unwrap());
            assert_eq!(bad(&check(&config(settings), service.as_ref())), expected, "{settings:?} {service:?}");
        }
    }
}

//! The origins of front ends: how they are written, and whether the cookie reaches them.

use std::collections::BTreeSet;

use url::Url;

use super::finding::Finding;
use super::site::{Relation, WebOrigin};
use crate::config::Config;
use crate::config::values::{AuthMode, Environment, Origin, SameSite, Value as _};

const KEY: &str = "cors.allowed_origins";

pub fn check(config: &Config, service: Option<&WebOrigin>) -> Vec<Finding> {
    let origins = origins(config);
    let mut findings: Vec<_> = [none(config, &origins), in_the_clear(config, &origins), loopback(config, &origins)]
        .into_iter()
        .flatten()
        .collect();
    if config.auth.mode != AuthMode::Jwt {
        findings.extend(other_sites(config, &origins, service));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("cors", format!("The origins of front ends: {}.", list(&origins))).about(&[KEY]));
    }
    findings
}

fn origins(config: &Config) -> Vec<WebOrigin> {
    config.cors_allowed_origins.iter().filter_map(|origin| origin.as_str().parse().ok()).collect()
}

fn list<'a>(origins: impl IntoIterator<Item = &'a WebOrigin>) -> String {
    origins.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// As it stands in the configuration.
fn value<'a>(origins: impl IntoIterator<Item = &'a WebOrigin>) -> String {
    origins.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn none(config: &Config, origins: &[WebOrigin]) -> Option<Finding> {
    origins.is_empty().then(|| {
        let finding = Finding::hint(
            "cors-no-origins",
            "No front end on another origin may use the service.",
            "That is right where pages are served under the service's own host and port. Any other page gets a CORS \
             error in the browser, and 403 cross_origin_refused when it tries to log in.",
        );
        let example =
            if config.env == Environment::Production { "https://app.example.com" } else { "http://localhost:3000" };
        finding.set(KEY, example)
    })
}

fn in_the_clear(config: &Config, origins: &[WebOrigin]) -> Option<Finding> {
    let clear: Vec<_> = origins.iter().filter(|origin| !origin.is_https() && !origin.is_loopback()).collect();
    (config.env == Environment::Production && !clear.is_empty()).then(|| {
        Finding::warning(
            "cors-http-origin",
            format!("Pages that come without TLS may use the service: {}.", list(clear.iter().copied())),
            "Whoever is on the network between can change such a page, and act as any user who opens it. To browsers, \
             http and https are different sites besides: a Lax or Strict cookie is not sent.",
        )
        .set(KEY, value(origins).replace("http://", "https://"))
    })
}

fn loopback(config: &Config, origins: &[WebOrigin]) -> Option<Finding> {
    let loopback: Vec<_> = origins.iter().filter(|origin| origin.is_loopback()).collect();
    (config.env == Environment::Production && !loopback.is_empty()).then(|| {
        Finding::warning(
            "cors-localhost-in-production",
            format!("Pages on users' own machines may use the service: {}.", list(loopback.iter().copied())),
            "Any program that listens there can act as the user. That is for developers, not for production.",
        )
        .set(KEY, value(origins.iter().filter(|origin| !origin.is_loopback())))
    })
}

/// Front ends of other sites, which a Lax or Strict cookie doesn't reach.
fn other_sites(config: &Config, origins: &[WebOrigin], service: Option<&WebOrigin>) -> Option<Finding> {
    let same_site = config.cookie.same_site;
    if same_site == SameSite::None {
        return None;
    }
    let flag = same_site.as_str();
    let foreign: Vec<_> = origins.iter().filter(|origin| is_foreign(origin, config, service)).collect();
    if foreign.is_empty() {
        return of_several_sites(config, origins, service);
    }
    let service = service.map_or_else(|| "cookie.domain".to_owned(), ToString::to_string);
    let foreign = list(foreign);
    let what =
        format!("The cookie is SameSite={flag}, but there are front ends of other sites than {service}: {foreign}.");
    Some(cross_site(config, what))
}

fn cross_site(config: &Config, what: String) -> Finding {
    const WHY: &str = "Browsers neither keep nor send such a cookie when a page of another site fetches: sessions \
                       don't persist, every request after the login is 401.";
    let finding = Finding::error("cors-cross-site", what, WHY)
        .about(&[KEY])
        .set("cookie.same_site", "None")
        .note("unless the service can be served under the front end's own site, which is better")
        .set("cookie.partitioned", "true")
        .note("for browsers that block third-party cookies");
    if config.cookie.secure { finding } else { finding.set("cookie.secure", "true") }
}

fn is_foreign(origin: &WebOrigin, config: &Config, service: Option<&WebOrigin>) -> bool {
    match (service, &config.cookie.domain) {
        (Some(service), _) => origin.relation_to(service) == Relation::CrossSite,
        // Who develops calls the service by the name that the front end has.
        (None, _) if origin.is_loopback() => false,
        (None, Some(domain)) => {
            let domain = format!("https://{}", domain.trim_start_matches('.'));
            domain.parse::<WebOrigin>().is_ok_and(|domain| domain.site() != origin.site())
        }
        (None, None) => false,
    }
}

/// If the origins are of several sites, at least one of them isn't the service's, whichever that is.
fn of_several_sites(config: &Config, origins: &[WebOrigin], service: Option<&WebOrigin>) -> Option<Finding> {
    let flag = config.cookie.same_site.as_str();
    let sites: BTreeSet<_> = origins.iter().filter(|origin| !origin.is_loopback()).map(WebOrigin::site).collect();
    (service.is_none() && sites.len() > 1).then(|| {
        let sites = sites.into_iter().collect::<Vec<_>>().join(", ");
        let what = format!(
            "The cookie is SameSite={flag}, but the front ends are of several sites ({sites}): whichever the service \
             is of, the others are foreign to it."
        );
        cross_site(config, what)
    })
}

/// What is wrong with origins that can't be read; each time with the whole list as it should be.
pub fn malformed(text: &str) -> Vec<Finding> {
    let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    let meant: Vec<WebOrigin> = items.iter().filter_map(|item| item.parse().ok()).collect();
    let meant = if meant.is_empty() { "https://app.example.com".to_owned() } else { value(&meant) };
    let wrong = items.into_iter().filter(|item| Origin::parse(item).is_none());
    wrong.map(|item| malformed_origin(item).set(KEY, &*meant)).collect()
}

fn malformed_origin(item: &str) -> Finding {
    const UNLIKE: &str = "The service doesn't start. Browsers send an origin without it, and the two would never be \
                          equal: every request from there would be a CORS error.";
    let quoted = format!("{KEY} has {item:?}:");
    let malformed = |what: &str, why: &str| Finding::error("cors-origin-malformed", format!("{quoted} {what}"), why);
    if item.contains('*') {
        let why = "The service doesn't start. Browsers refuse credentials with *, and to echo any origin would let \
                   every site on the web act as the user who visits it. Name each origin in full.";
        return Finding::error("cors-wildcard", format!("{quoted} a wildcard."), why);
    }
    match Url::parse(item).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        None => malformed(
            "no origin. One has a scheme, a host and, where it isn't the usual one, a port.",
            "The service doesn't start.",
        ),
        Some(url) if url.path() != "/" || url.query().is_some() || url.fragment().is_some() => {
            Finding::error("cors-path", format!("{quoted} more than an origin: a path."), UNLIKE)
        }
        Some(_) if item.ends_with('/') => {
            Finding::error("cors-trailing-slash", format!("{quoted} a slash at the end."), UNLIKE)
        }
        Some(_) => malformed("not as browsers write it (in lower case, without the usual port or a user).", UNLIKE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Place, Severity};
    use super::super::testing::{bad, config};
    use super::*;

    #[test]
    fn an_origin_that_no_browser_sends_is_told_with_the_one_that_they_do() {
        for (value, id, instead) in [
            ("https://app.example.com/", "cors-trailing-slash", "https://right.example.com,https://app.example.com"),
            ("https://app.example.com/login", "cors-path", "https://right.example.com,https://app.example.com"),
            ("https://app.example.com?a", "cors-path", "https://right.example.com,https://app.example.com"),
            ("https://App.example.com", "cors-origin-malformed", "https://right.example.com,https://app.example.com"),
            (
                "https://app.example.com:443",
                "cors-origin-malformed",
                "https://right.example.com,https://app.example.com",
            ),
            ("app.example.com", "cors-origin-malformed", "https://right.example.com"),
            ("*", "cors-wildcard", "https://right.example.com"),
            ("https://*.example.com", "cors-wildcard", "https://right.example.com"),
        ] {
            let findings = malformed(&format!("https://right.example.com, {value}"));
            let [finding] = &findings[..] else { panic!("{findings:?}") };
            assert_eq!((finding.id, finding.severity), (id, Severity::Error), "{value}");
            let change = &finding.change[0];
            assert_eq!((change.place, change.key), (Place::Service, KEY));
            assert_eq!(change.value, instead, "{value}");
        }
    }

    #[test]
    fn front_ends_that_the_cookie_does_not_reach_are_found() {
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>, &'a [(Severity, &'a str)]);
        let production = ("env", "production");
        let service = Some("https://auth.example.com");
        let cross_site = (Severity::Error, "cors-cross-site");
        let rows: [Row; 11] = [
            ("https://app.example.com", &[production], service, &[]),
            ("https://app.example.org", &[production], service, &[cross_site]),
            ("https://app.example.org", &[production, ("cookie.same_site", "None")], service, &[]),
            ("https://app.example.org", &[production, ("auth.mode", "jwt")], service, &[]),
            ("https://app.example.org", &[production], None, &[]),
            ("https://app.example.org", &[production, ("cookie.domain", "example.com")], None, &[cross_site]),
            ("https://a.example.org,https://b.example.com", &[production], None, &[cross_site]),
            ("http://localhost:3000,https://b.example.com", &[], None, &[]),
            ("http://localhost:3000", &[], Some("http://127.0.0.1:8000"), &[cross_site]),
            ("http://app.example.com", &[production], None, &[(Severity::Warning, "cors-http-origin")]),
            ("http://localhost:3000", &[production], None, &[(Severity::Warning, "cors-localhost-in-production")]),
        ];
        for (origins, settings, service, expected) in rows {
            let config = config(&[settings, &[(KEY, origins)]].concat());
            let service = service.map(|service| service.parse().unwrap());
            assert_eq!(bad(&check(&config, service.as_ref())), expected, "{origins} {settings:?}");
        }
        assert_eq!(bad(&check(&config(&[production]), None)), [(Severity::Hint, "cors-no-origins")]);
    }
}

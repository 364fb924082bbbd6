//! The two listeners, the proxies in front, and what the running service says of itself.

use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::{Facts, ServiceFacts};
use super::finding::{Finding, Severity};
use crate::config::Config;
use crate::config::values::Environment;

const PROXIES: &str = "http.trusted_proxies";
const ADMIN: &str = "admin_bind";

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![admin(config)];
    findings.extend(same_address(config));
    findings.push(proxies(config, facts));
    findings.extend(running(config, facts));
    findings
}

fn admin(config: &Config) -> Finding {
    let address = config.admin_bind;
    let why = "Whoever reaches it sees the metrics: how many users log in and fail to, and what is broken just now. It \
               asks nobody who they are.";
    match address.ip() {
        ip if is_public(ip) => {
            Finding::error("admin-public", format!("The admin listener is on a public address: {address}."), why)
                .set(ADMIN, "127.0.0.1:9000")
                .note("or an address of an internal network")
        }
        ip if ip.is_unspecified() => {
            let severity = if config.env == Environment::Production { Severity::Warning } else { Severity::Hint };
            let what = format!("The admin listener is on all of this machine's addresses: {address}.");
            let why = format!("{why} In a container that is well if its port isn't published.");
            Finding::new(severity, "admin-everywhere", what, why).set(ADMIN, format!("127.0.0.1:{}", address.port()))
        }
        _ => Finding::ok("admin", format!("The admin listener is on {address}, which isn't public.")).about(&[ADMIN]),
    }
}

/// Whether anybody on the internet may reach it.
fn is_public(ip: IpAddr) -> bool {
    let is_internal = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    !(is_internal || ip.is_loopback() || ip.is_unspecified())
}

fn same_address(config: &Config) -> Option<Finding> {
    let (one, other) = (config.bind, config.admin_bind);
    let meet = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    (one.port() == other.port() && one.port() != 0 && meet).then(|| {
        Finding::error(
            "listeners-collide",
            format!("bind = {one} and admin_bind = {other} are the same port."),
            "The service doesn't start: only one of the two can listen there.",
        )
        .set(ADMIN, "127.0.0.1:9000")
    })
}

fn proxies(config: &Config, facts: &Facts) -> Finding {
    let trusted = &config.http.trusted_proxies;
    if let Some(network) = trusted.iter().find(|network| is_wide(network)) {
        let severity = if network.prefix_len() == 0 { Severity::Error } else { Severity::Warning };
        let what = format!("http.trusted_proxies has {network}, which is more than anybody's proxies.");
        let why = "Whoever connects from there can claim any address in X-Forwarded-For: limits on failed logins are \
                   evaded by a new address for each try, and sessions can't be tied to one.";
        return Finding::new(severity, "trusted-proxies-wide", what, why)
            .set(PROXIES, "10.0.3.7,10.0.3.8")
            .note("the proxies' own addresses instead of these");
    }
    let forwards = facts.untrusted_forwards();
    let why = "all who come through it have its address: after a few wrong passwords of anybody nobody can log in from \
               anywhere new (429), and the list of devices and the log show the proxy.";
    let with_proxy = |finding: Finding| {
        let proxies: Vec<_> = trusted.iter().map(ToString::to_string).chain(["10.0.3.7".to_owned()]).collect();
        finding.set(PROXIES, proxies.join(",")).note("the proxy's own address instead of 10.0.3.7")
    };
    match forwards {
        Some(count) if count > 0.0 => {
            let whose =
                if trusted.is_empty() { "http.trusted_proxies is empty" } else { "it isn't in http.trusted_proxies" };
            let what = format!("A proxy passes on clients' addresses, but {whose}: {count} requests so far.");
            with_proxy(Finding::error("proxy-not-trusted", what, why))
        }
        None if trusted.is_empty() && config.env == Environment::Production => {
            let what = "http.trusted_proxies is empty.";
            let why = format!("Right if clients connect to the service themselves. Behind a proxy: {why}");
            // Nobody else connects to this machine itself.
            let severity = if config.bind.ip().is_loopback() { Severity::Warning } else { Severity::Hint };
            with_proxy(Finding::new(severity, "trusted-proxies-empty", what, why))
        }
        _ if trusted.is_empty() => {
            Finding::ok("trusted-proxies", "No proxy is trusted: clients' addresses are those that connect.")
                .about(&[PROXIES])
        }
        _ => {
            let list: Vec<_> = trusted.iter().map(ToString::to_string).collect();
            Finding::ok("trusted-proxies", format!("The trusted proxies: {}.", list.join(", "))).about(&[PROXIES])
        }
    }
}

/// Wider than any network of one's own: 10.0.0.0/8 is the widest of them.
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() < 8,
        IpNet::V6(network) => network.prefix_len() < 16 && !network.addr().is_unique_local(),
    }
}

fn running(config: &Config, facts: &Facts) -> Option<Finding> {
    let url = format!("http://{}/health/ready", config.admin_bind);
    Some(match facts.service.as_ref()? {
        Err(text) => {
            let what = format!("No service answers at {url}: {text}.");
            let why = "What only a running one can tell was not looked at: whether it is ready, and whether there is a \
                       proxy in front that it doesn't trust.";
            Finding::hint("service-not-running", what, why).about(&[ADMIN])
        }
        Ok(ServiceFacts { unavailable: Some(missing), .. }) => {
            let what = match &missing[..] {
                [] => format!("The running service says that it isn't ready ({url})."),
                missing => format!("The running service isn't ready ({url}): {} is unavailable.", missing.join(", ")),
            };
            let why = "Load balancers send it nothing, and requests that come all the same are 503.";
            Finding::error("service-not-ready", what, why).about(&[ADMIN])
        }
        Ok(_) => Finding::ok("service", format!("The running service is ready ({url}).")).about(&[ADMIN]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    fn found(settings: &[(&str, &str)], service: Option<ServiceFacts>) -> Vec<(Severity, &'static str)> {
        bad(&check(&config(settings), &Facts { service: service.map(Ok), ..Facts::default() }))
    }

    #[test]
    fn an_admin_listener_that_anybody_may_reach_is_found() {
        for (address, env, expected) in [
            ("127.0.0.1:9000", "development", None),
            ("10.1.2.3:9000", "production", None),
            ("[fd00::1]:9000", "production", None),
            ("[::ffff:10.0.0.1]:9000", "production", None),
            ("0.0.0.0:9000", "development", Some((Severity::Hint, "admin-everywhere"))),
            ("[::]:9000", "production", Some((Severity::Warning, "admin-everywhere"))),
            ("203.0.113.7:9000", "development", Some((Severity::Error, "admin-public"))),
            ("[2001:db8::1]:9000", "production", Some((Severity::Error, "admin-public"))),
            ("127.0.0.1:8000", "development", Some((Severity::Error, "listeners-collide"))),
        ] {
            let trusted = ("http.trusted_proxies", "127.0.0.1");
            let found = found(&[("admin_bind", address), ("env", env), trusted], None);
            assert_eq!(found, Vec::from_iter(expected), "{address} {env}");
        }
    }

    #[test]
    fn proxies_that_are_trusted_too_little_or_too_much_are_found() {
        let service = |untrusted_forwards| Some(ServiceFacts { untrusted_forwards, ..ServiceFacts::default() });
        let (key, production) = ("http.trusted_proxies", ("env", "production"));
        assert_eq!(found(&[(key, "10.0.0.0/8,::1")], service(Some(0.0))), []);
        assert_eq!(found(&[(key, "0.0.0.0/0")], None), [(Severity::Error, "trusted-proxies-wide")]);
        assert_eq!(found(&[(key, "::1,::/0")], None), [(Severity::Error, "trusted-proxies-wide")]);
        assert_eq!(found(&[(key, "0.0.0.0/1")], None), [(Severity::Warning, "trusted-proxies-wide")]);
        assert_eq!(found(&[], service(Some(3.0))), [(Severity::Error, "proxy-not-trusted")]);
        assert_eq!(found(&[(key, "10.0.0.1")], service(Some(3.0))), [(Severity::Error, "proxy-not-trusted")]);
        assert_eq!(found(&[], service(None)), []);
        assert_eq!(found(&[production], None), [(Severity::Warning, "trusted-proxies-empty")]);
        assert_eq!(found(&[production, ("bind", "0.0.0.0:8000")], None), [(Severity::Hint, "trusted-proxies-empty")]);
    }

    #[test]
    fn a_running_service_that_is_not_ready_says_what_it_lacks() {
        let unavailable = Some(vec!["redis".to_owned()]);
        let findings = check(
            &config(&[]),
            &Facts { service: Some(Ok(ServiceFacts { unavailable, ..ServiceFacts::default() })), ..Facts::default() },
        );
        assert_eq!(bad(&findings), [(Severity::Error, "service-not-ready")]);
        assert!(findings.iter().any(|finding| finding.what.contains("redis is unavailable")));
    }
}

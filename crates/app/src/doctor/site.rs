//! Which origins are of one site, as browsers see it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// An origin: what a browser calls a page's scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    host: Host<String>,
    port: u16,
}

/// What the origin of a page is to that of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    SameOrigin,
    /// Another one of the same site.
    SameSite,
    /// One of another site.
    CrossSite,
}

impl Relation {
    /// As browsers say it in `Sec-Fetch-Site`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossSite => "cross-site",
        }
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    /// Reads a URL, of which the path doesn't count.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be an origin, such as https://app.example.com or http://localhost:3000".to_owned();
        let url = Url::parse(text).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || text.contains('*') {
            return Err(wrong());
        }
        let host = url.host().ok_or_else(wrong)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        Ok(Self { scheme: url.scheme().to_owned(), host, port })
    }
}

impl fmt::Display for WebOrigin {
    /// As a browser sends it in `Origin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.is_https() { 443 } else { 80 };
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl WebOrigin {
    /// The origin of a plain-HTTP server at this address; by the name `localhost` where it has none of its own.
    pub fn at(address: std::net::SocketAddr) -> Self {
        let host = match address.ip() {
            ip if ip.is_unspecified() || ip.is_loopback() => Host::Domain("localhost".to_owned()),
            IpAddr::V4(ip) => Host::Ipv4(ip),
            IpAddr::V6(ip) => Host::Ipv6(ip),
        };
        Self { scheme: "http".to_owned(), host, port: address.port() }
    }

    /// The same server, called by the name that this one has.
    pub fn called_as(&self, other: &Self) -> Self {
        Self { host: other.host.clone(), ..self.clone() }
    }

    /// Whether TLS is spoken there.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The host, as it stands in a URL.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The host with the port, as it stands in `Host`.
    pub fn authority(&self) -> String {
        self.to_string().split_off(self.scheme.len() + "://".len())
    }

    /// Whether it is this machine, as far as a browser can tell by the name.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        }
    }

    /// What browsers call the site: the name that somebody registered, or the host where it has no such name.
    pub fn site(&self) -> String {
        match &self.host {
            Host::Domain(name) => psl::domain_str(name).unwrap_or(name).to_owned(),
            _ => self.host(),
        }
    }

    /// What this page's origin is to the service's. A site has a scheme (<https://html.spec.whatwg.org/#same-site>).
    pub fn relation_to(&self, service: &Self) -> Relation {
        if self == service {
            Relation::SameOrigin
        } else if self.scheme == service.scheme && self.site() == service.site() {
            Relation::SameSite
        } else {
            Relation::CrossSite
        }
    }

    /// Whether a browser takes a cookie with this `Domain` from here (RFC 6265, sections 5.1.3 and 5.3).
    pub fn may_set_domain(&self, domain: &str) -> bool {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        let Host::Domain(name) = &self.host else { return self.host() == domain };
        *name == domain || (name.ends_with(&format!(".{domain}")) && !is_public_suffix(&domain))
    }
}

/// Whether names are registered directly below this one: `com`, `co.uk`, `github.io`.
pub fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> WebOrigin {
        text.parse().unwrap()
    }

    #[test]
    fn sites_are_told_by_the_public_suffix_list_and_the_scheme() {
        for (page, service, expected) in [
            ("https://app.example.com", "https://app.example.com:443/api", Relation::SameOrigin),
            ("https://app.example.com", "https://app.example.com:8443", Relation::SameSite),
            ("https://app.example.com", "https://auth.example.com", Relation::SameSite),
            ("https://example.com", "https://a.b.example.com", Relation::SameSite),
            ("https://example.com", "https://example.org", Relation::CrossSite),
            ("https://one.co.uk", "https://two.co.uk", Relation::CrossSite),
            ("https://one.github.io", "https://two.github.io", Relation::CrossSite),
            ("http://app.example.com", "https://auth.example.com", Relation::CrossSite),
            ("http://localhost:3000", "http://localhost:8000", Relation::SameSite),
            ("http://localhost:3000", "http://127.0.0.1:8000", Relation::CrossSite),
            ("http://192.0.2.1:3000", "http://192.0.2.1:8000", Relation::SameSite),
            ("http://[::1]:3000", "http://[::1]:8000", Relation::SameSite),
        ] {
            assert_eq!(origin(page).relation_to(&origin(service)), expected, "{page} {service}");
        }
    }

    #[test]
    fn a_domain_has_to_be_the_hosts_own_or_one_above_it_that_somebody_registered() {
        let service = origin("https://auth.example.co.uk");
        for domain in ["example.co.uk", ".example.co.uk", "Auth.example.co.uk"] {
            assert!(service.may_set_domain(domain), "{domain}");
        }
        for domain in ["co.uk", "uk", "ample.co.uk", "other.co.uk", "a.auth.example.co.uk"] {
            assert!(!service.may_set_domain(domain), "{domain}");
        }
        assert!(!origin("http://192.0.2.1").may_set_domain("2.1"));
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (text, expected) in [
            ("https://App.Example.com:443/", "https://app.example.com"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin(text).to_string(), expected);
        }
        for text in ["app.example.com", "ftp://example.com", "*", "https://*.example.com", "https://", "null"] {
            assert!(text.parse::<WebOrigin>().is_err(), "{text}");
        }
        assert_eq!(WebOrigin::at("0.0.0.0:8000".parse().unwrap()).to_string(), "http://localhost:8000");
        assert_eq!(origin("http://localhost:8000").authority(), "localhost:8000");
    }
}

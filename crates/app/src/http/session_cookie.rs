//! The cookie that carries a session's secret.

use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::HeaderValue;
use markt_domain::session::SessionSecret;

use crate::config;
use crate::config::values;

/// Writes the session cookie (API contract, section 3; ASVS 3.3).
#[derive(Clone, Debug)]
pub struct SessionCookie {
    config: config::Cookie,
}

impl SessionCookie {
    /// Writes cookies with these attributes.
    #[must_use]
    pub const fn new(config: config::Cookie) -> Self {
        Self { config }
    }

    /// The cookie's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Hands out a secret; with a `lifetime`, for so long, without one, until the browser ends.
    #[must_use]
    pub fn issue(&self, secret: &SessionSecret, lifetime: Option<Duration>) -> HeaderValue {
        let mut cookie = self.cookie(secret.expose());
        if let Some(seconds) = lifetime.and_then(|lifetime| i64::try_from(lifetime.as_secs()).ok()) {
            cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        }
        header(&cookie)
    }

    /// Takes the cookie away.
    #[must_use]
    pub fn clear(&self) -> HeaderValue {
        let mut cookie = self.cookie("");
        cookie.make_removal();
        header(&cookie)
    }

    fn cookie<'a>(&'a self, value: &'a str) -> Cookie<'a> {
        let mut cookie = Cookie::build((self.config.name.as_str(), value))
            .path("/")
            .http_only(true)
            .secure(self.config.secure)
            .same_site(match self.config.same_site {
                values::SameSite::Lax => SameSite::Lax,
                values::SameSite::Strict => SameSite::Strict,
                values::SameSite::None => SameSite::None,
            })
            .build();
        if let Some(domain) = &self.config.domain {
            cookie.set_domain(domain);
        }
        if self.config.partitioned {
            cookie.set_partitioned(true);
        }
        cookie
    }
}

fn header(cookie: &Cookie<'_>) -> HeaderValue {
    let mut value = HeaderValue::try_from(cookie.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""));
    // Kept out of every log that prints headers.
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(config: config::Cookie) -> SessionCookie {
        SessionCookie::new(config)
    }

    fn config() -> config::Cookie {
        config::Cookie {
            name: "markt_session".into(),
            secure: false,
            same_site: values::SameSite::Lax,
            domain: None,
            partitioned: false,
        }
    }

    #[test]
    fn a_remembered_cookie_lives_for_a_while_and_another_until_the_browser_ends() {
        let secret = SessionSecret::parse(&"a".repeat(43)).unwrap();
        let week = Some(Duration::from_secs(7 * 24 * 3600));
        let value = cookie(config()).issue(&secret, week);
        let expected = format!("markt_session={}; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800", "a".repeat(43));
        assert_eq!(value.to_str().unwrap(), expected);
        assert!(value.is_sensitive());
        assert!(!cookie(config()).issue(&secret, None).to_str().unwrap().contains("Max-Age"));
    }

    #[test]
    fn a_cookie_is_taken_away_with_the_attributes_it_was_set_with() {
        let config = config::Cookie { secure: true, domain: Some("example.com".into()), ..config() };
        let value = cookie(config).clear();
        let value = value.to_str().unwrap();
        assert!(
            value.starts_with("markt_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Domain=example.com; Max-Age=0")
        );
    }
}

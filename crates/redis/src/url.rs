//! Where Redis is, without telling the password.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The schemes that say how to connect: to one server, to a cluster, or to the primary that Sentinel names; the ones
/// with `rediss` over TLS.
const SCHEMES: [&str; 6] = ["redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"];

/// The address of a Redis: `redis://[[user:]password@]host[:port][/database]`, and likewise
///
/// - `rediss://…` over TLS,
/// - `redis-cluster://host:port?node=host:port&node=…`,
/// - `redis-sentinel://host:port/database?node=host:port&sentinelServiceName=name` with the Sentinels' addresses, and
///   `sentinelUsername` and `sentinelPassword` if they want any.
///
/// Shown with `***` in the place of passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(Url);

/// The text is no address of a Redis. Doesn't repeat it, as it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a Redis URL ({0}): must be redis://[[user:]password@]host[:port][/database], or the same with rediss, \
     redis-cluster or redis-sentinel"
)]
pub struct InvalidRedisUrl(pub(crate) &'static str);

impl RedisUrl {
    /// The address with its passwords.
    pub(crate) fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The number of the database.
    pub(crate) fn database(&self) -> u8 {
        self.0.path().trim_start_matches('/').parse().unwrap_or(0)
    }
}

impl FromStr for RedisUrl {
    type Err = InvalidRedisUrl;

    fn from_str(text: &str) -> Result<Self, InvalidRedisUrl> {
        let url = Url::parse(text).map_err(|_| InvalidRedisUrl("it can't be parsed"))?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(InvalidRedisUrl("its scheme is unknown"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidRedisUrl("it names no host"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Neither can fail: a URL with a host may have a password.
        if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
            return f.write_str("redis://***");
        }
        if shown.query().is_some() {
            let parameters: Vec<_> = self.0.query_pairs().collect();
            let mut query = shown.query_pairs_mut();
            query.clear();
            for (name, value) in &parameters {
                let secret = name.to_ascii_lowercase().contains("password");
                query.append_pair(name, if secret { "***" } else { value });
            }
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_passwords() {
        for text in [
            "redis://:hunter2@cache.test:6379/1",
            "rediss://ann:hunter2@cache.test",
            "redis-sentinel://a:hunter2@s.test:26379?sentinelServiceName=m&sentinelPassword=hunter2",
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert!(url.expose().contains("hunter2"));
            for shown in [url.to_string(), format!("{url:?}")] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains(".test"), "{shown}");
            }
        }
    }

    #[test]
    fn an_address_without_a_password_is_shown_as_it_is() {
        for text in ["redis://cache.test:6379/1", "redis-cluster://a.test:1?node=b.test%3A2"] {
            assert_eq!(text.parse::<RedisUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_of_a_redis_is_refused_without_repeating_it() {
        for text in [
            "",
            "localhost:6379",
            "http://:hunter2@cache.test",
            "redis://",
            "redis:hunter2",
            "redis://:hunter2@cache.test:99999",
        ] {
            let refusal = text.parse::<RedisUrl>().unwrap_err();
            assert!(!refusal.to_string().contains("hunter2"), "{text}");
        }
    }
}

//! Where Redis is, without telling the password.

use std::borrow::Cow;
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

/// What the Sentinels call the primary.
const SERVICE_NAME: &str = "sentinelServiceName";

/// Why a text is no address of a Redis, with one that is. Doesn't repeat the text, as it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisUrl {
    /// It is no URL, or not one that can be used.
    #[error("it can't be read: must be a URL such as redis://user:password@host:6379/0")]
    Malformed,
    /// It is of something else.
    #[error(
        "its scheme must be redis, redis-cluster or redis-sentinel, or one of rediss, rediss-cluster and \
             rediss-sentinel over TLS, as in redis://host:6379"
    )]
    Scheme,
    /// There is nothing to connect to.
    #[error("it names no host: must be such as redis://host:6379")]
    NoHost,
    /// What stands for the host are several.
    #[error(
        "it must name one host, and the others in its query, as in \
             redis-sentinel://host:26379?node=host2:26379&sentinelServiceName=mymaster"
    )]
    SeveralHosts,
    /// Sentinels may know more than one primary.
    #[error(
        "sentinelServiceName is missing, what the Sentinels call the primary, as in \
             redis-sentinel://host:26379?node=host2:26379&sentinelServiceName=mymaster"
    )]
    NoServiceName,
    /// The path is something else.
    #[error("what stands after the host must be the number of a database from 0 to 255, as in redis://host:6379/0")]
    Database,
    /// A further server can't be told.
    #[error("node must be host:port, as in redis-cluster://host:6379?node=host2:6379")]
    Node,
}

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
        let url = Url::parse(text).map_err(|_| InvalidRedisUrl::Malformed)?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(InvalidRedisUrl::Scheme);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidRedisUrl::NoHost)?;
        if host.contains(',') {
            return Err(InvalidRedisUrl::SeveralHosts);
        }
        if url.scheme().ends_with("-sentinel") && !parameters(&url, SERVICE_NAME).any(|name| !name.is_empty()) {
            return Err(InvalidRedisUrl::NoServiceName);
        }
        // A cluster has one database.
        if !url.scheme().ends_with("-cluster") && !is_database(url.path()) {
            return Err(InvalidRedisUrl::Database);
        }
        if !parameters(&url, "node").all(|node| is_node(&node)) {
            return Err(InvalidRedisUrl::Node);
        }
        Ok(Self(url))
    }
}

fn parameters<'a>(url: &'a Url, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    url.query_pairs().filter(move |(key, _)| key == name).map(|(_, value)| value)
}

fn is_database(path: &str) -> bool {
    let number = path.strip_prefix('/').unwrap_or(path);
    number.is_empty() || number.parse::<u8>().is_ok()
}

fn is_node(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
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

    #[test]
    fn what_an_address_lacks_is_said() {
        use InvalidRedisUrl::{Database, Malformed, NoHost, NoServiceName, Node, Scheme, SeveralHosts};
        for (text, refusal) in [
            ("redis://h:99999", Malformed),
            ("redis-sentinel://h:1,i:2?sentinelServiceName=m", Malformed),
            ("localhost:6379", Scheme),
            ("redis://", NoHost),
            ("redis-sentinel://h,i:2?sentinelServiceName=m", SeveralHosts),
            ("redis-sentinel://h:26379", NoServiceName),
            ("rediss-sentinel://h:26379/mymaster", NoServiceName),
            ("redis-sentinel://h?sentinelServiceName=", NoServiceName),
            ("redis-sentinel://h/mymaster?sentinelServiceName=m", Database),
            ("redis://h/256", Database),
            ("redis://h/0/1", Database),
            ("redis-cluster://h?node=i", Node),
            ("redis-sentinel://h?sentinelServiceName=m&node=i:x", Node),
        ] {
            assert_eq!(text.parse::<RedisUrl>(), Err(refusal), "{text}");
        }
    }

    #[test]
    fn an_address_that_lacks_nothing_is_taken() {
        for text in [
            "redis://h",
            "redis://h/",
            "rediss://ann:p%20w@h:1/15",
            "redis-cluster://h:1?node=i:2&node=j:3",
            "redis-sentinel://h/1?node=i:2&sentinelServiceName=m&sentinelUsername=u&sentinelPassword=p",
        ] {
            assert!(text.parse::<RedisUrl>().is_ok(), "{text}");
        }
    }
}

//! The servers that tests run against: where they are, a database of one's own, and a way to take a server away.
//!
//! A test that needs a server fails without one; it never passes by being skipped.

mod databases;
mod own_cluster;
mod own_postgres;
pub(crate) mod own_process;
mod own_redis;
mod own_sentinels;
mod redis_command;
mod relay;
mod replicated;
mod sql;

use std::env;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use url::Url;

pub use databases::{PostgresDatabase, SqliteDatabase};
pub use own_cluster::OwnCluster;
pub use own_postgres::OwnPostgres;
pub use own_redis::OwnRedis;
pub use own_sentinels::OwnSentinels;
pub use redis_command::{redis_command, try_redis_command};
pub use relay::Relay;
pub use replicated::Replicated;
pub use sql::{execute_sql, query_texts};

/// Names the Redis server, as `redis://host:port`.
pub const REDIS_VARIABLE: &str = "TEST_REDIS_URL";
/// Names the PostgreSQL server, as `postgres://user@host:port/database`; its user may create databases.
pub const POSTGRES_VARIABLE: &str = "TEST_DATABASE_URL";

/// Much longer than servers need to find each other, or to agree on another primary.
const PATIENCE: Duration = Duration::from_secs(60);

/// The Redis server's URL.
///
/// # Panics
///
/// If `TEST_REDIS_URL` is unset.
#[must_use]
pub fn redis_url() -> String {
    required(REDIS_VARIABLE)
}

/// The PostgreSQL server's URL. Tests share that server, so each makes a [`PostgresDatabase`] on it.
///
/// # Panics
///
/// If `TEST_DATABASE_URL` is unset.
#[must_use]
pub fn postgres_server_url() -> String {
    required(POSTGRES_VARIABLE)
}

/// Waits until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not so after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn required(variable: &str) -> String {
    match env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!("{variable} is unset: run the tests with `cargo xtask test`, which finds or starts the stores"),
    }
}

/// The `host:port` of a store's URL, with its protocol's port where it names none.
///
/// # Panics
///
/// If this is no URL, has no host, or names a protocol whose port isn't known.
#[must_use]
pub fn server_address(url: &str) -> String {
    let parsed = parse(url);
    let host = parsed.host_str().unwrap_or_else(|| panic!("{url} has no host"));
    let port = parsed.port().or_else(|| default_port(parsed.scheme())).unwrap_or_else(|| panic!("{url} has no port"));
    format!("{host}:{port}")
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "redis" | "rediss" => Some(6379),
        "postgres" | "postgresql" => Some(5432),
        _ => None,
    }
}

/// The same URL, with a relay's host and port in place of the server's own.
///
/// # Panics
///
/// If this is no URL, or one without a host.
#[must_use]
pub fn through(url: &str, relay: SocketAddr) -> String {
    let mut relayed = parse(url);
    let replaced =
        relayed.set_host(Some(&relay.ip().to_string())).is_ok() && relayed.set_port(Some(relay.port())).is_ok();
    assert!(replaced, "{url} has no host");
    relayed.into()
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url:?} is no URL: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_address_has_its_protocols_port_where_the_url_names_none() {
        assert_eq!(server_address("redis://cache.test"), "cache.test:6379");
        assert_eq!(server_address("postgres://ann@db.test/markt"), "db.test:5432");
        assert_eq!(server_address("redis://:secret@127.0.0.1:7000/2"), "127.0.0.1:7000");
    }

    #[test]
    fn a_relayed_url_differs_in_host_and_port_only() {
        let relay = SocketAddr::from(([127, 0, 0, 1], 4321));

        assert_eq!(through("redis://:secret@cache.test/2", relay), "redis://:secret@127.0.0.1:4321/2");
        assert_eq!(
            through("postgres://ann:pw@db.test:5433/markt?sslmode=disable", relay),
            "postgres://ann:pw@127.0.0.1:4321/markt?sslmode=disable"
        );
    }

    #[test]
    #[should_panic(expected = "cargo xtask test")]
    fn an_unset_variable_says_how_to_run_the_tests() {
        let _ = required("TEST_VARIABLE_THAT_NOBODY_SETS");
    }
}

//! What a Redis is like, told to whoever is about to keep sessions in it. Nothing in it is changed.

mod worst;

use std::collections::BTreeMap;

use fred::error::Error;
use fred::interfaces::{ClientLike, TrackingInterface};
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, FromValue, Key, RespVersion};
use markt_domain::ports::clock::Clock;

use crate::connection::{ConnectOptions, Connection, for_a_look};
use crate::errors::{ConnectError, is_answer};
use crate::keys::{self, PREFIXES, SESSION_PREFIX};
use crate::place::Place;
use crate::record;
use crate::servers::Informants;
use crate::url::RedisUrl;

/// A name that follows a prefix in no key of the service's.
const NOBODY: &str = "doctor";

/// How many keys are gone through, at most, for such as can't be read: so many rounds of so many each.
const SCAN: (usize, usize) = (20, 500);

/// How many of the keys that stand under the service's prefixes are looked into.
const LOOKED_INTO: usize = 200;

/// The commands that the service sends, its scripts included. With a key that isn't there, or with a value that can't be
/// one, none of them changes anything; whether the user may send it, Redis says before it looks at either.
const COMMANDS: [(&str, &[&str]); 22] = [
    ("PING", &[]),
    ("TIME", &[]),
    ("EVALSHA", &["0000000000000000000000000000000000000000", "0"]),
    ("EVAL", &["return 1", "0"]),
    ("GET", &["session:doctor"]),
    ("SET", &["session:doctor", "0", "PX", "none"]),
    ("DEL", &["session:doctor"]),
    ("EXISTS", &["session:doctor"]),
    ("PEXPIRE", &["session:doctor", "1"]),
    ("PEXPIREAT", &["session:doctor", "1"]),
    ("HGET", &["session:doctor", "field"]),
    ("HMGET", &["session:doctor", "field"]),
    ("HSET", &["session:doctor", "field", "value", "odd"]),
    ("HINCRBY", &["session:doctor", "field", "none"]),
    ("ZADD", &["session:doctor", "none", "member"]),
    ("ZCARD", &["session:doctor"]),
    ("ZRANGE", &["session:doctor", "0", "0"]),
    ("ZREVRANGE", &["session:doctor", "0", "0"]),
    ("ZREM", &["session:doctor", "member"]),
    ("ZREMRANGEBYSCORE", &["session:doctor", "0", "0"]),
    ("CLIENT", &["ID"]),
    ("CLIENT", &["TRACKING", "OFF"]),
];

/// What a Redis says of itself, and what it lets its user do. What it doesn't tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisFacts {
    /// `7.0.15`
    pub version: Option<String>,
    /// Whether it speaks RESP3, the protocol that the service speaks.
    pub speaks_resp3: bool,
    /// Why it doesn't tell a connection of changes, if it doesn't.
    pub tracking_refused: Option<String>,
    /// Whether it copies another one, and so takes no writes.
    pub is_replica: Option<bool>,
    /// The memory that it may use, in bytes; 0 is no bound.
    pub max_memory: Option<u64>,
    /// The memory that it uses, in bytes.
    pub used_memory: Option<u64>,
    /// `noeviction`
    pub eviction_policy: Option<String>,
    /// How many keys it has evicted since it started.
    pub evicted_keys: Option<u64>,
    /// Whether it keeps an append-only file.
    pub appends: Option<bool>,
    /// `everysec`
    pub append_sync: Option<String>,
    /// Whether it writes snapshots by itself.
    pub snapshots: Option<bool>,
    /// Whether what it wrote last to the disk failed.
    pub writing_failed: bool,
    /// How much its clock is ahead of ours, in milliseconds.
    pub clock_ahead: Option<i64>,
    /// The commands that the service sends and the user may not: `CLIENT TRACKING`.
    pub forbidden_commands: Vec<String>,
    /// The prefixes of keys that the user may not read or write.
    pub forbidden_prefixes: Vec<String>,
    /// How many keys there are in its databases other than ours: `db1`, 5.
    pub other_databases: Vec<(String, u64)>,
    /// How many keys under the service's prefixes were looked into, and how many of them aren't the service's.
    pub looked_into: (usize, usize),
}

impl RedisFacts {
    /// Looks at the Redis at this address: of a cluster, at each of its primaries, of which the worst counts. What takes long is bounded by the options; what hangs altogether, by nobody.
    ///
    /// # Errors
    /// If Redis can't be reached, or refuses us, or isn't one: says where and why, and holds no password.
    pub async fn gather(url: &RedisUrl, options: ConnectOptions, clock: &dyn Clock) -> Result<Self, ConnectError> {
        let place = Place::new(url)?;
        let informants = Informants::new(place.clone(), options);
        let seen = informants.ask([]).await.map_err(|error| ConnectError::of(url, error))?;
        informants.close().await;
        let mut all: Option<Self> = None;
        for seen in seen {
            let facts = Self::of_server(&place, place.config(&seen.server), options, clock).await?;
            all = Some(match all {
                None => facts,
                Some(others) => worst::of(others, facts),
            });
        }
        Ok(all.unwrap_or_default())
    }

    async fn of_server(
        place: &Place,
        config: Config,
        options: ConnectOptions,
        clock: &dyn Clock,
    ) -> Result<Self, ConnectError> {
        let (connection, speaks_resp3) = open(place.url(), config, options).await?;
        let info: String = ask(&connection, "INFO", &["everything"]).await.unwrap_or_default();
        let mut facts = Self { speaks_resp3, ..Self::from_info(&info, place.url().database()) };
        facts.append_sync = setting(&connection, "appendfsync").await;
        facts.snapshots = setting(&connection, "save").await.map(|save| !save.is_empty());
        facts.clock_ahead = clock_ahead(&connection, clock).await;
        facts.forbidden_commands = forbidden_commands(&connection).await;
        facts.forbidden_prefixes = forbidden_prefixes(&connection).await;
        facts.looked_into = look_into_keys(&connection).await;
        // The last, since all that is read from here on is kept track of.
        let tracking = connection.start_tracking(Vec::<String>::new(), false, false, false, true).await;
        facts.tracking_refused = tracking.err().map(|error| error.details().to_owned());
        // What was to be learned was learned.
        let _ = connection.quit().await;
        Ok(facts)
    }

    fn from_info(info: &str, database: u8) -> Self {
        let lines: BTreeMap<&str, &str> = info.lines().filter_map(|line| line.split_once(':')).collect();
        let text = |name: &str| lines.get(name).map(|text| (*text).to_owned());
        let number = |name: &str| lines.get(name).and_then(|text| text.parse().ok());
        let failed = |name: &str| lines.get(name) == Some(&"err");
        let keys_of = |(name, text): (&&str, &&str)| {
            name.strip_prefix("db").and_then(|digits| digits.parse::<u8>().ok()).filter(|other| *other != database)?;
            let keys = text.strip_prefix("keys=")?.split(',').next()?.parse().ok()?;
            Some(((*name).to_owned(), keys))
        };
        Self {
            version: text("redis_version"),
            is_replica: text("role").map(|role| role == "slave"),
            max_memory: number("maxmemory"),
            used_memory: number("used_memory"),
            eviction_policy: text("maxmemory_policy"),
            evicted_keys: number("evicted_keys"),
            appends: text("aof_enabled").map(|enabled| enabled == "1"),
            writing_failed: failed("rdb_last_bgsave_status") || failed("aof_last_write_status"),
            other_databases: lines.iter().filter_map(keys_of).collect(),
            ..Self::default()
        }
    }
}

/// Opens a connection, by the older protocol if need be.
async fn open(url: &RedisUrl, config: Config, options: ConnectOptions) -> Result<(Connection, bool), ConnectError> {
    let error = match for_a_look(config.clone(), options, RespVersion::RESP3).await {
        Ok(connection) => return Ok((connection, true)),
        Err(error) => ConnectError::of(url, error),
    };
    match &error {
        ConnectError::Unreachable { source, .. } if is_answer(source) => {}
        _ => return Err(error),
    }
    match for_a_look(config, options, RespVersion::RESP2).await {
        Ok(connection) => Ok((connection, false)),
        Err(_) => Err(error),
    }
}

async fn ask<T: FromValue>(connection: &Connection, command: &'static str, arguments: &[&str]) -> Result<T, Error> {
    let command = CustomCommand::new_static(command, ClusterHash::FirstKey, false);
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    connection.custom(command, arguments).await
}

/// A setting, if Redis tells it: those of providers often don't.
async fn setting(connection: &Connection, name: &str) -> Option<String> {
    let found: BTreeMap<String, String> = ask(connection, "CONFIG", &["GET", name]).await.ok()?;
    found.get(name).cloned()
}

async fn clock_ahead(connection: &Connection, clock: &dyn Clock) -> Option<i64> {
    let before = clock.now().unix_milliseconds();
    let (seconds, microseconds): (String, String) = ask(connection, "TIME", &[]).await.ok()?;
    let after = clock.now().unix_milliseconds();
    let theirs = seconds.parse::<i64>().ok()? * 1000 + microseconds.parse::<i64>().ok()? / 1000;
    Some(theirs - before.midpoint(after))
}

async fn forbidden_commands(connection: &Connection) -> Vec<String> {
    let mut forbidden = Vec::new();
    for (command, arguments) in COMMANDS {
        let answer: Result<fred::types::Value, Error> = ask(connection, command, arguments).await;
        if answer.is_err_and(|error| is_forbidden(&error) && error.details().contains(" run the ")) {
            let subcommand = if command == "CLIENT" { arguments.first() } else { None };
            forbidden.push([command].into_iter().chain(subcommand.copied()).collect::<Vec<_>>().join(" "));
        }
    }
    forbidden
}

async fn forbidden_prefixes(connection: &Connection) -> Vec<String> {
    let mut forbidden = Vec::new();
    for (prefix, _) in PREFIXES {
        let key = format!("{prefix}{NOBODY}");
        for command in ["EXISTS", "DEL"] {
            let answer: Result<i64, Error> = ask(connection, command, &[&key]).await;
            let is_of_the_key = |error: &Error| is_forbidden(error) && !error.details().contains(" run the ");
            if answer.is_err_and(|error| is_of_the_key(&error)) {
                forbidden.push(prefix.to_owned());
                break;
            }
        }
    }
    forbidden
}

fn is_forbidden(error: &Error) -> bool {
    error.details().starts_with("NOPERM")
}

/// How many keys under the service's prefixes were looked into, and how many of them another application wrote.
async fn look_into_keys(connection: &Connection) -> (usize, usize) {
    let (mut looked_into, mut foreign) = (0, 0);
    let (rounds, count) = SCAN;
    let mut cursor = "0".to_owned();
    for _ in 0..rounds {
        let arguments = [cursor.as_str(), "COUNT", &count.to_string()];
        let Ok((next, keys)) = ask::<(String, Vec<Key>)>(connection, "SCAN", &arguments).await else { break };
        for key in keys.iter().filter_map(Key::as_str) {
            let Some((prefix, kind)) = PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix)) else { continue };
            looked_into += 1;
            foreign += usize::from(!is_ours(connection, key, prefix, kind).await);
            if looked_into == LOOKED_INTO {
                return (looked_into, foreign);
            }
        }
        cursor = next;
        if cursor == "0" {
            break;
        }
    }
    (looked_into, foreign)
}

/// Whether what stands under this key can be read. What can't be told, or is gone meanwhile, counts as ours.
async fn is_ours(connection: &Connection, key: &str, prefix: &str, kind: &str) -> bool {
    let found: Result<String, Error> = ask(connection, "TYPE", &[key]).await;
    let is_of_the_kind = found.is_ok_and(|found| found == kind || found == "none");
    if prefix != SESSION_PREFIX || !is_of_the_kind {
        return is_of_the_kind;
    }
    let Some(id) = keys::session_id(key) else { return false };
    let json: Result<Option<Vec<u8>>, Error> = ask(connection, "GET", &[key]).await;
    json.ok().flatten().is_none_or(|json| record::parse(&id, &json).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_says_of_itself_is_read_and_what_it_does_not_say_is_not_known() {
        let info = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\nrole:slave\r\n\
                    aof_enabled:1\r\nrdb_last_bgsave_status:err\r\nevicted_keys:3\r\n# Keyspace\r\n\
                    db0:keys=7,expires=1,avg_ttl=0\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n";
        let facts = RedisFacts::from_info(info, 0);
        assert_eq!(facts.version.as_deref(), Some("7.0.15"));
        assert_eq!((facts.max_memory, facts.eviction_policy.as_deref()), (Some(0), Some("allkeys-lru")));
        assert_eq!((facts.is_replica, facts.appends, facts.writing_failed), (Some(true), Some(true), true));
        assert_eq!((facts.evicted_keys, facts.used_memory), (Some(3), None));
        assert_eq!(facts.other_databases, [("db3".to_owned(), 2)]);
        assert_eq!(RedisFacts::from_info("", 0), RedisFacts::default());
    }
}

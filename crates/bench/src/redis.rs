//! A Redis of the benchmark's own, whose counters nobody else disturbs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fred::clients::{Client, Pool, WithOptions};
use fred::interfaces::ClientLike as _;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, TcpConfig, UnresponsiveConfig,
};
use fred::types::{ClusterHash, CustomCommand, RespVersion};
use socket2::TcpKeepalive;

use crate::cli::Error;
use crate::process::{Process, free_port};

/// The connections and the limits of the service's own pool: `crates/redis/src/connection.rs`.
const CONNECTIONS: usize = 4;
const COMMAND_LIMIT: Duration = Duration::from_secs(1);

/// A `redis-server` on a free loopback port, with nothing in it and nothing on disk.
pub(crate) struct Redis {
    // Held for its end.
    _process: Process,
    client: Client,
    url: String,
}

/// How often each command was carried out.
pub(crate) type Counts = BTreeMap<String, u64>;

impl Redis {
    pub(crate) async fn start(name: &str, folder: &Path) -> Result<Self, Error> {
        Self::start_with(name, folder, &[]).await
    }

    /// The same, with these arguments besides.
    pub(crate) async fn start_with(name: &str, folder: &Path, more: &[&str]) -> Result<Self, Error> {
        let program = on_path("redis-server").ok_or("redis-server is not on PATH: install it")?;
        let port = free_port()?;
        let text = port.to_string();
        let arguments = [&["--port", &text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], more].concat();
        let mut process = Process::start(name, folder, program.as_os_str(), &arguments, &[])?;
        process.listening(port).await?;
        let url = format!("redis://127.0.0.1:{port}");
        let client = Client::new(Config::from_url(&url)?, None, None, None);
        client.init().await?;
        Ok(Self { _process: process, client, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The commands carried out so far, those within scripts included, and but for the asking.
    pub(crate) async fn counts(&self) -> Result<Counts, Error> {
        let mut counts = counts(&self.info("commandstats").await?);
        counts.remove("info");
        Ok(counts)
    }

    /// The memory that holds what is stored, in bytes, as Redis counts it.
    pub(crate) async fn used_memory(&self) -> Result<u64, Error> {
        let info = self.info("memory").await?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.parse().ok());
        Ok(used.ok_or("INFO memory has an unknown shape")?)
    }

    async fn info(&self, section: &'static str) -> Result<String, Error> {
        Ok(self.client.custom(CustomCommand::new_static("INFO", ClusterHash::Random, false), vec![section]).await?)
    }
}

/// What was added to these counts, without what wasn't.
pub(crate) fn added(before: &Counts, after: &Counts) -> Counts {
    let added = after.iter().map(|(name, count)| (name.clone(), count - before.get(name).copied().unwrap_or(0)));
    added.filter(|&(_, count)| count > 0).collect()
}

/// Reads lines such as `cmdstat_get:calls=3,usec=8,…`.
fn counts(info: &str) -> Counts {
    let count = |line: &str| {
        let (name, numbers) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), numbers.split(',').next()?.parse().ok()?))
    };
    info.lines().filter_map(count).collect()
}

/// A pool with the connections, the limits and the socket options that the service's own has.
pub(crate) async fn service_like_pool(url: &str) -> Result<Pool, Error> {
    let config = Config { version: RespVersion::RESP3, fail_fast: true, ..Config::from_url(url)? };
    let performance = PerformanceConfig { default_command_timeout: COMMAND_LIMIT, ..PerformanceConfig::default() };
    let patience = COMMAND_LIMIT * 2;
    let connection = ConnectionConfig {
        connection_timeout: patience,
        internal_command_timeout: patience,
        max_command_attempts: 1,
        max_command_buffer_len: 0,
        unresponsive: UnresponsiveConfig { max_timeout: Some(patience), interval: patience / 4 },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(
                TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5)),
            ),
            user_timeout: Some(patience),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let reconnect = ReconnectPolicy::new_exponential(0, 20, 500, 2);
    let pool = Pool::new(config, Some(performance), Some(connection), Some(reconnect), CONNECTIONS)?;
    pool.init().await?;
    Ok(pool)
}

/// The pool's connection whose turn it is, with the options that the service gives each command.
pub(crate) fn next(pool: &Pool) -> WithOptions<Client> {
    let options =
        Options { max_attempts: Some(1), timeout: Some(COMMAND_LIMIT), fail_fast: true, ..Options::default() };
    pool.next_connected().with_options(&options)
}

/// The program of this name that a shell would run.
pub(crate) fn on_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let name = name.as_ref();
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_counts() {
        let before =
            counts("# Commandstats\r\ncmdstat_get:calls=3,usec=8\r\ncmdstat_config|resetstat:calls=1,usec=2\r\n");
        let after =
            counts("cmdstat_get:calls=5,usec=9\r\ncmdstat_set:calls=1,usec=2\r\ncmdstat_config|resetstat:calls=1");

        assert_eq!(added(&before, &after), Counts::from([("get".into(), 2), ("set".into(), 1)]));
    }
}

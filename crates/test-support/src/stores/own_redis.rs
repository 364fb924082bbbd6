//! A Redis of a test's own, to be counted on or maltreated.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::own_process::OwnProcess;
use super::redis_command::redis_command;
use super::until;
use crate::programs::free_port;

/// An empty `redis-server` on a free port, which dies with this value.
pub struct OwnRedis {
    // Before the folder: it is dropped first.
    process: OwnProcess,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl OwnRedis {
    /// Starts one, and waits until it takes connections.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts it with these arguments besides.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let port = free_port().unwrap();
        let folder = TempDir::new().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = launch(port, &arguments, &folder);
        let redis = Self { process, port, arguments, folder };
        redis.wait().await;
        redis
    }

    /// Starts a Sentinel with this configuration, whose `port` is added to it.
    pub async fn start_sentinel(configuration: &str) -> Self {
        let port = free_port().unwrap();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{configuration}")).unwrap();
        let process = OwnProcess::start(folder.path(), None, &["redis-server", "sentinel.conf", "--sentinel"]);
        let redis = Self { process, port, arguments: Vec::new(), folder };
        redis.wait().await;
        redis
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops it as it is, as if the machine had no time for it: see [`thaw`](Self::thaw).
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// Shuts it down in order.
    pub fn stop(&mut self) {
        self.process.end("TERM");
    }

    /// Kills it, as `kill -9` does: what was in it is lost, unless its arguments say otherwise.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on its port, after it was stopped or killed.
    pub async fn restart(&mut self) {
        self.process = launch(self.port, &self.arguments, &self.folder);
        self.wait().await;
    }

    async fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server didn't start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn launch(port: u16, arguments: &[String], folder: &TempDir) -> OwnProcess {
    let port = port.to_string();
    let mut all = vec!["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", "."];
    all.extend(arguments.iter().map(String::as_str));
    OwnProcess::start(folder.path(), None, &all)
}

/// Waits until the replica of this primary has all that was written so far.
pub(super) async fn wait_until_replicated(primary: &str) {
    let offset = async |name: &str| {
        let replication = redis_command(primary, &["INFO", "replication"]).await;
        let numbers =
            replication.split(['\r', '\n', ',']).find_map(|part| part.strip_prefix(name)?.parse::<u64>().ok());
        numbers.unwrap_or_default()
    };
    let written = offset("master_repl_offset:").await;
    until("the replica has all", async || offset("offset=").await >= written).await;
}

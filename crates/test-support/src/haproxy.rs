//! A haproxy of a test's own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::programs::on_path;
use crate::stores::own_process::OwnProcess;

/// Much more than haproxy needs for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running haproxy, which dies with this value.
pub struct Haproxy {
    /// Ends with this.
    _process: OwnProcess,
    folder: TempDir,
}

/// What haproxy knows of one of its servers.
#[derive(Debug)]
pub struct Backend {
    /// The server's name.
    pub name: String,
    /// Whether it gets requests.
    pub up: bool,
    /// How many connections to it began, or were used again.
    pub sessions: u64,
}

impl Haproxy {
    /// Starts one with the configuration that `configuration` makes of the path of its socket; waits until it runs.
    pub async fn start(configuration: impl FnOnce(&str) -> String) -> Self {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("admin.sock");
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration(&socket.display().to_string())).unwrap();
        let program = on_path("haproxy").expect("with-stores sees to it that haproxy is installed");
        let command = [program.as_os_str(), "-db".as_ref(), "-f".as_ref(), file.as_os_str()];
        let haproxy = Self { _process: OwnProcess::start(folder.path(), None, &command), folder };
        haproxy.wait("it runs", |_| true).await;
        haproxy
    }

    /// Waits until this server gets requests.
    pub async fn wait_until_up(&self, name: &str) {
        self.wait("a server is up", |backends| backends.iter().any(|backend| backend.name == name && backend.up)).await;
    }

    /// All servers.
    pub async fn backends(&self) -> Vec<Backend> {
        self.wait("it answers", |_| true).await
    }

    async fn wait(&self, what: &str, is_so: impl Fn(&[Backend]) -> bool) -> Vec<Backend> {
        let started = Instant::now();
        loop {
            let backends = self.ask().await.unwrap_or_default();
            if !backends.is_empty() && is_so(&backends) {
                return backends;
            }
            assert!(started.elapsed() < PATIENCE, "haproxy: not so after {PATIENCE:?}: {what}: {backends:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ask(&self) -> std::io::Result<Vec<Backend>> {
        let mut stream = UnixStream::connect(self.socket()).await?;
        stream.write_all(b"show stat\n").await?;
        let mut table = String::new();
        stream.read_to_string(&mut table).await?;
        Ok(servers(&table))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }
}

/// The servers in a table with commas, whose first line has the columns' names.
fn servers(table: &str) -> Vec<Backend> {
    let mut rows = table.trim_start_matches("# ").lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column = |name| header.iter().position(|column| *column == name);
    let [Some(name), Some(status), Some(sessions)] = ["svname", "status", "stot"].map(column) else {
        return Vec::new();
    };
    rows.filter(|row| row.len() > status && !matches!(row[name], "FRONTEND" | "BACKEND"))
        .map(|row| Backend {
            name: row[name].to_owned(),
            up: row[status] == "UP",
            sessions: row[sessions].parse().unwrap_or_default(),
        })
        .collect()
}

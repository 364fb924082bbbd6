//! A Redis of a test's own, to be counted on or maltreated.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Runs a program that is killed when standard input ends: with the test, however that ends.
const WATCHDOG: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
cat <&3 >/dev/null
kill -s KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
"#;

/// An empty `redis-server` on a free port, which dies with this value.
pub struct OwnRedis {
    process: Child,
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
        let port = free_port();
        let folder = TempDir::new().unwrap();
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let process = launch(port, &arguments, &folder);
        let redis = Self { process, port, arguments, folder };
        redis.wait().await;
        redis
    }

    /// Starts a Sentinel with this configuration, whose `port` is added to it.
    pub async fn start_sentinel(configuration: &str) -> Self {
        let port = free_port();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, format!("port {port}\nbind 127.0.0.1\n{configuration}")).unwrap();
        let process = watched(&[&file.display().to_string(), "--sentinel"]);
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

    /// Kills it: what was in it is lost.
    pub fn kill(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }

    /// Starts it again on its port, after it was killed.
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

impl Drop for OwnRedis {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn launch(port: u16, arguments: &[String], folder: &TempDir) -> Child {
    let (port, folder) = (port.to_string(), folder.path().display().to_string());
    let mut all = vec!["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", &folder];
    all.extend(arguments.iter().map(String::as_str));
    watched(&all)
}

fn watched(arguments: &[&str]) -> Child {
    Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog", "redis-server"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is a shell")
}

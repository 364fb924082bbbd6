//! The binary as a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::setup::Setup;

/// Much more than a server needs to start, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with these arguments, configured as the setup says and by nothing else.
pub fn command(setup: &Setup, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_markt-auth"));
    let variables = setup.variables().iter().map(|(name, value)| (name, value));
    command.args(arguments).env_clear().envs(variables).current_dir(setup.folder()).stdin(Stdio::null());
    command
}

/// Runs a command of the binary to its end. The server under test goes on meanwhile.
pub async fn run(setup: &Setup, arguments: &[&str]) -> Output {
    let mut command = command(setup, arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The same, with this on its standard input.
pub async fn run_with_input(setup: &Setup, arguments: &[&str], input: &str) -> Output {
    let mut command = command(setup, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let run = move || {
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Runs a command whose standard output nobody reads any more, as after `| head`.
pub async fn run_unread(setup: &Setup, arguments: &[&str]) -> Output {
    let mut command = command(setup, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = move || {
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// What a command that succeeded wrote to standard output.
pub async fn said(setup: &Setup, arguments: &[&str]) -> String {
    let output = run(setup, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same, read as JSON.
pub async fn said_json(setup: &Setup, arguments: &[&str]) -> Value {
    let text = said(setup, arguments).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Makes sure that a command failed with this code, and said why, on standard error alone.
#[track_caller]
pub fn assert_failed(output: &Output, code: i32, words: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
}

/// A command that goes on saying something. It is killed when this is dropped.
pub struct Following {
    child: Child,
    lines: Option<Receiver<String>>,
}

impl Following {
    pub fn start(setup: &Setup, arguments: &[&str]) -> Self {
        let mut child = command(setup, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, said) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines: Some(said) }
    }

    /// The next line that it says. The server under test goes on meanwhile.
    pub async fn next_line(&mut self) -> String {
        let lines = self.lines.take().unwrap();
        let (lines, line) = tokio::task::spawn_blocking(move || {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            (lines, line)
        })
        .await
        .unwrap();
        self.lines = Some(lines);
        line
    }

    /// The same, once it has said such a line.
    pub async fn until(mut self, is_meant: impl Fn(&str) -> bool) -> Self {
        while !is_meant(&self.next_line().await) {}
        self
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It goes on until then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server in a process of its own.
pub struct Process {
    pub url: String,
    pub admin_url: String,
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Starts a server that logs in JSON, and waits until it serves.
    pub fn serve(setup: &Setup) -> Self {
        let mut command = command(setup, &["serve"]);
        command.env("MARKT_TELEMETRY__LOG_FORMAT", "json");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Self { url: String::new(), admin_url: String::new(), child, log, seen: Vec::new() };
        let event = process.wait_for("serving");
        let url = |field: &str| format!("http://{}", event[field].as_str().unwrap());
        (process.url, process.admin_url) = (url("address"), url("admin_address"));
        process
    }

    /// What the system knows it by.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of the log with this message.
    pub fn wait_for(&mut self, message: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error} before {message}: {:?}", self.seen));
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            self.seen.push(line);
            if event["message"] == message {
                return event;
            }
        }
    }

    /// Tells the server to end.
    pub fn tell_to_end(&self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Waits until the server has ended well, and returns all that it logged.
    pub fn wait_for_end(mut self) -> String {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
            assert!(started.elapsed() < PATIENCE, "it goes on");
        };
        let mut log = std::mem::take(&mut self.seen);
        log.extend(self.log.iter());
        assert!(status.success(), "{status}: {log:?}");
        log.join("\n")
    }

    /// Tells the server to end, waits until it has, and returns all that it logged.
    pub fn terminate(self) -> String {
        self.tell_to_end();
        self.wait_for_end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Has ended by itself, if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A process of the service, with the demo's accounts, in a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Ends the service (`$@`) once standard input is closed, which it is however the test ends.
const WATCHED: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
service=$!
echo "{\"id\":$service}"
cat <&3 >/dev/null
kill -s CONT "$service"
kill -s KILL "$service"
wait "$service"
"#;

pub(crate) struct Service {
    watchdog: Child,
    id: u64,
    pub(crate) url: String,
    _folder: TempDir,
}

impl Service {
    /// Starts it with these variables, and waits until it serves.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED, "watchdog"]).arg(program()).args(["serve", "--demo"]).current_dir(folder.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("MARKT_BIND", "127.0.0.1:0").env("MARKT_ADMIN_BIND", "127.0.0.1:0");
        command.env("MARKT_TELEMETRY__LOG_FORMAT", "json").envs(variables.iter().copied());
        let mut watchdog = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell can be run");
        let mut said = String::new();
        let mut output = BufReader::new(watchdog.stdout.take().expect("it has a standard output"));
        output.read_line(&mut said).expect("the watchdog says which process it is");
        let id = serde_json::from_str::<Value>(&said).expect("in JSON")["id"].as_u64().expect("by its number");
        // What the demo says on standard output is nobody's concern, but must go somewhere.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let mut log = BufReader::new(watchdog.stderr.take().expect("it has a standard error")).lines();
        let address = log.by_ref().map_while(Result::ok).find_map(|line| {
            let event: Value = serde_json::from_str(&line).ok()?;
            (event["message"] == "serving").then(|| event["address"].as_str().map(str::to_owned)).flatten()
        });
        let url = format!("http://{}", address.expect("it serves"));
        std::thread::spawn(move || log.for_each(drop));
        Self { watchdog, id, url, _folder: folder }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name} can't be sent");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The service's program: where `MARKT_AUTH` says, or as the last debug build left it.
fn program() -> PathBuf {
    let built = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/markt-auth"));
    let program = std::env::var_os("MARKT_AUTH").map_or_else(built, PathBuf::from);
    assert!(program.is_file(), "{} isn't there: run `cargo build --package markt-auth` before", program.display());
    program
}

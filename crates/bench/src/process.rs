//! Servers in processes of their own: started, watched, and measured through /proc.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::cli::Error;
use crate::tied;

/// How long a server may take until it serves: migrations and a busy machine included.
const START_LIMIT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(20);

/// How much of the log of a server that failed is shown.
const SHOWN_LINES: usize = 20;

/// A server that is killed when this value goes, or this program.
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    id: u32,
}

impl Process {
    /// Starts a program with these variables and no others, which logs into a file in this folder.
    pub(crate) fn start(
        name: impl Into<String>,
        folder: &Path,
        program: &OsStr,
        arguments: &[impl AsRef<OsStr>],
        variables: &[(&str, String)],
    ) -> Result<Self, Error> {
        let name = name.into();
        let log = folder.join(format!("{}.log", name.replace(' ', "-")));
        let file = File::create(&log)?;
        let mut command = Command::from(tied::command(program)?);
        command.args(arguments).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
        let child = command.spawn().map_err(|error| format!("{name} can't be started: {error}"))?;
        let id = child.id().ok_or("a process that has just been started has no id")?;
        Ok(Self { name, log, child, id })
    }

    /// Waits until it says that it serves: a line of JSON with this message.
    pub(crate) async fn serving(&mut self) -> Result<Value, Error> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let events = self.read_log();
            let mut events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(event) = events.find(|event| event["message"] == "serving") {
                return Ok(event);
            }
            self.check()?;
            if Instant::now() > deadline {
                return Err(self.failed(&format!("didn't serve within {START_LIMIT:?}")));
            }
            sleep(START_POLL).await;
        }
    }

    /// Waits until it takes connections on this port.
    pub(crate) async fn listening(&mut self, port: u16) -> Result<(), Error> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            self.check()?;
            if Instant::now() > deadline {
                return Err(self.failed(&format!("takes no connection after {START_LIMIT:?}")));
            }
            sleep(START_POLL).await;
        }
        Ok(())
    }

    /// Fails if it has ended: servers run until they are killed.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("has ended ({status})"))),
        }
    }

    /// An error that says what it did last.
    pub(crate) fn failed(&self, what: &str) -> Error {
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        format!("{} {what}. The end of its log:\n{last}", self.name).into()
    }

    /// The CPU time that it has used, in user and kernel mode, to 10 ms.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Error> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        let ticks = cpu_ticks(&stat).ok_or("/proc/PID/stat has an unknown shape")?;
        Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
    }

    /// The memory that it holds now, in bytes.
    pub(crate) fn resident_memory(&self) -> Result<u64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kib.ok_or("/proc/PID/status has an unknown shape")? * 1024)
    }

    fn read_log(&self) -> String {
        std::fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// utime and stime, the 14th and the 15th field. The 2nd is the program's name in brackets, whatever that contains.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11).map(|field| field.parse::<u64>().ok());
    Some(times.next()?? + times.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_what_the_kernel_counted_in_both_modes() {
        let stat = "41 (a) b) S 1 41 41 0 -1 4194560 1200 0 0 0 250 31 7 9 20 0 3 0 100 1 2 3";

        assert_eq!(cpu_ticks(stat), Some(281));
        assert_eq!(cpu_ticks("41 (a"), None);
    }
}

//! Load by wrk: closed loops over a few connections that stay open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::cli::Error;
use crate::http::BROWSER;
use crate::population::Member;
use crate::redis::on_path;
use crate::service::Server;
use crate::{statistics, tied};

/// Enough to keep the server's cores busy, while wrk itself needs one thread.
pub(crate) const CONNECTIONS: u32 = 32;

/// Some 750 requests a second, with the pause between them.
const STEADY_CONNECTIONS: u32 = 8;

/// wrk, and the scripts that tell it what to send.
pub(crate) struct Wrk {
    program: PathBuf,
    folder: PathBuf,
}

/// Who the clients are.
#[derive(Clone)]
pub(crate) enum Clients {
    /// All the same one, with this header.
    One(String),
    /// The members whose cookies are in this file, in turn.
    Many(PathBuf),
}

/// How soon a client asks again.
#[derive(Clone, Copy)]
enum Pace {
    /// As soon as it is answered.
    Fast,
    /// Some milliseconds later.
    Steady,
}

impl Pace {
    fn connections(self) -> u32 {
        match self {
            Self::Fast => CONNECTIONS,
            Self::Steady => STEADY_CONNECTIONS,
        }
    }

    fn script(self, clients: &str) -> String {
        match self {
            Self::Fast => format!("{clients}.lua"),
            Self::Steady => format!("steady-{clients}.lua"),
        }
    }
}

/// What came of a load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    /// The 50th, the 95th and the 99th percentile, in microseconds.
    pub(crate) latencies: [f64; 3],
}

#[derive(Deserialize)]
struct Line {
    report: Report,
}

#[derive(Deserialize)]
struct Report {
    requests: u64,
    microseconds: u64,
    refused: u64,
    broken: u64,
    latencies: [f64; 3],
}

impl Wrk {
    pub(crate) fn new(folder: &Path) -> Result<Self, Error> {
        let program = on_path("wrk").ok_or("wrk is not on PATH: install it")?;
        let (report, cookies) = (include_str!("wrk/report.lua"), include_str!("wrk/cookies.lua"));
        for (pace, script) in [(Pace::Fast, ""), (Pace::Steady, include_str!("wrk/steady.lua"))] {
            fs::write(folder.join(pace.script("one")), format!("{report}\n{script}"))?;
            fs::write(folder.join(pace.script("many")), format!("{report}\n{script}\n{cookies}"))?;
        }
        Ok(Self { program, folder: folder.to_owned() })
    }

    /// The first `count` members, in turn.
    pub(crate) fn members(&self, count: u32) -> Result<Clients, Error> {
        let file = self.folder.join(format!("{count}.cookies"));
        let cookies: Vec<_> = (0..count).map(|index| Member(index).cookie()).collect();
        fs::write(&file, cookies.join("\n") + "\n")?;
        Ok(Clients::Many(file))
    }

    /// Asks a server for profiles, for so many seconds.
    ///
    /// # Errors
    /// If the server ends, or gives another answer.
    pub(crate) async fn load(&self, server: &mut Server, clients: &Clients, seconds: u32) -> Result<Load, Error> {
        self.load_at(Pace::Fast, server, clients, seconds).await
    }

    /// The same at a steady pace, which leaves the server room: what its answers then take isn't for those before them.
    ///
    /// # Errors
    /// As those of [`Wrk::load`].
    pub(crate) async fn steady_load(
        &self,
        server: &mut Server,
        clients: &Clients,
        seconds: u32,
    ) -> Result<Load, Error> {
        self.load_at(Pace::Steady, server, clients, seconds).await
    }

    async fn load_at(&self, pace: Pace, server: &mut Server, clients: &Clients, seconds: u32) -> Result<Load, Error> {
        let mut command = Command::from(tied::command(self.program.as_os_str())?);
        command.args(["--threads", "1", "--connections", &pace.connections().to_string()]);
        command.args(["--duration", &format!("{seconds}s"), "--header", &format!("User-Agent: {BROWSER}")]);
        let script = match clients {
            Clients::One(header) => {
                command.args(["--header", header]);
                pace.script("one")
            }
            Clients::Many(_) => pace.script("many"),
        };
        let url = format!("http://{}{}", server.address, server.path);
        command.arg("--script").arg(self.folder.join(script)).arg(url);
        if let Clients::Many(file) = clients {
            command.arg("--").arg(file);
        }
        let output = command.kill_on_drop(true).output().await?;
        server.process.check()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find_map(|line| serde_json::from_str::<Line>(line).ok());
        let Some(Line { report }) = line else {
            return Err(format!("wrk reports nothing: {text}{}", String::from_utf8_lossy(&output.stderr)).into());
        };
        if report.refused + report.broken > 0 || report.requests == 0 {
            let Report { requests, refused, broken, .. } = report;
            let what = format!("refused {refused} and broke {broken} of {requests} requests");
            return Err(server.process.failed(&what));
        }
        let requests = statistics::count(report.requests);
        let elapsed = Duration::from_micros(report.microseconds);
        Ok(Load { requests, per_second: requests / elapsed.as_secs_f64(), latencies: report.latencies })
    }
}

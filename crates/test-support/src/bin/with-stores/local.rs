//! The third way: this machine's own programs, each on a free port and in a temporary folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use markt_test_support::programs::{self, User};
use tokio::time::{Instant, sleep};

use crate::provide::{Provided, Store};
use crate::watchdog::WatchedServer;
use crate::{Error, postgres, redis};

/// How long a server may take until it answers. PostgreSQL makes its cluster in that time too.
const START_LIMIT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(50);

/// How often another program may take the port between our finding it free and the server's binding it.
const LOST_PORTS: u32 = 5;

/// A server's program, and what it calls its version.
pub(crate) struct Program {
    path: PathBuf,
    version: String,
}

impl Program {
    /// None for one that doesn't run.
    pub(crate) fn new(path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--version").output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "Redis server v=7.0.15 sha=…", "postgres (PostgreSQL) 15.18 (Debian …)"
        let words = text.split_whitespace().map(|word| word.trim_start_matches("v="));
        let version = words.into_iter().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?.to_owned();
        Some(Self { path, version })
    }
}

/// Starts the store with this machine's program, if it has one.
pub(crate) async fn provide(store: Store) -> Result<Option<Provided>, Error> {
    let Some(program) = program(store) else { return Ok(None) };
    for _ in 0..LOST_PORTS {
        let port = programs::free_port()?;
        if let Some(server) = start(store, &program, port).await? {
            let (path, version) = (program.path.display(), &program.version);
            store.say(&format!("{} {version} at {path}, started on 127.0.0.1:{port}", program_name(&program.path)));
            return Ok(Some(Provided { url: url(store, port), _watchdog: Some(server.into_watchdog()) }));
        }
    }
    Err(format!("{}: other programs took {LOST_PORTS} ports that were free just before", store.name()).into())
}

/// Whether this machine has the store's program.
pub(crate) fn has_program(store: Store) -> bool {
    program(store).is_some()
}

fn program(store: Store) -> Option<Program> {
    match store {
        Store::Redis => redis::program(),
        Store::Postgres => postgres::program(),
    }
}

/// None if another program has taken the port.
async fn start(store: Store, program: &Program, port: u16) -> Result<Option<WatchedServer>, Error> {
    let (folder, user) = folder_and_user(store)?;
    let (signal, command) = match store {
        Store::Redis => ("TERM", redis::server(&program.path, &folder, port)),
        // TERM would wait until every client has left.
        Store::Postgres => ("INT", programs::postgres_server(&program.path, port, &[])),
    };
    let words: Vec<&OsStr> = command.iter().map(OsString::as_os_str).collect();
    let mut server = WatchedServer::start(folder, user.as_ref(), signal, &words)?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let has_ended = server.has_ended()?;
        if has_ended && server.log().contains("Address already in use") {
            return Ok(None);
        }
        if has_ended || Instant::now() > deadline {
            let path = program.path.display();
            return Err(format!("{path} didn't start on 127.0.0.1:{port}. What it printed:\n{}", server.log()).into());
        }
        if is_ours(store, port, server.folder()).await {
            return Ok(Some(server));
        }
        sleep(START_POLL).await;
    }
}

/// Whether the server that answers on this port is the one in this folder, and not one that was faster to the port.
async fn is_ours(store: Store, port: u16, ours: &Path) -> bool {
    let url = url(store, port);
    let folder = match store {
        Store::Redis => redis::folder(&url).await,
        Store::Postgres => postgres::folder(&url).await,
    };
    folder.is_ok_and(|folder| Path::new(&folder).starts_with(ours))
}

fn url(store: Store, port: u16) -> String {
    match store {
        Store::Redis => redis::url(port),
        Store::Postgres => programs::postgres_url(port),
    }
}

/// A new folder, and whom to run as: root hands it to a user that may do nothing else, as PostgreSQL demands.
fn folder_and_user(store: Store) -> Result<(PathBuf, Option<User>), Error> {
    let folder = tempfile::Builder::new().prefix("markt-stores-").tempdir()?;
    // The servers tell their folder by its real path, which is compared with this one.
    let path = folder.path().canonicalize()?;
    let user = programs::unprivileged_user(&path, store.name())?;
    if let Some(user) = &user {
        chown(&path, Some(user.id), Some(user.group))?;
    }
    // From here on the watchdog removes it, which outlives this program if need be.
    let _ = folder.keep();
    Ok((path, user))
}

fn program_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

//! The stores' programs on this machine, and whom to run them as.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where Debian keeps the versions of PostgreSQL's programs, beside each other and off PATH.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// Where Debian has programs that a user's PATH may leave out.
const SUPERUSERS: &str = "/usr/sbin";

/// Makes a cluster unless there is one, then becomes its server. `$1`: the folder of the programs. The rest: the
/// server's options.
const SERVE_POSTGRES: &str = r#"
programs=$1
shift
[ -e data ] || "$programs/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync &&
    exec "$programs/postgres" -D data "$@"
"#;

/// Speed in place of durability, since the data goes with the server, and room for many tests at once.
const POSTGRES_OPTIONS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    // No socket: its path would have to be short, and temporary folders need not be.
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=300",
    "log_min_messages=warning",
];

/// A user to run a server as.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// The user's number.
    pub id: u32,
    /// The number of the user's group.
    pub group: u32,
}

/// The user to run a server as in this folder of ours: nobody else if we aren't root; else the one of this name, or
/// `nobody`, since PostgreSQL refuses to run as root. The folder has to be handed to that user.
///
/// # Errors
///
/// If the folder isn't there, or the machine's users can't be read, or there is none of these.
pub fn unprivileged_user(folder: &Path, name: &str) -> io::Result<Option<User>> {
    // A new folder's owner is whoever we are.
    if folder.metadata()?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let named = |name: &str| users.lines().find_map(|line| user(line, name));
    let found = named(name).or_else(|| named("nobody"));
    found.map(Some).ok_or_else(|| io::Error::other("there is no user `nobody` to run servers as"))
}

/// Reads `name:password:id:group:…`, if it is this user's line.
fn user(line: &str, name: &str) -> Option<User> {
    let mut fields = line.strip_prefix(name)?.strip_prefix(':')?.split(':').skip(1);
    Some(User { id: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

/// A port that nobody listens on just now.
///
/// # Errors
///
/// If there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The program of this name that a shell would run, or would if the superuser's programs were on PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders = env::split_paths(&path).chain([SUPERUSERS.into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The programs of PostgreSQL's server that have `initdb` beside them, the ones to prefer first.
pub fn postgres() -> impl Iterator<Item = PathBuf> {
    let on_path = on_path("postgres").and_then(|program| program.canonicalize().ok());
    on_path.into_iter().chain(packaged_postgres()).filter(|program| program.with_file_name("initdb").is_file())
}

/// Debian's, the highest version first.
fn packaged_postgres() -> impl Iterator<Item = PathBuf> {
    let folders = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<u32> = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by_key(|&version| Reverse(version));
    let programs =
        versions.into_iter().map(|version| Path::new(POSTGRES_VERSIONS).join(format!("{version}/bin/postgres")));
    programs.filter(|program| program.is_file())
}

/// The command that runs it on this port, for this machine only, with the cluster in the working folder, which is made
/// if there is none. The options count for more than those that it would have otherwise.
#[must_use]
pub fn postgres_server(program: &Path, port: u16, options: &[&str]) -> Vec<OsString> {
    let mut command: Vec<OsString> = ["sh", "-c", SERVE_POSTGRES, "postgres"].map(OsString::from).into();
    command.push(program.with_file_name("").into());
    let port = format!("port={port}");
    for option in POSTGRES_OPTIONS.iter().chain(options).copied().chain([port.as_str()]) {
        command.extend(["-c", option].map(OsString::from));
    }
    command
}

/// Where that server is.
#[must_use]
pub fn postgres_url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

//! What is particular to PostgreSQL.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, query_scalar};
use tokio::time::timeout;

use crate::Error;
use crate::local::{Program, on_path};

const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where Debian keeps the versions' programs, beside each other and off PATH.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Makes a cluster, then becomes its server. `$1`: the folder of the programs. The rest: the server's options.
const SERVE: &str = r#"
programs=$1
shift
"$programs/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync &&
    exec "$programs/postgres" -D data "$@"
"#;

/// Speed in place of durability, since the data goes with the server, and room for many tests at once.
const OPTIONS: [&str; 8] = [
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

/// Whether a server answers at this URL, and lets us in.
pub(crate) async fn ping(url: &str) -> Result<(), Error> {
    ask(url, "SELECT 'here'").await.map(drop)
}

/// The folder that the server at this URL keeps its data in.
pub(crate) async fn folder(url: &str) -> Result<String, Error> {
    ask(url, "SHOW data_directory").await
}

async fn ask(url: &str, query: &'static str) -> Result<String, Error> {
    let answer = timeout(TIME_LIMIT, async {
        let mut connection = PgConnection::connect(url).await?;
        let answer: String = query_scalar(query).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(answer)
    });
    match answer.await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(format!("it didn't answer within {TIME_LIMIT:?}").into()),
    }
}

/// The server's program on this machine, one that has `initdb` beside it.
pub(crate) fn program() -> Option<Program> {
    let on_path = on_path("postgres").and_then(|program| program.canonicalize().ok());
    on_path
        .into_iter()
        .chain(packaged())
        .find(|program| program.with_file_name("initdb").is_file())
        .and_then(Program::new)
}

/// Debian's, the highest version first.
fn packaged() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<u32> = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by_key(|&version| Reverse(version));
    let programs = versions.into_iter().map(|version| Path::new(VERSIONS).join(format!("{version}/bin/postgres")));
    programs.filter(|program| program.is_file()).collect()
}

/// Runs it on this port, for this machine only, with a new cluster in the working folder.
pub(crate) fn server(program: &Path, port: u16) -> Vec<OsString> {
    let mut command: Vec<OsString> = ["sh", "-c", SERVE, "postgres"].map(OsString::from).into();
    command.push(program.with_file_name("").into());
    let port = format!("port={port}");
    for option in OPTIONS.into_iter().chain([port.as_str()]) {
        command.extend(["-c", option].map(OsString::from));
    }
    command
}

/// Where that server is.
pub(crate) fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

//! A process of the service in one of the modes, with a Redis and a database that nobody else uses.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::mode::Mode;
use super::relay::Relay;
use crate::cli::Error;
use crate::database::Database;
use crate::population::Member;
use crate::redis::Redis;
use crate::service::{self, PASSWORD, Server, Variable, register_original};
use crate::tied;

/// How many users there are.
pub(super) const USERS: u32 = 512;

/// What processes of a mode share.
pub(super) struct Stores {
    pub(super) mode: Mode,
    folder: PathBuf,
    redis: Redis,
    database: Database,
    /// By which its processes reach PostgreSQL, so that their statements are counted.
    sql: Relay,
}

/// What a process and its stores have done so far.
pub(super) struct Counters {
    pub(super) cpu: Duration,
    pub(super) redis_commands: u64,
    pub(super) sql_statements: u64,
    pub(super) memory: u64,
}

impl Stores {
    /// Empty ones, with a folder of their own, for this purpose.
    pub(super) async fn create(folder: &Path, mode: Mode, purpose: &str) -> Result<Self, Error> {
        let folder = folder.join(format!("{} {purpose}", mode.id()));
        std::fs::create_dir_all(&folder)?;
        let redis = Redis::start("Redis", &folder).await?;
        let database = Database::create().await?;
        let sql = Relay::to(database.server_address()?).await?;
        Ok(Self { mode, folder, redis, database, sql })
    }

    /// Makes [`USERS`] users, by this process.
    pub(super) async fn populate(&self, server: &Server) -> Result<(), Error> {
        let id = register_original(&mut server.connect().await?).await?;
        self.database.copy_user(&id, USERS).await
    }

    /// Starts a process on them.
    pub(super) async fn serve(&self, name: &str, more: &[Variable]) -> Result<Server, Error> {
        let name = format!("{} ({name})", self.mode.title());
        Server::start(&name, &self.folder, &self.variables(more)?).await
    }

    /// Has an operator deactivate a user, from the command line.
    pub(super) async fn deactivate(&self, email: &str, more: &[Variable]) -> Result<(), Error> {
        let mut command = Command::from(tied::command(service::program()?.as_os_str())?);
        command.args(["users", "deactivate", email]).env_clear().envs(self.variables(more)?).current_dir(&self.folder);
        let output = command.kill_on_drop(true).output().await?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{email} can't be deactivated: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// What this process and the stores have done so far.
    pub(super) async fn counters(&self, server: &Server) -> Result<Counters, Error> {
        Ok(Counters {
            cpu: server.process.cpu_time()?,
            redis_commands: self.redis.counts().await?.values().sum(),
            sql_statements: self.sql.statements(),
            memory: server.process.resident_memory()?,
        })
    }

    /// Drops the database, which outlives this program otherwise.
    pub(super) async fn drop(self) -> Result<(), Error> {
        self.database.drop().await
    }

    fn variables(&self, more: &[Variable]) -> Result<Vec<Variable>, Error> {
        let database = self.database.url_through(self.sql.address())?;
        Ok(service::variables(&self.folder, &database, self.redis.url(), more))
    }
}

/// Writes down whom to log in as.
pub(super) fn write_accounts(file: &Path) -> Result<(), Error> {
    let mut text = String::new();
    for member in (0..USERS).map(Member) {
        writeln!(text, "{} {PASSWORD}", member.email())?;
    }
    Ok(std::fs::write(file, text)?)
}

/// Where something listens, as a URL.
pub(super) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

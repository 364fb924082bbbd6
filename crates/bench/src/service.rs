//! The service, as it is released, in a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Recorded;
use crate::cli::Error;
use crate::database::Database;
use crate::http::{Connection, Credential};
use crate::process::Process;
use crate::redis::Redis;
use crate::reference::PROFILE;

/// What ends a session.
pub(crate) const LOGOUT: &str = "/api/v1/users/logout";

const LOGIN: &str = "/api/v1/users/login";
const REGISTER: &str = "/api/v1/users/register";

/// The password of all users here, who exist for as long as a benchmark.
pub(crate) const PASSWORD: &str = "Password123";

/// A server that answers with a profile: the service, or one of those it is compared with.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// Where it does.
    pub(crate) path: &'static str,
    /// What it says when it serves.
    pub(crate) event: Value,
}

/// Whether sessions are answered from memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NearCache {
    On,
    Off,
}

impl Server {
    /// Starts the service on these stores.
    pub(crate) async fn service(
        name: &str,
        folder: &Path,
        database: &Database,
        redis: &Redis,
        near_cache: NearCache,
    ) -> Result<Self, Error> {
        let near_cache = ("MARKT_SESSION__NEAR_CACHE__ENABLED", (near_cache == NearCache::On).to_string());
        Self::start(name, folder, &variables(folder, database.url(), redis.url(), &[near_cache])).await
    }

    /// The same, but that its clients hold tokens, signed with HS256, which live longer than a benchmark.
    pub(crate) async fn by_tokens(
        name: &str,
        folder: &Path,
        database: &Database,
        redis: &Redis,
    ) -> Result<Self, Error> {
        let tokens = [
            ("MARKT_AUTH__MODE", "jwt".to_owned()),
            ("MARKT_JWT__ALGORITHM", "HS256".to_owned()),
            ("MARKT_JWT__SECRET", "a secret for as long as a benchmark lasts".to_owned()),
            ("MARKT_JWT__ACCESS_TTL", "24h".to_owned()),
        ];
        Self::start(name, folder, &variables(folder, database.url(), redis.url(), &tokens)).await
    }

    /// Starts the service with these variables.
    pub(crate) async fn start(name: &str, folder: &Path, variables: &[Variable]) -> Result<Self, Error> {
        Self::serving(Process::start(name, folder, program()?.as_os_str(), &["serve"], variables)?).await
    }

    /// Starts a server that the service is compared with.
    pub(crate) async fn reference(name: &str, folder: &Path, answer: &Path, arguments: &[&str]) -> Result<Self, Error> {
        let answer = answer.display().to_string();
        let arguments = [&["serve", "--answer", &answer], arguments].concat();
        Self::serving(Process::start(name, folder, std::env::current_exe()?.as_os_str(), &arguments, &[])?).await
    }

    async fn serving(mut process: Process) -> Result<Self, Error> {
        let event = process.serving().await?;
        let address = event["address"].as_str().and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| process.failed("says no address"))?;
        Ok(Self { process, address, path: PROFILE, event })
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        Connection::open(self.address).await.map_err(|error| self.process.failed(&error.to_string()))
    }

    /// The answer to a request for a profile, which must be given.
    pub(crate) async fn record_profile(&self, credential: &Credential) -> Result<Recorded, Error> {
        let answer = self.connect().await?.get(PROFILE, credential).await?.expect(StatusCode::OK)?;
        Recorded::new(&answer.headers, &answer.body)
    }
}

/// A variable that configures the service.
pub(crate) type Variable = (&'static str, String);

/// The service's program.
///
/// # Errors
/// If this program can't find itself: the service's is beside it.
pub(crate) fn program() -> Result<PathBuf, Error> {
    Ok(std::env::current_exe()?.with_file_name("markt-auth"))
}

/// The variables for a service on these stores: nothing is limited, and new users needn't verify their addresses; all
/// else is as it is by default, unless `more` says otherwise.
pub(crate) fn variables(folder: &Path, database_url: &str, redis_url: &str, more: &[Variable]) -> Vec<Variable> {
    let mut variables = vec![
        ("MARKT_BIND", "127.0.0.1:0".to_owned()),
        ("MARKT_ADMIN_BIND", "127.0.0.1:0".to_owned()),
        ("MARKT_DATABASE_URL", database_url.to_owned()),
        ("MARKT_REDIS_URL", redis_url.to_owned()),
        ("MARKT_MAIL__DIR", folder.join("outbox").display().to_string()),
        ("MARKT_AUTH__REQUIRE_VERIFIED_EMAIL", "false".to_owned()),
        ("MARKT_LIMITS__LOGIN_PER_ACCOUNT", "off".to_owned()),
        ("MARKT_LIMITS__LOGIN_PER_IP", "off".to_owned()),
        ("MARKT_LIMITS__CODES_PER_ACCOUNT", "off".to_owned()),
        ("MARKT_TELEMETRY__LOG_FORMAT", "json".to_owned()),
    ];
    variables.extend_from_slice(more);
    variables
}

/// The address of the user whom all others are copies of.
pub(crate) const ORIGINAL: &str = "original000000@markt.example";

/// Registers the user whom all others are copies of, and returns the id.
pub(crate) async fn register_original(connection: &mut Connection) -> Result<String, Error> {
    let body = json!({
        "email": ORIGINAL, "username": "original", "password": PASSWORD, "account_type": "buyer",
        "phone_number": "+31612345678", "buyer_data": { "buyername": "Ada Lovelace" },
    });
    let answer = connection.post(REGISTER, None, &body).await?.expect(StatusCode::CREATED)?;
    let profile: Value = serde_json::from_slice(&answer.body)?;
    Ok(profile["id"].as_str().ok_or("a profile has no id")?.to_owned())
}

/// Logs in, and returns what that gave: a token, where clients hold tokens, or else a cookie.
pub(crate) async fn log_in(connection: &mut Connection, email: &str) -> Result<Credential, Error> {
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = connection.post(LOGIN, None, &body).await?.expect(StatusCode::OK)?;
    let body: Value = serde_json::from_slice(&answer.body)?;
    body["access_token"].as_str().map_or_else(|| answer.cookie(), |token| Ok(Credential::Token(token.to_owned())))
}

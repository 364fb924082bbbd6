//! Which stores the command gets: the first of the ways that works, for each of them by itself.

use markt_test_support::programs::on_path;

use crate::watchdog::Watchdog;
use crate::{Error, docker, given, install, local, postgres, redis};

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Redis,
    Postgres,
}

impl Store {
    /// What messages begin with.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    /// Where the command looks for its URL.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Redis => markt_test_support::stores::REDIS_VARIABLE,
            Self::Postgres => markt_test_support::stores::POSTGRES_VARIABLE,
        }
    }

    /// Debian's package of it.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Postgres => "postgresql",
        }
    }

    /// Whether a server answers at this URL, and lets us in.
    pub(crate) async fn ping(self, url: &str) -> Result<(), Error> {
        match self {
            Self::Redis => redis::ping(url).await,
            Self::Postgres => postgres::ping(url).await,
        }
    }

    /// Tells which way was taken, or why one wasn't. On standard error: standard output is the command's.
    pub(crate) fn say(self, message: &str) {
        eprintln!("{}: {message}", self.name());
    }
}

/// A store that answers, for as long as this value lives.
pub(crate) struct Provided {
    pub(crate) url: String,
    /// None for a store that was there before us.
    pub(crate) _watchdog: Option<Watchdog>,
}

/// What the command needs.
pub(crate) struct Stores {
    redis: Provided,
    postgres: Provided,
}

impl Stores {
    /// The variables that tell the command where they are.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 2] {
        [(Store::Redis.variable(), &self.redis.url), (Store::Postgres.variable(), &self.postgres.url)]
    }
}

/// Finds or starts them.
pub(crate) async fn stores() -> Result<Stores, Error> {
    let stores = Stores { redis: provide(Store::Redis).await?, postgres: provide(Store::Postgres).await? };
    // Some tests freeze and kill a store. It must be one of their own, wherever the shared one runs.
    for store in [Store::Redis, Store::Postgres] {
        if !local::has_program(store) && !install::install(store.package())? {
            return Err(missing(store.package()));
        }
    }
    Ok(stores)
}

/// Installs a program that the command runs itself, unless it is there. It has its package's name.
pub(crate) fn ensure_program(program: &str) -> Result<(), Error> {
    if on_path(program).is_some() || install::install(program)? { Ok(()) } else { Err(missing(program)) }
}

fn missing(package: &str) -> Error {
    format!("the command needs {package}: install it, which can't be done from here").into()
}

async fn provide(store: Store) -> Result<Provided, Error> {
    if let Some(provided) = given::provide(store).await? {
        return Ok(provided);
    }
    if let Some(provided) = docker::provide(store).await {
        return Ok(provided);
    }
    if let Some(provided) = local::provide(store).await? {
        return Ok(provided);
    }
    if install::install(store.package())?
        && let Some(provided) = local::provide(store).await?
    {
        return Ok(provided);
    }
    Err(format!(
        "there is no {name} to run against, and the tests don't run without one. One of these provides it:\n\
         - set {variable} to the URL of a server\n\
         - start a Docker engine (DOCKER_HOST, or one of the usual sockets)\n\
         - install {package}, so that its programs are on PATH\n\
         - on Debian or Ubuntu, run as root or with passwordless sudo: it is installed then",
        name = store.name(),
        variable = store.variable(),
        package = store.package(),
    )
    .into())
}

//! The second way: containers in a Docker engine.

use std::env;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use markt_domain::ports::entropy::Entropy as _;
use markt_test_support::entropy::MachineEntropy;
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::redis::Redis;
use testcontainers_modules::testcontainers::bollard::query_parameters::RemoveContainerOptionsBuilder;
use testcontainers_modules::testcontainers::bollard::{API_DEFAULT_VERSION, Docker, errors};
use testcontainers_modules::testcontainers::core::IntoContainerPort as _;
use testcontainers_modules::testcontainers::runners::AsyncRunner as _;
use testcontainers_modules::testcontainers::{ContainerRequest, Image, ImageExt as _};
use tokio::time::{Instant, sleep, timeout};

use crate::Error;
use crate::provide::{Provided, Store};
use crate::watchdog::Watchdog;

/// Before a container's name: what this program is called with to be that container's watchdog.
pub(crate) const REAP: &str = "--reap-container";

const REDIS_TAG: &str = "7-alpine";
const POSTGRES_TAG: &str = "16-alpine";

const PING_LIMIT: Duration = Duration::from_secs(3);
/// For one request to the engine.
const REQUEST_LIMIT_SECONDS: u64 = 120;
/// For all of it, most of which is the image's download.
const PROVIDE_LIMIT: Duration = Duration::from_secs(300);
const START_LIMIT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(100);

/// Starts the store in a container, if an engine answers and has its image or can get it.
pub(crate) async fn provide(store: Store) -> Option<Provided> {
    let host = host()?;
    if let Err(error) = engine(&host).await {
        store.say(&format!("no Docker engine at {host} ({error}); going on without"));
        return None;
    }
    let started = timeout(PROVIDE_LIMIT, async {
        match store {
            Store::Redis => start(store, Redis::default().with_tag(REDIS_TAG), 6379).await,
            Store::Postgres => {
                let options = ["-c", "fsync=off", "-c", "max_connections=300"];
                start(store, Postgres::default().with_tag(POSTGRES_TAG).with_cmd(options), 5432).await
            }
        }
    });
    match started.await.unwrap_or_else(|_| Err(format!("it took longer than {PROVIDE_LIMIT:?}").into())) {
        Ok(provided) => Some(provided),
        Err(error) => {
            store.say(&format!("the Docker engine at {host} can't provide it ({error}); going on without"));
            None
        }
    }
}

async fn start<I: Image>(store: Store, image: ContainerRequest<I>, port: u16) -> Result<Provided, Error> {
    let description = image.descriptor();
    store.say(&format!("starting {description} in Docker, and downloading it first if need be"));
    let name = container_name(store);
    // Watched from before there is a container, so that none is left if this program is killed meanwhile.
    let watchdog = Watchdog::spawn(Command::new(env::current_exe()?).args([REAP, &name]))?;
    let container = image.with_container_name(&name).with_startup_timeout(START_LIMIT).start().await?;
    let (host, port) = (container.get_host().await?, container.get_host_port_ipv4(port.tcp()).await?);
    // The watchdog removes it; it must not go with this value, nor be removed twice.
    std::mem::forget(container);
    let url = match store {
        Store::Redis => format!("redis://{host}:{port}"),
        Store::Postgres => format!("postgres://postgres:postgres@{host}:{port}/postgres"),
    };
    await_answer(store, &url).await?;
    store.say(&format!("{description} in Docker, started on {host}:{port}"));
    Ok(Provided { url, _watchdog: Some(watchdog) })
}

async fn await_answer(store: Store, url: &str) -> Result<(), Error> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match store.ping(url).await {
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(START_POLL).await,
            Ok(()) => return Ok(()),
        }
    }
}

fn container_name(store: Store) -> String {
    let mut bytes = [0; 8];
    MachineEntropy.fill(&mut bytes);
    format!("markt-test-{}-{:016x}", store.name(), u64::from_be_bytes(bytes))
}

/// Waits until standard input ends, then removes this container, running or not.
pub(crate) async fn reap(name: &str) -> Result<(), Error> {
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    let engine = connect(&host().ok_or("the Docker engine is gone")?)?;
    if !remove(&engine, name).await? {
        // Asked for just before the program that asked was killed, it may be about to be made.
        sleep(Duration::from_secs(1)).await;
        remove(&engine, name).await?;
    }
    Ok(())
}

/// Whether there was such a container.
async fn remove(engine: &Docker, name: &str) -> Result<bool, Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match engine.remove_container(name, Some(options)).await {
        Ok(()) => Ok(true),
        Err(errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
        Err(error) => Err(format!("the container {name} was left behind: {error}").into()),
    }
}

async fn engine(host: &str) -> Result<(), Error> {
    match timeout(PING_LIMIT, connect(host)?.ping()).await {
        Ok(answer) => Ok(answer.map(drop)?),
        Err(_) => Err(format!("it didn't answer within {PING_LIMIT:?}").into()),
    }
}

fn connect(host: &str) -> Result<Docker, Error> {
    match host.split_once("://").map(|(scheme, _)| scheme) {
        Some("unix") => Ok(Docker::connect_with_unix(host, REQUEST_LIMIT_SECONDS, API_DEFAULT_VERSION)?),
        Some("tcp" | "http") => Ok(Docker::connect_with_http(host, REQUEST_LIMIT_SECONDS, API_DEFAULT_VERSION)?),
        _ => Err("only unix:// and tcp:// are supported".into()),
    }
}

/// Where testcontainers looks for an engine too. None if there is nothing to ask: a `docker` client is no engine.
fn host() -> Option<String> {
    if let Some(host) = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        return Some(host);
    }
    let folder = |variable| env::var_os(variable).map(PathBuf::from);
    let sockets = [
        Some(PathBuf::from("/var/run/docker.sock")),
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join(".docker/run/docker.sock")),
        folder("HOME").map(|home| home.join(".docker/run/docker.sock")),
        folder("HOME").map(|home| home.join(".docker/desktop/docker.sock")),
    ];
    let socket = sockets.into_iter().flatten().find(|socket| socket.exists())?;
    Some(format!("unix://{}", socket.display()))
}

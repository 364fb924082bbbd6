//! The connections: how they are opened, kept and given up on.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, Pool, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectError, ReconnectPolicy, TcpConfig,
    UnresponsiveConfig,
};
use fred::types::{ConnectHandle, RespVersion};
use futures_util::future::BoxFuture;
use markt_domain::ports::StoreError;
use markt_domain::session::ENDING_REMEMBERED_FOR;
use markt_domain::store_guard::StoreGuard;
use markt_domain::trace;
use socket2::TcpKeepalive;

use crate::commands::{Command, TracedServer};
use crate::errors::{ConnectError, is_answer, store_error};
use crate::url::{InvalidRedisUrl, RedisUrl};

/// The first and the longest pause before connecting anew, in milliseconds.
const RECONNECT_DELAY: (u32, u32) = (20, 500);

/// How long a connection whose task ended, which it never should, is left alone.
const REVIVAL_DELAY: Duration = Duration::from_secs(1);

/// How many changes may be told faster than they are heard, before some are missed.
const TOLD_AT_ONCE: usize = 8192;

/// How many commands may wait for Redis at once: what it answers in some 40 milliseconds, at 100,000 a second. fred
/// itself bounds nothing.
const PLACES: usize = 4096;

/// How often a Redis that isn't asked any more is asked whether it is back.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// How to connect, and how long to remember what sessions leave behind.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// The number of connections; commands take turns on them, any number at once.
    pub connections: usize,
    /// How long a command may take, waiting for its turn included.
    pub command_timeout: Duration,
    /// How long connecting may take, TLS included, and then each step of logging in.
    pub connect_timeout: Duration,
    /// How long it is remembered how a session ended.
    pub endings_kept: Duration,
    /// How long a user's latest epoch and version are remembered.
    ///
    /// They are there for what is under way when they change: a login that read the user before, and creates its
    /// session after. Nor may they be forgotten before every process has let go of the copy of the user that it had
    /// before the change. So this must be longer than such a copy is kept (`session.user_cache_ttl`) and a request may
    /// take.
    pub user_states_kept: Duration,
}

impl Default for ConnectOptions {
    /// 4 connections, 1 second, 2 seconds, a day, an hour.
    fn default() -> Self {
        Self {
            connections: 4,
            command_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
            endings_kept: ENDING_REMEMBERED_FOR,
            user_states_kept: Duration::from_secs(60 * 60),
        }
    }
}

/// A few connections to one Redis.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    options: Options,
    guard: Arc<StoreGuard>,
    /// What traces say of this Redis.
    server: Arc<TracedServer>,
}

impl Connections {
    pub(crate) async fn open(url: &RedisUrl, options: ConnectOptions) -> Result<Self, ConnectError> {
        if options.connections == 0 {
            return Err(ConnectError::NoConnections);
        }
        let pool = Pool::new(
            config(url)?,
            Some(performance(options)),
            Some(connection(options)),
            Some(reconnect_policy()),
            options.connections,
        )
        .map_err(|source| connect_error(url, source))?;
        let mut tasks = Vec::with_capacity(options.connections);
        for client in pool.clients() {
            match client.init().await {
                Ok(task) => tasks.push((client.clone(), task)),
                Err(source) => {
                    for (client, _) in tasks {
                        // It is given up on as it is.
                        let _ = client.quit().await;
                    }
                    return Err(connect_error(url, source));
                }
            }
        }
        let guard = Arc::new(StoreGuard::new("Redis", PLACES));
        for (client, task) in tasks {
            tokio::spawn(keep_alive(client, task, Arc::clone(&guard)));
        }
        let server = Arc::new(TracedServer::at(url));
        Ok(Self { pool, options: command_options(options), guard, server })
    }

    /// Waits for a command's answer: to be sent over the [next](Self::next) connection, or over another to the same
    /// Redis. It isn't sent if Redis can't be asked now.
    ///
    /// fred's futures take 7 KB. They are put into a box at once: within others they would be copied whole, several
    /// times, wherever one of those is put into its place.
    pub(crate) fn run<'a, T>(
        &self,
        operation: &'static str,
        command: impl Into<Command<'a>>,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        let (command, answer) = (command.into(), Box::pin(answer));
        let traced = async move {
            let span = self.server.span(&command);
            let outcome = self.watch(operation, answer).await;
            trace::see(&span, &outcome);
            outcome
        };
        self.guard.run(operation, traced)
    }

    /// What stands before this Redis.
    pub(crate) fn guard(&self) -> Arc<StoreGuard> {
        Arc::clone(&self.guard)
    }

    /// The same, even if Redis is known not to answer.
    async fn watch<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let result = answer.await;
        if self.guard.see(result.as_ref().err().is_none_or(is_answer)) {
            tokio::spawn(self.clone().until_answered());
        }
        result.map_err(|error| store_error(operation, error))
    }

    /// The connection whose turn it is, if possible one that is up.
    ///
    /// Taken from the pool once for each command: the pool itself would take turns several times while it sends one,
    /// and could end up sending all of them over the same connection.
    pub(crate) fn next(&self) -> WithOptions<Client> {
        self.pool.next_connected().with_options(&self.options)
    }

    /// Asks for a sign of life, even if there was none lately.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.watch("ping Redis", self.next().ping(None)).await
    }

    /// Finds out when a Redis that isn't asked any more is back. (In a box, since it asks by the way that starts it.)
    fn until_answered(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while self.guard.is_open() {
                tokio::time::sleep(PROBE_INTERVAL).await;
                // The guard has seen what came of it.
                let _ = self.ping().await;
            }
        })
    }

    pub(crate) async fn close(&self) {
        self.guard.close();
        // A connection that is down is closed enough.
        let _ = self.pool.quit().await;
    }
}

/// Opens a connection that stands by itself and isn't opened anew when it is lost, which its task tells by ending.
pub(crate) async fn dedicated(
    url: &RedisUrl,
    options: ConnectOptions,
) -> Result<(WithOptions<Client>, ConnectHandle), Error> {
    stand_alone(url, options, RespVersion::RESP3, connection(options)).await
}

/// The same, in this version of the protocol, and for a Redis that may be a replica or in trouble: what it refuses for
/// that is an answer like any other.
pub(crate) async fn for_a_look(
    url: &RedisUrl,
    options: ConnectOptions,
    version: RespVersion,
) -> Result<WithOptions<Client>, Error> {
    let connection = ConnectionConfig { reconnect_errors: Vec::new(), ..connection(options) };
    stand_alone(url, options, version, connection).await.map(|(client, _)| client)
}

async fn stand_alone(
    url: &RedisUrl,
    options: ConnectOptions,
    version: RespVersion,
    connection: ConnectionConfig,
) -> Result<(WithOptions<Client>, ConnectHandle), Error> {
    let config = config(url).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
    let config = Config { version, ..config };
    let performance = PerformanceConfig { broadcast_channel_capacity: TOLD_AT_ONCE, ..performance(options) };
    let client = Client::new(config, Some(performance), Some(connection), None);
    let task = client.init().await?;
    Ok((client.with_options(&command_options(options)), task))
}

/// Runs for as long as the connection is wanted. fred connects anew by itself, until it meets an error that it takes
/// for a mistake in the configuration; what was right at the start is right again at some time.
async fn keep_alive(client: Client, mut task: ConnectHandle, guard: Arc<StoreGuard>) {
    loop {
        let end = task.await;
        if guard.is_closing() {
            return;
        }
        tracing::error!(?end, "a connection to Redis was given up on; it is opened anew");
        tokio::time::sleep(REVIVAL_DELAY).await;
        task = client.connect();
    }
}

fn config(url: &RedisUrl) -> Result<Config, ConnectError> {
    let parsed = Config::from_url(url.expose()).map_err(|error| match error.kind() {
        // What is wrong with the certificates of this machine has nothing to do with the address.
        ErrorKind::Tls => connect_error(url, error),
        // fred's words may repeat a part of the address, and so a password.
        _ => InvalidRedisUrl("its port, database, nodes or sentinelServiceName are missing or wrong").into(),
    })?;
    Ok(Config {
        version: RespVersion::RESP3,
        // A Redis that is away at the start is told of, instead of waited for.
        fail_fast: true,
        ..parsed
    })
}

fn performance(options: ConnectOptions) -> PerformanceConfig {
    PerformanceConfig { default_command_timeout: options.command_timeout, ..PerformanceConfig::default() }
}

fn connection(options: ConnectOptions) -> ConnectionConfig {
    let patience = options.command_timeout * 2;
    ConnectionConfig {
        connection_timeout: options.connect_timeout,
        internal_command_timeout: options.connect_timeout,
        max_command_attempts: 1,
        // What waits is bounded in time already. A bound in number would hold for fred's own reconnecting too, and
        // running into it would end the connection for good.
        max_command_buffer_len: 0,
        reconnect_on_auth_error: true,
        reconnect_errors: vec![
            ReconnectError::ClusterDown,
            ReconnectError::Loading,
            ReconnectError::MasterDown,
            ReconnectError::ReadOnly,
        ],
        // A server that hangs is noticed by fred once nothing was sent to it for a while; one that is gone without a
        // word by the kernel, even under load. An idle connection shows that it lives, to firewalls also.
        unresponsive: UnresponsiveConfig { max_timeout: Some(patience), interval: patience / 4 },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(
                TcpKeepalive::new().with_time(Duration::from_secs(15)).with_interval(Duration::from_secs(5)),
            ),
            #[cfg(target_os = "linux")]
            user_timeout: Some(patience),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}

fn reconnect_policy() -> ReconnectPolicy {
    let (first, longest) = RECONNECT_DELAY;
    let mut policy = ReconnectPolicy::new_exponential(0, first, longest, 2);
    // Many processes that lost the same Redis don't all come back in the same moment.
    policy.set_jitter(first);
    policy
}

fn command_options(options: ConnectOptions) -> Options {
    Options { max_attempts: Some(1), timeout: Some(options.command_timeout), fail_fast: true, ..Options::default() }
}

pub(crate) fn connect_error(url: &RedisUrl, source: Error) -> ConnectError {
    let url = url.to_string();
    match source.kind() {
        ErrorKind::Auth => ConnectError::Refused { url, source },
        _ => ConnectError::Unreachable { url, source },
    }
}

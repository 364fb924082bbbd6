//! The connections to one server: how they are opened, kept and given up on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::{Client, Pool, WithOptions};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ReconnectError, ReconnectPolicy, TcpConfig,
    UnresponsiveConfig,
};
use fred::types::{ConnectHandle, RespVersion};
use futures_util::future::try_join_all;
use markt_domain::session::ENDING_REMEMBERED_FOR;
use markt_domain::store_guard::StoreGuard;
use socket2::TcpKeepalive;
use tracing::Span;

use crate::commands::{Command, TracedServer};

/// The first and the longest pause before connecting anew, in milliseconds.
const RECONNECT_DELAY: (u32, u32) = (20, 500);

/// How long a connection whose task ended, which it never should, is left alone.
const REVIVAL_DELAY: Duration = Duration::from_secs(1);

/// How many changes may be told faster than they are heard, before some are missed.
const TOLD_AT_ONCE: usize = 8192;

/// How to connect, and how long to remember what sessions leave behind.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// The number of connections to each server; commands take turns on them, any number at once.
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

/// A connection, with the bounds that commands have.
pub(crate) type Connection = WithOptions<Client>;

/// A few connections to one server, and what stands before it.
#[derive(Clone)]
pub(crate) struct Node {
    pool: Pool,
    options: Options,
    guard: Arc<StoreGuard>,
    /// What traces say of it.
    server: Arc<TracedServer>,
    is_closing: Arc<AtomicBool>,
    is_broken: Arc<AtomicBool>,
}

impl Node {
    /// Connects to this server. If they are to be `renewed`, lost connections come back by themselves from then on.
    pub(crate) async fn open(
        config: Config,
        options: ConnectOptions,
        guard: Arc<StoreGuard>,
        renewed: bool,
    ) -> Result<Self, Error> {
        let server = Arc::new(TracedServer::of(&config));
        let pool = Pool::new(
            config,
            Some(performance(options)),
            Some(connection(options)),
            renewed.then(reconnect_policy),
            options.connections,
        )?;
        let tasks = try_join_all(pool.clients().iter().map(|client| client.init())).await;
        let (is_closing, is_broken) = (Arc::default(), Arc::default());
        let node = Self { pool, options: command_options(options), guard, server, is_closing, is_broken };
        match tasks {
            Ok(tasks) => {
                for (client, task) in node.pool.clients().iter().zip(tasks) {
                    if renewed {
                        tokio::spawn(keep_alive(client.clone(), task, Arc::clone(&node.is_closing)));
                    } else {
                        let is_broken = Arc::clone(&node.is_broken);
                        tokio::spawn(async move {
                            // Whatever the reason.
                            let _ = task.await;
                            is_broken.store(true, Ordering::Relaxed);
                        });
                    }
                }
                Ok(node)
            }
            Err(error) => {
                // Those that were opened are given up on as they are.
                tokio::spawn(async move { node.close().await });
                Err(error)
            }
        }
    }

    /// What stands before this server.
    pub(crate) fn guard(&self) -> &Arc<StoreGuard> {
        &self.guard
    }

    /// A span for a command to this server; none if it isn't part of a trace.
    pub(crate) fn span(&self, command: Command) -> Span {
        self.server.span(command)
    }

    /// Whether a connection was lost that doesn't come back.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Whether these are the same connections.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.is_closing, &other.is_closing)
    }

    /// The connection whose turn it is, if possible one that is up.
    ///
    /// Taken from the pool once for each command: the pool itself would take turns several times while it sends one,
    /// and could end up sending all of them over the same connection.
    pub(crate) fn next(&self) -> Connection {
        self.pool.next_connected().with_options(&self.options)
    }

    pub(crate) async fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        // A connection that is down is closed enough.
        let _ = self.pool.quit().await;
    }
}

/// Opens a connection that stands by itself and isn't opened anew when it is lost, which its task tells by ending.
pub(crate) async fn dedicated(config: Config, options: ConnectOptions) -> Result<(Connection, ConnectHandle), Error> {
    stand_alone(config, options, connection(options)).await
}

/// The same, in this version of the protocol, and for a server that may be a replica, a Sentinel or in trouble: what it
/// refuses for that is an answer like any other.
pub(crate) async fn for_a_look(
    config: Config,
    options: ConnectOptions,
    version: RespVersion,
) -> Result<Connection, Error> {
    let connection = ConnectionConfig { reconnect_errors: Vec::new(), ..connection(options) };
    stand_alone(Config { version, ..config }, options, connection).await.map(|(client, _)| client)
}

async fn stand_alone(
    config: Config,
    options: ConnectOptions,
    connection: ConnectionConfig,
) -> Result<(Connection, ConnectHandle), Error> {
    let performance = PerformanceConfig { broadcast_channel_capacity: TOLD_AT_ONCE, ..performance(options) };
    let client = Client::new(config, Some(performance), Some(connection), None);
    let task = client.init().await?;
    Ok((client.with_options(&command_options(options)), task))
}

/// Runs for as long as the connection is wanted. fred connects anew by itself, until it meets an error that it takes
/// for a mistake in the configuration; what was right at the start is right again at some time.
async fn keep_alive(client: Client, mut task: ConnectHandle, is_closing: Arc<AtomicBool>) {
    loop {
        let end = task.await;
        if is_closing.load(Ordering::Relaxed) {
            return;
        }
        tracing::error!(?end, "a connection to Redis was given up on; it is opened anew");
        tokio::time::sleep(REVIVAL_DELAY).await;
        task = client.connect();
    }
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

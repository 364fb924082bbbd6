//! The connection by which Redis tells what others change: client-side caching, by RESP3 client tracking.
//!
//! What is read over this connection Redis remembers, and tells over the same connection when it changes, whoever
//! changed it and by whichever command, a plain `redis-cli DEL` and the key's expiry included. `NOLOOP` keeps it from
//! telling what was changed over this connection itself, which is where touches go. Since answers and messages come in
//! the order that they were sent in, an answer proves that all that was told before it has arrived.
//!
//! A connection that is lost isn't mended, but replaced by a new one: so a read is either known to be tracked or an
//! error, and never something in between.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientInterface, ClientLike, KeysInterface, TrackingInterface};
use fred::types::client::Invalidation;
use fred::types::{ConnectHandle, Expiration};
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations};
use markt_domain::session::SessionId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;

use crate::connection::ConnectOptions;
use crate::keys;
use crate::url::RedisUrl;

/// How long the marker lives that shows that Redis wasn't emptied, in milliseconds, if nobody renews it.
const MARKER_LIFETIME: i64 = 5_000;

/// How long the marker is kept up when nothing is held any more: something may be soon.
const MARKER_LINGERS: Duration = Duration::from_secs(2);

/// The pause before a new connection is opened in the place of one that was lost.
const REOPEN_DELAY: Duration = Duration::from_millis(50);

/// The pause between attempts while Redis is away.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The tracked connection, while there is one.
#[derive(Clone, Default)]
pub(crate) struct Tracked(Arc<RwLock<Option<WithOptions<Client>>>>);

impl Tracked {
    pub(crate) fn connection(&self) -> Option<WithOptions<Client>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, connection: Option<WithOptions<Client>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// What others change in the sessions that were found through the
/// [tracked store](crate::RedisStores::tracked_sessions).
pub struct RedisInvalidations {
    url: RedisUrl,
    options: ConnectOptions,
    tracked: Tracked,
}

impl RedisInvalidations {
    pub(crate) fn new(url: RedisUrl, options: ConnectOptions, tracked: Tracked) -> Self {
        Self { url, options, tracked }
    }

    /// Opens a connection, tells through it, and returns why that came to an end.
    async fn tell_once(&self, listener: &dyn InvalidationListener, heartbeat: Duration) -> Result<(), Error> {
        let mut channel = Channel::open(&self.url, self.options).await?;
        tracing::info!("Redis tells of changes: sessions are answered from memory");
        // From here on reads are tracked; what was read before counts as lost.
        self.tracked.set(Some(channel.connection.clone()));
        listener.lost();
        let end = channel.tell(listener, heartbeat).await;
        listener.lost();
        self.tracked.set(None);
        channel.close().await;
        end
    }
}

#[async_trait]
impl Invalidations for RedisInvalidations {
    async fn tell(&self, listener: &dyn InvalidationListener, heartbeat: Duration) {
        let mut was_open = true;
        loop {
            let began = Instant::now();
            if let Err(error) = self.tell_once(listener, heartbeat).await {
                let is_open = began.elapsed() > RETRY_DELAY;
                if was_open || is_open {
                    tracing::warn!(%error, "Redis doesn't tell of changes: sessions aren't answered from memory");
                }
                was_open = is_open;
                tokio::time::sleep(if is_open { REOPEN_DELAY } else { RETRY_DELAY }).await;
            }
        }
    }
}

/// One tracked connection, from its beginning to its end.
struct Channel {
    connection: WithOptions<Client>,
    task: ConnectHandle,
    told: Receiver<Invalidation>,
    /// The name of the marker: a key that is there, as long as anything is held, unless Redis was emptied. fred drops
    /// the message that would say so.
    marker: String,
    is_marked: bool,
    needed_at: Instant,
    patience: Duration,
}

impl Channel {
    async fn open(url: &RedisUrl, options: ConnectOptions) -> Result<Self, Error> {
        let (client, task) = crate::connection::dedicated(url, options).await?;
        let told = client.invalidation_rx();
        client.start_tracking(Vec::<String>::new(), false, false, false, true).await?;
        // A number that Redis gives to no other connection.
        let number: i64 = client.client_id().await?;
        let marker = keys::near_cache(number);
        let patience = options.command_timeout;
        let needed_at = Instant::now();
        Ok(Self { connection: client, task, told, marker, is_marked: false, needed_at, patience })
    }

    /// Tells what changes until something may have been missed, and returns why.
    async fn tell(&mut self, listener: &dyn InvalidationListener, heartbeat: Duration) -> Result<(), Error> {
        loop {
            self.prove_alive(listener).await?;
            let pause = tokio::time::sleep(heartbeat);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    message = self.told.recv() => pass_on(received(message)?, listener)?,
                    () = &mut pause => break,
                    end = &mut self.task => return Err(ended(end)),
                }
            }
        }
    }

    /// Asks for a sign of life, passes on what is told meanwhile, and then says that all is told.
    async fn prove_alive(&mut self, listener: &dyn InvalidationListener) -> Result<(), Error> {
        let asked_at = Instant::now();
        if listener.holds_anything() {
            self.needed_at = asked_at;
        }
        let lingers = self.is_marked && self.needed_at.elapsed() < MARKER_LINGERS;
        let is_needed = self.needed_at == asked_at || lingers;
        let sign = sign_of_life(&self.connection, &self.marker, is_needed, self.is_marked);
        let sign = tokio::time::timeout(self.patience, sign);
        tokio::pin!(sign);
        loop {
            tokio::select! {
                message = self.told.recv() => pass_on(received(message)?, listener)?,
                answer = &mut sign => break answer.map_err(|elapsed| timed_out(&elapsed))??,
                end = &mut self.task => return Err(ended(end)),
            }
        }
        // What Redis said before its answer has been received, but perhaps not been passed on.
        loop {
            match self.told.try_recv() {
                Ok(message) => pass_on(message, listener)?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(missed)) => return Err(lagged(missed)),
                Err(TryRecvError::Closed) => return Err(closed()),
            }
        }
        if is_needed && !self.is_marked {
            // What was found before there was a marker is not watched over.
            listener.lost();
        }
        self.is_marked = is_needed;
        listener.alive(asked_at);
        Ok(())
    }

    async fn close(self) {
        // A connection that is down is closed enough.
        let _ = tokio::time::timeout(self.patience, self.connection.quit()).await;
    }
}

/// Gets an answer out of Redis, and makes sure meanwhile that the marker, where it is needed, is there as before.
async fn sign_of_life(
    connection: &WithOptions<Client>,
    marker: &str,
    is_needed: bool,
    is_marked: bool,
) -> Result<(), Error> {
    match (is_needed, is_marked) {
        (false, false) => connection.ping(None).await,
        (false, true) => connection.del(marker).await,
        (true, false) => connection.set(marker, 1, Some(Expiration::PX(MARKER_LIFETIME)), None, false).await,
        (true, true) => match connection.pexpire(marker, MARKER_LIFETIME, None).await? {
            true => Ok(()),
            false => Err(emptied()),
        },
    }
}

/// Nobody was told of what was deleted then.
fn emptied() -> Error {
    Error::new(ErrorKind::NotFound, "Redis was emptied")
}

fn received(message: Result<Invalidation, RecvError>) -> Result<Invalidation, Error> {
    message.map_err(|error| match error {
        RecvError::Lagged(missed) => lagged(missed),
        RecvError::Closed => closed(),
    })
}

/// More was told than could be passed on in time: what was missed may have been anything.
fn lagged(missed: u64) -> Error {
    Error::new(ErrorKind::Backpressure, format!("{missed} changes were missed"))
}

fn timed_out(elapsed: &Elapsed) -> Error {
    Error::new(ErrorKind::Timeout, elapsed.to_string())
}

fn closed() -> Error {
    Error::new(ErrorKind::Canceled, "the channel was closed")
}

fn ended(end: Result<Result<(), Error>, JoinError>) -> Error {
    match end {
        Ok(Err(error)) => error,
        _ => Error::new(ErrorKind::IO, "the connection was lost"),
    }
}

/// Passes on which sessions were changed. A message without a key says that all of them were.
fn pass_on(message: Invalidation, listener: &dyn InvalidationListener) -> Result<(), Error> {
    if message.keys.is_empty() {
        return Err(emptied());
    }
    for key in &message.keys {
        if let Some(id) = session_id(key.as_bytes()) {
            listener.changed(&id);
        }
    }
    Ok(())
}

fn session_id(key: &[u8]) -> Option<SessionId> {
    str::from_utf8(key.strip_prefix(keys::SESSION_PREFIX.as_bytes())?).ok()?.parse().ok()
}

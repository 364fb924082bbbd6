//! One tracked connection, from its beginning to its end.

use std::time::{Duration, Instant};

use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientInterface, ClientLike, KeysInterface, TrackingInterface};
use fred::types::client::Invalidation;
use fred::types::config::Config;
use fred::types::{ConnectHandle, Expiration};
use markt_domain::ports::invalidations::InvalidationListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinError;
use tokio::time::error::Elapsed;

use crate::connection::{ConnectOptions, Connection};
use crate::keys::{self, Keys};

/// How long the marker lives that shows that Redis wasn't emptied, in milliseconds, if nobody renews it.
const MARKER_LIFETIME: i64 = 5_000;

/// How long the marker is kept up when nothing is held any more: something may be soon.
const MARKER_LINGERS: Duration = Duration::from_secs(2);

/// A tracked connection to one server.
pub(super) struct Channel {
    connection: Connection,
    task: ConnectHandle,
    told: Receiver<Invalidation>,
    /// The name of the marker: a key that is there, as long as anything is held, unless Redis was emptied. fred drops
    /// the message that would say so.
    marker: String,
    /// Whether the server has to prove besides that it has its keys still, which it says only if asked for one.
    is_one_of_many: bool,
    is_marked: bool,
    needed_at: Instant,
    patience: Duration,
}

impl Channel {
    /// `tag` is one that belongs to this server, if it is one of a cluster.
    pub(super) async fn open(config: Config, options: ConnectOptions, tag: Option<&str>) -> Result<Self, Error> {
        let (client, task) = crate::connection::dedicated(config, options).await?;
        let told = client.invalidation_rx();
        client.start_tracking(Vec::<String>::new(), false, false, false, true).await?;
        // A number that Redis gives to no other connection.
        let number: i64 = client.client_id().await?;
        let marker = Keys::near_cache(tag, number);
        let is_one_of_many = tag.is_some();
        let patience = options.command_timeout;
        let needed_at = Instant::now();
        Ok(Self { connection: client, task, told, marker, is_one_of_many, is_marked: false, needed_at, patience })
    }

    pub(super) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Tells what changes until something may have been missed, and returns why.
    pub(super) async fn tell(&mut self, listener: &dyn InvalidationListener, heartbeat: Duration) -> Result<(), Error> {
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
        let sign = tokio::time::timeout(self.patience, self.sign_of_life(is_needed));
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

    /// Gets an answer out of Redis, and makes sure meanwhile that the marker, where it is needed, is there as before.
    fn sign_of_life(&self, is_needed: bool) -> impl Future<Output = Result<(), Error>> + use<> {
        let (connection, marker) = (self.connection.clone(), self.marker.clone());
        let (is_marked, is_one_of_many) = (self.is_marked, self.is_one_of_many);
        async move {
            match (is_needed, is_marked) {
                // Who became a replica, or was cut off from the others, would answer a ping all the same.
                (false, false) if is_one_of_many => connection.exists::<(), _>(marker).await,
                (false, false) => connection.ping(None).await,
                (false, true) => connection.del(marker).await,
                (true, false) => connection.set(marker, 1, Some(Expiration::PX(MARKER_LIFETIME)), None, false).await,
                (true, true) => match connection.pexpire(marker, MARKER_LIFETIME, None).await? {
                    true => Ok(()),
                    false => Err(emptied()),
                },
            }
        }
    }

    pub(super) async fn close(self) {
        // A connection that is down is closed enough.
        let _ = tokio::time::timeout(self.patience, self.connection.quit()).await;
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
        if let Some(id) = str::from_utf8(key.as_bytes()).ok().and_then(keys::session_id) {
            listener.changed(&id);
        }
    }
    Ok(())
}

//! The connections by which Redis tells what others change: client-side caching, by RESP3 client tracking.
//!
//! What is read over such a connection Redis remembers, and tells over the same connection when it changes, whoever
//! changed it and by whichever command, a plain `redis-cli DEL` and the key's expiry included. `NOLOOP` keeps it from
//! telling what was changed over this connection itself, which is where touches go. Since answers and messages come in
//! the order that they were sent in, an answer proves that all that was told before it has arrived.
//!
//! There is one to each server. All is proven when each has proven its part; and if one is lost, or the servers are
//! others than before, all are replaced, never mended: so a read is either known to be tracked or an error, and never
//! something in between.

mod channel;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fred::error::{Error, ErrorKind};
use futures_util::future::{join_all, try_join_all};
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations};
use markt_domain::session::SessionId;
use tokio::sync::{Notify, watch};

use crate::connection::{ConnectOptions, Connection};
use crate::servers::{Servers, Topology};
use channel::Channel;

/// The pause before new connections are opened in the place of some that were lost.
const REOPEN_DELAY: Duration = Duration::from_millis(50);

/// The pause between attempts while Redis is away.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The tracked connections, while there are any.
#[derive(Clone, Default)]
pub(crate) struct Tracked(Arc<RwLock<Option<Arc<Routes>>>>);

impl Tracked {
    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, routes: Option<Arc<Routes>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }
}

/// Tracked connections, one to each server.
pub(crate) struct Routes {
    topology: Arc<Topology>,
    /// To the servers in their order; none to those that have no sessions.
    connections: Vec<Option<Connection>>,
    unwanted: Arc<Notify>,
    /// Ends when nobody relies any more on what was read over them.
    in_use: watch::Receiver<()>,
}

impl Routes {
    /// The servers that they lead to.
    pub(crate) fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// The connection to the server of this number.
    pub(crate) fn connection(&self, number: usize) -> Option<Connection> {
        self.connections.get(number).cloned().flatten()
    }

    /// Has all of them replaced, and waits until nobody relies any more on what was read over them.
    pub(crate) async fn give_up(&self) {
        self.unwanted.notify_one();
        let mut in_use = self.in_use.clone();
        while in_use.changed().await.is_ok() {}
    }
}

/// What others change in the sessions that were found through the
/// [tracked store](crate::RedisStores::tracked_sessions).
pub struct RedisInvalidations {
    servers: Servers,
    options: ConnectOptions,
    tracked: Tracked,
}

impl RedisInvalidations {
    pub(crate) fn new(servers: Servers, options: ConnectOptions, tracked: Tracked) -> Self {
        Self { servers, options, tracked }
    }

    /// Opens connections, tells through them, and returns why that came to an end.
    async fn tell_once(&self, listener: &dyn InvalidationListener, heartbeat: Duration) -> Result<(), Error> {
        let mut changes = self.servers.changes();
        let topology = self.servers.topology();
        let mut channels = self.open(&topology).await?;
        tracing::info!("Redis tells of changes: sessions are answered from memory");
        let (in_use, unwanted) = (watch::Sender::new(()), Arc::new(Notify::new()));
        let connections = channels.iter().map(|channel| channel.as_ref().map(Channel::connection)).collect();
        let routes = Routes { topology, connections, unwanted: Arc::clone(&unwanted), in_use: in_use.subscribe() };
        // From here on reads are tracked; what was read before counts as lost.
        self.tracked.set(Some(Arc::new(routes)));
        listener.lost();
        let all = All::of(listener, channels.iter().flatten().count());
        let parts = channels.iter_mut().flatten().enumerate().map(|(number, channel)| {
            let all = &all;
            async move { channel.tell(&Part { all, number }, heartbeat).await }
        });
        let end = tokio::select! {
            end = try_join_all(parts) => end.map(drop),
            _ = changes.changed() => Err(Error::new(ErrorKind::Cluster, "the servers have changed")),
            () = unwanted.notified() => Err(Error::new(ErrorKind::Cluster, "a key is at another server")),
        };
        self.tracked.set(None);
        listener.lost();
        drop(in_use);
        join_all(channels.into_iter().flatten().map(Channel::close)).await;
        end
    }

    /// A channel to each server that has sessions.
    async fn open(&self, topology: &Topology) -> Result<Vec<Option<Channel>>, Error> {
        let place = self.servers.place();
        try_join_all(topology.shards().iter().map(|shard| async move {
            let tag = if place.is_cluster() { shard.tag() } else { None };
            if place.is_cluster() && tag.is_none() {
                return Ok(None);
            }
            Channel::open(place.config(&shard.seen.server), self.options, tag.as_deref()).await.map(Some)
        }))
        .await
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

/// What all channels together have proven.
struct All<'a> {
    listener: &'a dyn InvalidationListener,
    /// Since when each has told all.
    proofs: Mutex<Vec<Option<Instant>>>,
}

impl<'a> All<'a> {
    fn of(listener: &'a dyn InvalidationListener, channels: usize) -> Self {
        Self { listener, proofs: Mutex::new(vec![None; channels]) }
    }
}

/// One channel's part in it.
struct Part<'a> {
    all: &'a All<'a>,
    number: usize,
}

impl InvalidationListener for Part<'_> {
    fn holds_anything(&self) -> bool {
        self.all.listener.holds_anything()
    }

    fn changed(&self, id: &SessionId) {
        self.all.listener.changed(id);
    }

    fn lost(&self) {
        self.all.listener.lost();
    }

    /// As much is proven as the one has proven that has proven the least.
    fn alive(&self, at: Instant) {
        let mut proofs = self.all.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs[self.number] = Some(at);
        let least = proofs.iter().copied().min().flatten();
        drop(proofs);
        if let Some(least) = least {
            self.all.listener.alive(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Proven(Mutex<Vec<Instant>>);

    impl InvalidationListener for Proven {
        fn holds_anything(&self) -> bool {
            true
        }

        fn changed(&self, _: &SessionId) {}

        fn lost(&self) {}

        fn alive(&self, at: Instant) {
            self.0.lock().unwrap().push(at);
        }
    }

    #[test]
    fn what_one_channel_has_not_proven_none_has() {
        let (proven, now) = (Proven::default(), Instant::now());
        let all = All::of(&proven, 2);
        let [one, other] = [0, 1].map(|number| Part { all: &all, number });
        let at = |seconds| now + Duration::from_secs(seconds);
        one.alive(at(1));
        one.alive(at(2));
        assert!(proven.0.lock().unwrap().is_empty());
        other.alive(at(3));
        one.alive(at(4));
        one.alive(at(5));
        assert_eq!(*proven.0.lock().unwrap(), [at(2), at(3), at(3)]);
    }
}

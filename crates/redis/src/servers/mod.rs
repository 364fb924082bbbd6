//! The servers of one Redis: one, or the one that Sentinels name, or those of a cluster; and the way of each command to
//! the one that it is for.
//!
//! A cluster's client in fred connects to none of its servers while one is away, and gives up where it is told to ask
//! another. So each server has connections of its own here, and its own breaker: while one is away, the others are asked
//! as ever.

mod absence;
mod informants;
mod redirection;
mod topology;
mod view;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike as _;
use fred::types::Key;
use futures_util::future::{BoxFuture, join_all};
use markt_domain::ports::StoreError;
use markt_domain::store_guard::StoreGuard;
use tokio::sync::{Notify, watch};

use crate::commands::{self, Command};
use crate::connection::{ConnectOptions, Connection, Node};
use crate::errors::{ConnectError, is_answer, store_error};
use crate::keys::Keys;
use crate::place::{Kind, Place};
use crate::tracking::Tracked;
use crate::url::RedisUrl;

use absence::Looks;
pub(crate) use informants::Informants;
use redirection::Redirection;
pub(crate) use topology::{Shard, Topology};

/// How many commands may wait for a server at once: what it answers in some 40 milliseconds, at 100,000 a second. fred
/// itself bounds nothing.
const PLACES: usize = 4096;

/// How often a server that isn't asked any more is asked whether it is back, and who has its keys.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// How often Sentinels are asked for the primary. One that was replaced takes itself for the primary for some seconds more:
/// what it is told then is lost, and what it says may be long past.
const SENTINELS_ASKED_EVERY: Duration = Duration::from_millis(100);

/// The pause between two such questions, whatever seems to have happened or is to be known.
const SENTINELS_REST: Duration = Duration::from_millis(1);
const CLUSTER_RESTS: Duration = Duration::from_millis(100);

/// How often a cluster is asked for its servers, even if nothing seems to have changed: a command that goes to the wrong
/// one is told so.
const CLUSTER_ASKED_EVERY: Duration = Duration::from_secs(5);

/// The pause before a key is asked for again that is on its way from one server to another.
const MOVING_DELAY: Duration = Duration::from_millis(10);

/// All of them. A clone shares them.
#[derive(Clone)]
pub(crate) struct Servers(Arc<Shared>);

struct Shared {
    place: Place,
    options: ConnectOptions,
    /// What stands before all of them together: of a cluster, it counts those who wait, and refuses nobody.
    guard: Arc<StoreGuard>,
    informants: Informants,
    topology: RwLock<Arc<Topology>>,
    doubt: Notify,
    /// Somebody waits to know which servers there are.
    wanted: Notify,
    looks: watch::Sender<Looks>,
    changes: watch::Sender<u64>,
}

impl Servers {
    /// Finds the servers and connects to them.
    pub(crate) async fn open(url: &RedisUrl, options: ConnectOptions) -> Result<Self, ConnectError> {
        if options.connections == 0 {
            return Err(ConnectError::NoConnections);
        }
        let place = Place::new(url)?;
        let informants = Informants::new(place.clone(), options);
        let places = if place.is_cluster() { usize::MAX } else { PLACES };
        let shared = Shared {
            guard: Arc::new(StoreGuard::new("Redis", places)),
            informants,
            topology: RwLock::new(Arc::new(Topology::new(Vec::new(), place.is_cluster()))),
            doubt: Notify::new(),
            wanted: Notify::new(),
            looks: watch::Sender::default(),
            changes: watch::Sender::new(0),
            place,
            options,
        };
        let servers = Self(Arc::new(shared));
        if let Err(error) = servers.look(true).await {
            servers.close().await;
            return Err(ConnectError::of(url, error));
        }
        if !servers.is_one_for_ever() {
            tokio::spawn(servers.clone().watch());
        }
        Ok(servers)
    }

    /// Sends a command about this key to the server that has it, and waits for the answer. It isn't sent if that server
    /// can't be asked now; and it is sent again only if the server that it was sent to says that it isn't the one.
    pub(crate) async fn run<T, F>(
        &self,
        operation: &'static str,
        command: Command,
        key: &Key,
        send: impl Fn(Connection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.0.guard.observe(operation, self.follow(operation, command, key, None, send)).await
    }

    /// The same, over the tracked connection to that server, if there is one.
    pub(crate) async fn run_tracked<T, F>(
        &self,
        operation: &'static str,
        command: Command,
        key: &Key,
        tracked: &Tracked,
        send: impl Fn(Connection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.0.guard.observe(operation, self.follow(operation, command, key, Some(tracked), send)).await
    }

    async fn follow<T, F>(
        &self,
        operation: &'static str,
        command: Command,
        key: &Key,
        tracked: Option<&Tracked>,
        send: impl Fn(Connection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let begun = Instant::now();
        let _place = if self.0.place.is_cluster() { Some(self.0.guard.enter(operation)?) } else { None };
        // From before the servers are looked at, so that no change is missed.
        let mut changes = self.0.place.is_cluster().then(|| self.changes());
        loop {
            let routes = tracked.and_then(Tracked::routes);
            let topology = routes.as_ref().map_or_else(|| self.topology(), |routes| Arc::clone(routes.topology()));
            let Some(number) = topology.number_of(key.as_bytes()) else {
                self.0.doubt.notify_one();
                return Err(StoreError::unavailable(operation, "no server is known that has this key"));
            };
            let node = &topology.shards()[number].node;
            let connection =
                routes.as_ref().and_then(|routes| routes.connection(number)).unwrap_or_else(|| node.next());
            // fred's futures take 7 KB. In a box, they aren't copied with whatever they would be a part of.
            let answer = Box::pin(send(connection));
            let error = match self.attempt(operation, command, node, answer).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(redirection) = Redirection::of(&error) else { return Err(store_error(operation, error)) };
            let left = self.0.options.command_timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(StoreError::unavailable(operation, error));
            }
            if let Some(routes) = routes {
                // What is read elsewhere from now on isn't tracked, and must not be taken for it.
                routes.give_up().await;
            }
            match redirection {
                Redirection::Moved => {
                    self.0.doubt.notify_one();
                    if let Some(changes) = &mut changes {
                        // If nothing changes, the server that was asked may have changed its mind.
                        let _ = tokio::time::timeout(left.min(CLUSTER_RESTS), changes.changed()).await;
                    }
                }
                Redirection::OnItsWay => tokio::time::sleep(MOVING_DELAY).await,
            }
        }
    }

    /// Sends a command to this server, whatever it is about.
    pub(crate) fn run_at<T>(
        &self,
        operation: &'static str,
        command: Command,
        node: &Node,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        let answer = Box::pin(answer);
        self.0.guard.observe(operation, async move {
            self.attempt(operation, command, node, answer).await?.map_err(|error| store_error(operation, error))
        })
    }

    /// Waits for a command's answer, if the server can be asked now.
    async fn attempt<T>(
        &self,
        operation: &'static str,
        command: Command,
        node: &Node,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<Result<T, Error>, StoreError> {
        let _place = node.guard().enter(operation)?;
        let span = node.span(command);
        let result = self.watch_over(node, answer).await;
        commands::see(&span, &result);
        if result.is_ok() && !self.is_one_for_ever() && !self.topology().has(node) && !self.0.guard.is_closing() {
            // It was replaced meanwhile: what it says, or has done, may count for nothing.
            return Err(StoreError::unavailable(operation, "the server was replaced by another"));
        }
        Ok(result)
    }

    /// The same, even if the server is known not to answer.
    async fn watch_over<T>(&self, node: &Node, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let result = answer.await;
        let is_answered = result.as_ref().err().is_none_or(is_answer);
        if node.guard().see(is_answered) {
            tokio::spawn(self.clone().until_answered(Arc::clone(node.guard())));
        }
        if !is_answered {
            self.0.doubt.notify_one();
        }
        result
    }

    /// Finds out when a server that isn't asked any more is back, or another in its place. (In a box, since it asks by
    /// the way that starts it.)
    fn until_answered(self, guard: Arc<StoreGuard>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            while guard.is_open() && !self.0.guard.is_closing() {
                tokio::time::sleep(PROBE_INTERVAL).await;
                self.0.doubt.notify_one();
                let topology = self.topology();
                let before = topology.shards().iter().find(|shard| Arc::ptr_eq(shard.node.guard(), &guard));
                let Some(Shard { node, .. }) = before else { return };
                // The guard has seen what came of it.
                let _ = self.watch_over(node, node.next().ping::<()>(None)).await;
            }
        })
    }

    /// Asks for a sign of life, even if there was none lately. Of a cluster, the one of any server will do: what the
    /// others have goes on.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let topology = self.topology();
        let pings = topology.shards().iter().map(|Shard { node, .. }| async move {
            let connection = node.next();
            self.watch_over(node, connection.ping(None)).await
        });
        let mut trouble = StoreError::unavailable("ping Redis", "no server is known");
        for answer in join_all(pings).await {
            match answer {
                Ok(()) => return Ok(()),
                Err(error) => trouble = store_error("ping Redis", error),
            }
        }
        self.0.doubt.notify_one();
        Err(trouble)
    }

    /// What stands before all of them.
    pub(crate) fn guard(&self) -> Arc<StoreGuard> {
        Arc::clone(&self.0.guard)
    }

    /// Whether one of them isn't asked, because it didn't answer lately.
    pub(crate) fn is_one_away(&self) -> bool {
        self.topology().shards().iter().any(|shard| shard.node.guard().is_open())
    }

    /// How the keys are named.
    pub(crate) fn keys(&self) -> Keys {
        Keys { are_tagged: self.0.place.is_cluster() }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    pub(crate) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.0.topology.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts how often they changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Finds out which servers there are, and connects to those that are new: all of them, or as many as can be reached.
    async fn look(&self, to_all: bool) -> Result<(), Error> {
        let before = self.topology();
        let known = before.shards().iter().map(|shard| shard.seen.server.clone());
        let seen = self.0.informants.ask(known).await?;
        let is_whole = before.shards().iter().all(|shard| !shard.node.is_broken());
        if is_whole && before.shards().iter().map(|shard| &shard.seen).eq(&seen) {
            return Ok(());
        }
        let (mut shards, mut trouble, expected) = (Vec::new(), None, seen.clone());
        for (seen, node) in join_all(seen.into_iter().map(|seen| self.node(&before, seen))).await {
            match node {
                Ok(node) => shards.push(Shard { node, seen }),
                Err(error) => {
                    tracing::debug!(%error, server = %seen.server, "a server of Redis can't be reached");
                    trouble = Some(error);
                }
            }
        }
        let after = Topology::new(shards, self.0.place.is_cluster());
        if self.is_named_by_sentinels() && trouble.is_none() && self.0.informants.ask([]).await? != expected {
            // It was replaced while it was connected to, and may have begun anew, empty, since.
            join_all(after.shards().iter().map(|shard| shard.node.close())).await;
            return Err(Error::new(ErrorKind::Cluster, "another server has become the primary"));
        }
        match trouble {
            Some(error) if to_all || after.shards().is_empty() => Err(error),
            _ => {
                self.replace(&before, after);
                Ok(())
            }
        }
    }

    async fn node(&self, before: &Topology, seen: view::Seen) -> (view::Seen, Result<Node, Error>) {
        if let Some(node) = before.node_at(&seen.server).filter(|node| !node.is_broken()) {
            return (seen, Ok(node.clone()));
        }
        let guard = match self.0.place.is_cluster() {
            true => Arc::new(StoreGuard::new("Redis", PLACES)),
            // There is but one at a time.
            false => self.guard(),
        };
        let node = Node::open(self.0.place.config(&seen.server), self.0.options, guard, !self.is_named_by_sentinels());
        (seen, node.await)
    }

    /// Whether there is one, whatever becomes of it.
    fn is_one_for_ever(&self) -> bool {
        matches!(self.0.place.kind(), Kind::Single(_))
    }

    /// Whether a server may be another one by the time that a lost connection to it comes back: a primary that was killed
    /// and is started again knows nothing of its successor, and perhaps of no session. So Sentinels are asked first.
    fn is_named_by_sentinels(&self) -> bool {
        matches!(self.0.place.kind(), Kind::Sentinels { .. })
    }

    fn replace(&self, before: &Topology, after: Topology) {
        let is_same =
            before.shards().iter().map(|shard| &shard.seen).eq(after.shards().iter().map(|shard| &shard.seen));
        if !before.shards().is_empty() && !is_same {
            let servers: Vec<_> = after.shards().iter().map(|shard| shard.seen.server.to_string()).collect();
            tracing::warn!(servers = servers.join(", "), "the servers of Redis have changed");
        }
        let gone = before.shards().iter().filter(|shard| !after.has(&shard.node));
        for node in gone.map(|shard| shard.node.clone()) {
            tokio::spawn(async move { node.close().await });
        }
        *self.0.topology.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Finds out which servers there are, again and again.
    async fn watch(self) {
        let is_cluster = self.0.place.is_cluster();
        let (every, rest) = match is_cluster {
            true => (CLUSTER_ASKED_EVERY, CLUSTER_RESTS),
            false => (SENTINELS_ASKED_EVERY, SENTINELS_REST),
        };
        while !self.0.guard.is_closing() {
            tokio::select! {
                () = self.0.doubt.notified(), if is_cluster => {}
                () = self.0.wanted.notified() => {}
                () = tokio::time::sleep(every) => {}
            }
            self.look_for_all().await;
            tokio::time::sleep(rest).await;
        }
    }

    pub(crate) async fn close(&self) {
        self.0.guard.close();
        let topology = self.topology();
        join_all(topology.shards().iter().map(|shard| shard.node.close())).await;
        self.0.informants.close().await;
    }
}

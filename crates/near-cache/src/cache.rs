//! The cache itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use markt_domain::ports::StoreError;
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations};
use markt_domain::ports::session_store::{SessionStore, StoredSession, Touch};
use markt_domain::session::SessionId;
use quick_cache::sync::{Cache, EntryAction, EntryResult, GuardResult};
use tokio::sync::oneshot;

use crate::touches::Touches;
use crate::trust::{Incarnation, Trust};
use crate::user_agents::UserAgents;
use crate::users::{Floor, Users};
use crate::{Observation, Options, Statistics};

/// How many touches are written in one go.
const BATCH: usize = 512;

/// How long a flush may take. A session that may end before the flush after the next one is over is touched at once.
const FLUSH_TIME: Duration = Duration::from_secs(2);

/// Sessions in memory over a store. Cheap to clone; the clones share what they hold.
pub struct NearCache<S> {
    pub(crate) shared: Arc<Shared<S>>,
}

impl<S> Clone for NearCache<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// What the clones share.
pub(crate) struct Shared<S> {
    pub(crate) store: S,
    options: Options,
    entries: Cache<SessionId, Entry>,
    trust: Trust,
    pub(crate) users: Users,
    user_agents: UserAgents,
    touches: Touches,
    counts: Counts,
    /// Who wants to know when a session's place is emptied by the channel.
    observed: Mutex<Option<(SessionId, oneshot::Sender<Instant>)>>,
}

/// What happened so far.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    sessions_invalidated: AtomicU64,
    times_emptied: AtomicU64,
}

/// A session that is held.
#[derive(Clone)]
struct Entry {
    stored: Arc<StoredSession>,
    user: Arc<Floor>,
    incarnation: Incarnation,
}

impl<S: SessionStore + 'static> NearCache<S> {
    /// A cache over this store, which holds nothing until it is [run](Self::run).
    #[must_use]
    pub fn new(store: S, options: Options) -> Self {
        let shared = Shared {
            store,
            options,
            entries: Cache::new(options.capacity),
            trust: Trust::new(options.max_staleness),
            users: Users::new(),
            user_agents: UserAgents::new(),
            touches: Touches::default(),
            counts: Counts::default(),
            observed: Mutex::new(None),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Listens to what others change, and writes touches every now and then, for as long as it is polled.
    pub async fn run(&self, invalidations: &dyn Invalidations) {
        let told = invalidations.tell(&*self.shared, self.shared.options.heartbeat());
        tokio::join!(told, self.shared.flush_regularly());
    }

    /// Measures how long it takes until a revocation is seen here: has a session held that nobody else uses, has it
    /// revoked past this cache, as another node would, and waits, but no longer than `patience`.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn observe_revocation(
        &self,
        id: &SessionId,
        revoke: impl Future<Output = Result<(), StoreError>>,
        patience: Duration,
    ) -> Result<Observation, StoreError> {
        self.shared.find(id).await?;
        let is_held = self.shared.peek(id).is_some();
        let seen = self.shared.observe(*id);
        let sent = Instant::now();
        revoke.await?;
        if !is_held {
            return Ok(Observation::NotHeld);
        }
        match tokio::time::timeout(patience, seen).await {
            Ok(Ok(at)) => Ok(Observation::Seen(at.saturating_duration_since(sent))),
            // What isn't served any more for want of a proof that the channel is alive was dealt with as well.
            _ if self.shared.peek(id).is_none() => Ok(Observation::Seen(sent.elapsed())),
            _ => Ok(Observation::Unseen(sent.elapsed())),
        }
    }

    /// How the cache is doing.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let Shared { options, entries, trust, touches, counts, .. } = &*self.shared;
        Statistics {
            sessions: entries.len(),
            capacity: options.capacity,
            is_usable: trust.present().is_some(),
            touches_waiting: touches.len(),
            hits: counts.hits.load(Ordering::Relaxed),
            misses: counts.misses.load(Ordering::Relaxed),
            sessions_invalidated: counts.sessions_invalidated.load(Ordering::Relaxed),
            times_emptied: counts.times_emptied.load(Ordering::Relaxed),
        }
    }

    /// Writes the touches that wait.
    ///
    /// # Errors
    /// If the store can't be reached or read. What wasn't written waits again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.shared.flush().await
    }
}

impl<S: SessionStore> Shared<S> {
    pub(crate) fn peek(&self, id: &SessionId) -> Option<Arc<StoredSession>> {
        let present = self.trust.present()?;
        let entry = self.entries.get(id).filter(|entry| entry.counts(present))?;
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        Some(entry.stored)
    }

    pub(crate) async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.counts.misses.fetch_add(1, Ordering::Relaxed);
        self.write_touch(id).await?;
        let Some(incarnation) = self.trust.present() else { return self.store.find(id).await };
        // A place is kept for what will be found. An invalidation that comes first takes the place away.
        self.forget(id);
        let place = match self.entries.get_value_or_guard(id, Some(Duration::ZERO)) {
            GuardResult::Guard(place) => Some(place),
            GuardResult::Value(_) | GuardResult::Timeout => None,
        };
        let changes = self.users.changes();
        let mut found = self.store.find(id).await?;
        if let Some(successor) = found.as_ref().map(|stored| stored.session.id).filter(|other| other != id)
            && self.write_touch(&successor).await?
        {
            found = self.store.find(id).await?;
        }
        // What an id that was rotated away leads to belongs in another place, and is looked for there soon.
        if let (Some(place), Some(stored)) = (place, found.as_ref().filter(|stored| stored.session.id == *id)) {
            let user = self.users.floor(&stored.session.user_id);
            if self.users.changes() == changes {
                let mut stored = stored.clone();
                self.user_agents.share(&mut stored.session.client.user_agent);
                let _taken_away = place.insert(Entry { stored: Arc::new(stored), user, incarnation });
            }
        }
        Ok(found)
    }

    pub(crate) fn forget(&self, id: &SessionId) {
        self.entries.remove(id);
    }

    /// What these ids lead to, so that it can be forgotten once it has ended. An id that was rotated away has no place of
    /// its own.
    pub(crate) async fn resolve(&self, ids: &[SessionId]) -> Result<Vec<SessionId>, StoreError> {
        let mut all = ids.to_vec();
        for id in ids.iter().filter(|id| !self.entries.contains_key(*id)) {
            all.extend(self.store.find(id).await?.map(|stored| stored.session.id));
        }
        Ok(all)
    }

    /// Whether the touch could be put off: the session is held, and won't end before the touch is written.
    pub(crate) fn put_off(&self, touch: Touch) -> bool {
        if self.options.flush_interval.is_zero() {
            return false;
        }
        let Some(present) = self.trust.present() else { return false };
        let margin = (self.options.flush_interval + FLUSH_TIME) * 2;
        self.with_entry(&touch.id, |entry| {
            let is_safe = entry.stored.session.ends_at().since(touch.last_activity) > margin;
            let waits = entry.counts(present) && is_safe && self.touches.add(touch);
            if waits {
                entry.touch(touch);
            }
            waits
        })
    }

    /// Notes the touch, which the store has been told of, where the session is held.
    pub(crate) fn note(&self, touch: Touch) {
        self.with_entry(&touch.id, |entry| {
            entry.touch(touch);
            true
        });
    }

    /// Does this to the entry, if there is one, while nobody else can.
    fn with_entry(&self, id: &SessionId, change: impl FnOnce(&mut Entry) -> bool) -> bool {
        let on_entry = |_: &SessionId, entry: &mut Entry| EntryAction::Retain(change(entry));
        match self.entries.entry(id, Some(Duration::ZERO), on_entry) {
            EntryResult::Retained(outcome) => outcome,
            _ => false,
        }
    }

    /// Writes the touch of this session that waits, so that the store knows of it before it is asked. Returns whether
    /// there was one.
    pub(crate) async fn write_touch(&self, id: &SessionId) -> Result<bool, StoreError> {
        let Some(touch) = self.touches.take(id) else { return Ok(false) };
        self.write(&[touch]).await?;
        Ok(true)
    }

    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let touches = self.touches.take_all();
        let mut outcome = Ok(());
        for batch in touches.chunks(BATCH) {
            match outcome {
                Ok(()) => outcome = self.write(batch).await,
                Err(_) => self.wait_again(batch),
            }
        }
        outcome
    }

    async fn write(&self, batch: &[Touch]) -> Result<(), StoreError> {
        match self.store.touch_all(batch).await {
            Ok(there) => {
                let gone = batch.iter().zip(there).filter(|(_, there)| !there);
                gone.for_each(|(touch, _)| self.forget(&touch.id));
                Ok(())
            }
            Err(error) => {
                self.wait_again(batch);
                Err(error)
            }
        }
    }

    /// To write a touch twice does no harm; one that there is no more room for is written with the session's next.
    fn wait_again(&self, batch: &[Touch]) {
        for touch in batch {
            self.touches.add(*touch);
        }
    }

    async fn flush_regularly(&self) {
        // Otherwise none ever waits.
        while !self.options.flush_interval.is_zero() {
            tokio::time::sleep(self.options.flush_interval).await;
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "the use of sessions is written down later");
            }
        }
    }

    /// Tells when the channel empties this session's place.
    fn observe(&self, id: SessionId) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        *self.observed.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, sender));
        receiver
    }

    fn tell_observer(&self, is_meant: impl FnOnce(&SessionId) -> bool) {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sender)) = observed.take_if(|(id, _)| is_meant(id)) {
            let _nobody_waits = sender.send(Instant::now());
        }
    }
}

impl Entry {
    /// Whether nothing has happened since that makes it worthless.
    fn counts(&self, present: Incarnation) -> bool {
        self.incarnation == present && self.user.admits(self.stored.user_version)
    }

    fn touch(&mut self, touch: Touch) {
        let session = &mut Arc::make_mut(&mut self.stored).session;
        if session.last_activity < touch.last_activity {
            session.last_activity = touch.last_activity;
            session.idle_expires_at = touch.idle_expires_at;
        }
    }
}

impl<S: SessionStore> InvalidationListener for Shared<S> {
    fn holds_anything(&self) -> bool {
        !self.entries.is_empty()
    }

    fn changed(&self, id: &SessionId) {
        self.counts.sessions_invalidated.fetch_add(1, Ordering::Relaxed);
        self.forget(id);
        self.tell_observer(|observed| observed == id);
    }

    fn lost(&self) {
        self.counts.times_emptied.fetch_add(1, Ordering::Relaxed);
        self.trust.lose();
        // None of them counts any more; this makes room.
        self.entries.clear();
        self.tell_observer(|_| true);
    }

    fn alive(&self, at: Instant) {
        self.trust.prove_alive(at);
    }
}

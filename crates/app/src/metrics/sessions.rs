//! Sessions that ended, by why they did.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_directory::SessionDirectory;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore, StoredSession, Touch};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::sleep;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: &'static str,
}

/// How often the sessions are counted: it costs the store something.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);

/// How many sessions there are (`markt_sessions_active`).
pub struct ActiveSessions(Gauge);

impl ActiveSessions {
    /// Shown among these metrics.
    pub fn register(metrics: &mut Registry) -> Self {
        let gauge = Gauge::default();
        let help = "Sessions in the store, counted once a minute; estimated from a sample where Redis has many keys";
        metrics.register("markt_sessions_active", help, gauge.clone());
        Self(gauge)
    }

    /// Counts them now and then, for as long as it is polled.
    pub async fn keep_counting(self, directory: Arc<dyn SessionDirectory>) {
        loop {
            match directory.estimated_count().await {
                Ok(count) => {
                    self.0.set(i64::try_from(count.sessions).unwrap_or(i64::MAX));
                }
                Err(error) => tracing::debug!(%error, "the sessions were not counted"),
            }
            sleep(COUNT_INTERVAL).await;
        }
    }
}

/// A session store that counts what it ends (`markt_sessions_ended_total`). What runs out ends by itself, and isn't
/// counted; nor is what gives way to a login that it came along with.
pub struct CountedSessions {
    sessions: Arc<dyn SessionStore>,
    ended: Family<Labels, Counter>,
}

impl CountedSessions {
    /// Counts what is ended in this store, and shows it among these metrics.
    pub fn register(metrics: &mut Registry, sessions: Arc<dyn SessionStore>) -> Self {
        let ended = Family::default();
        metrics.register("markt_sessions_ended", "Sessions that this process ended, by why", Family::clone(&ended));
        Self { sessions, ended }
    }

    fn count(&self, ending: Ending, sessions: u64) {
        if sessions > 0 {
            self.ended.get_or_create(&Labels { reason: ending.as_str() }).inc_by(sessions);
        }
    }
}

#[async_trait]
impl SessionStore for CountedSessions {
    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError> {
        let creation = self.sessions.create(session, user_version, max_per_user, replaces).await?;
        if let Creation::Created { evicted } = &creation {
            self.count(Ending::Evicted, u64::try_from(evicted.len()).unwrap_or(u64::MAX));
        }
        Ok(creation)
    }

    fn peek(&self, id: &SessionId) -> Option<Arc<StoredSession>> {
        self.sessions.peek(id)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.sessions.find(id).await
    }

    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        self.sessions.ending(id).await
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        self.sessions.list(user).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        last_activity: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.sessions.touch(id, last_activity, idle_expires_at).await
    }

    async fn touch_all(&self, touches: &[Touch]) -> Result<Vec<bool>, StoreError> {
        self.sessions.touch_all(touches).await
    }

    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError> {
        self.sessions.update(session, revision).await
    }

    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError> {
        self.sessions.rotate(old, revision, successor, honoured_until).await
    }

    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError> {
        let deleted = self.sessions.delete(id, ending).await?;
        self.count(ending, u64::from(deleted));
        Ok(deleted)
    }

    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError> {
        let deleted = self.sessions.delete_before_epoch(user, state, keep, ending).await?;
        self.count(ending, deleted);
        Ok(deleted)
    }

    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        self.sessions.user_changed(user, version).await
    }
}

//! The cache as a session store: what only looks asks memory, what changes something goes to the store under it.

use std::num::NonZeroU32;
use std::panic::resume_unwind;
use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore, StoredSession, Touch};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use tracing::Instrument as _;

use crate::NearCache;

/// Runs what changes sessions to its end, also if whoever asked for it goes away: what it ends must be forgotten here.
async fn finish<T: Send + 'static>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(cancelled) => Err(StoreError::unavailable(operation, cancelled)),
        },
    }
}

#[async_trait]
impl<S: SessionStore + 'static> SessionStore for NearCache<S> {
    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError> {
        let shared = Arc::clone(&self.shared);
        let (session, replaces) = (session.clone(), replaces.to_vec());
        let work = async move {
            let replaced = shared.resolve(&replaces).await?;
            let creation = shared.store.create(&session, user_version, max_per_user, &replaces).await;
            replaced.iter().for_each(|id| shared.forget(id));
            if let Ok(Creation::Created { evicted }) = &creation {
                evicted.iter().for_each(|id| shared.forget(id));
            }
            creation
        };
        finish("create session", work).await
    }

    fn suits(&self, id: &SessionId, user: &UserId) -> bool {
        self.shared.store.suits(id, user)
    }

    fn peek(&self, id: &SessionId) -> Option<Arc<StoredSession>> {
        self.shared.peek(id)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.shared.find(id).await
    }

    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        self.shared.store.ending(id).await
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        self.shared.flush().await?;
        self.shared.store.list(user).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        last_activity: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let touch = Touch { id: *id, last_activity, idle_expires_at };
        if self.shared.put_off(touch) {
            return Ok(true);
        }
        let is_there = self.shared.store.touch(id, last_activity, idle_expires_at).await?;
        if is_there {
            self.shared.note(touch)
        } else {
            self.shared.forget(id)
        }
        Ok(is_there)
    }

    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError> {
        let shared = Arc::clone(&self.shared);
        let session = session.clone();
        let work = async move {
            shared.write_touch(&session.id).await?;
            let change = shared.store.update(&session, revision).await;
            shared.forget(&session.id);
            change
        };
        finish("update session", work).await
    }

    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError> {
        let shared = Arc::clone(&self.shared);
        let (old, successor) = (*old, successor.clone());
        let work = async move {
            shared.write_touch(&old).await?;
            let change = shared.store.rotate(&old, revision, &successor, honoured_until).await;
            shared.forget(&old);
            change
        };
        finish("rotate session", work).await
    }

    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError> {
        let shared = Arc::clone(&self.shared);
        let id = *id;
        let work = async move {
            let ended = shared.resolve(&[id]).await?;
            let deleted = shared.store.delete(&id, ending).await;
            ended.iter().for_each(|id| shared.forget(id));
            deleted
        };
        finish("delete session", work).await
    }

    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError> {
        let shared = Arc::clone(&self.shared);
        let user = user.clone();
        let work = async move {
            let deleted = shared.store.delete_before_epoch(&user, state, keep, ending).await?;
            shared.users.raise(&user, state.version);
            Ok(deleted)
        };
        finish("delete sessions before epoch", work).await
    }

    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let user = user.clone();
        let work = async move {
            shared.store.user_changed(&user, version).await?;
            shared.users.raise(&user, version);
            Ok(())
        };
        finish("tell sessions of changed user", work).await
    }
}

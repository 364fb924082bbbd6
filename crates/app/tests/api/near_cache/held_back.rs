//! A store whose answers can be held back, so that something comes between an answer and its hearing.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore, StoredSession};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};
use tokio::sync::oneshot;

/// Which answer is held back.
#[derive(Clone, Default)]
pub struct Holding(Arc<Mutex<Option<Held>>>);

/// The store's end of an answer that is to be held back.
struct Held {
    give: oneshot::Sender<()>,
    let_go: oneshot::Receiver<()>,
}

/// The next answer: done when the store has given it, and let go by being dropped.
pub struct Next {
    pub given: oneshot::Receiver<()>,
    _let_go: oneshot::Sender<()>,
}

impl Holding {
    /// Holds back the store's next answer to who looks for a session.
    pub fn next(&self) -> Next {
        let ((give, given), (_let_go, let_go)) = (oneshot::channel(), oneshot::channel());
        *self.0.lock().unwrap() = Some(Held { give, let_go });
        Next { given, _let_go }
    }
}

/// The store beneath, but for that.
pub struct HeldBack<S> {
    pub store: S,
    pub holding: Holding,
}

#[async_trait]
impl<S: SessionStore> SessionStore for HeldBack<S> {
    fn suits(&self, id: &SessionId, user: &UserId) -> bool {
        self.store.suits(id, user)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let held = self.holding.0.lock().unwrap().take();
        let found = self.store.find(id).await;
        if let Some(Held { give, let_go }) = held {
            give.send(()).unwrap();
            // By being dropped at the other end.
            let _ = let_go.await;
        }
        found
    }

    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError> {
        self.store.create(session, user_version, max_per_user, replaces).await
    }

    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        self.store.ending(id).await
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        self.store.list(user).await
    }

    async fn touch(&self, id: &SessionId, used: Timestamp, idle_end: Timestamp) -> Result<bool, StoreError> {
        self.store.touch(id, used, idle_end).await
    }

    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError> {
        self.store.update(session, revision).await
    }

    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError> {
        self.store.rotate(old, revision, successor, honoured_until).await
    }

    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError> {
        self.store.delete(id, ending).await
    }

    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError> {
        self.store.delete_before_epoch(user, state, keep, ending).await
    }

    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        self.store.user_changed(user, version).await
    }
}

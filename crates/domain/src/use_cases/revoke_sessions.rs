//! Ends sessions at an operator's wish (ASVS 7.4.5).

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::session_directory::PageError;
use crate::ports::session_store::{SessionStore, StoredSession};
use crate::ports::user_store::UserStore;
use crate::selector::Selector;
use crate::session::{Ending, SessionId};
use crate::use_cases::walk_sessions::{OnProgress, WalkSessions};
use crate::user::UserId;

/// How many of the sessions that a selector picks are shown.
pub const SAMPLE: usize = 10;

/// Ends sessions.
pub struct RevokeSessions {
    /// What goes through all of them.
    pub walk: WalkSessions,
    /// Where they are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

/// What a selector picks.
#[derive(Clone, Debug, Default)]
pub struct Picked {
    /// How many sessions.
    pub count: u64,
    /// Some of them.
    pub sample: Vec<StoredSession>,
}

impl RevokeSessions {
    /// Ends the session that this id finds. Returns whether there was one.
    ///
    /// # Errors
    /// If the store can't be reached or read. It should be tried again then.
    pub async fn one(&self, id: &SessionId) -> Result<bool, StoreError> {
        let is_ended = self.sessions.delete(id, Ending::RevokedByOperator).await?;
        if is_ended {
            let record = AuditRecord::new(AuditEvent::SessionRevoked).of(*id);
            self.audit.record(record.ended(Ending::RevokedByOperator, 1));
        }
        Ok(is_ended)
    }

    /// Ends all of the user's sessions for good, by a new session epoch: none comes back with a backup of the store, and
    /// none that the store's index has lost is left. Returns how many the store had.
    ///
    /// # Errors
    /// If a store can't be reached or read. It should be tried again then.
    pub async fn all_of(&self, user: &UserId) -> Result<u64, StoreError> {
        let state = self.users.begin_session_epoch(user, None).await?;
        let ended = self.sessions.delete_before_epoch(user, state, None, Ending::RevokedByOperator).await?;
        let record = AuditRecord::new(AuditEvent::SessionsRevoked).of_user(user);
        self.audit.record(record.ended(Ending::RevokedByOperator, ended));
        Ok(ended)
    }

    /// What this picks, without ending anything.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn survey(&self, selector: &Selector, progress: OnProgress<'_>) -> Result<Picked, PageError> {
        let mut picked = Picked::default();
        let mut walk = self.walk.begin(selector, None);
        while let Some(batch) = walk.next().await? {
            for stored in batch {
                picked.count += 1;
                if picked.sample.len() < SAMPLE {
                    picked.sample.push(stored);
                }
            }
            progress(walk.looked_at());
        }
        Ok(picked)
    }

    /// Ends the sessions that this picks, each as it is met: one that begins meanwhile may live on. Returns how many there
    /// were.
    ///
    /// # Errors
    /// If the store can't be reached or read. Some were ended then, and it should be tried again.
    pub async fn all(&self, selector: &Selector, progress: OnProgress<'_>) -> Result<u64, PageError> {
        let mut ended = 0;
        let mut walk = self.walk.begin(selector, None);
        while let Some(batch) = walk.next().await? {
            for stored in batch {
                ended += u64::from(self.one(&stored.session.id).await?);
            }
            progress(walk.looked_at());
        }
        Ok(ended)
    }
}

//! Lets a user log in (again), or not any more: an operator's doing (ASVS 7.4.2, 7.4.5).

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::Ending;
use crate::user::UserId;

/// Activates and deactivates users.
pub struct SetActive {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl SetActive {
    /// Lets the user log in (again).
    ///
    /// # Errors
    /// If a store can't be reached or read.
    pub async fn activate(&self, user: &UserId) -> Result<(), StoreError> {
        if let Some(state) = self.users.set_active(user, true, self.clock.now()).await? {
            self.sessions.user_changed(user, state.version).await?;
            self.audit.record(AuditRecord::new(AuditEvent::UserActivated).of_user(user));
        }
        Ok(())
    }

    /// Ends all of the user's sessions, and lets the user not log in any more. Returns how many sessions that ended.
    ///
    /// # Errors
    /// If a store can't be reached or read. It should be tried again then.
    pub async fn deactivate(&self, user: &UserId) -> Result<u64, StoreError> {
        let Some(state) = self.users.set_active(user, false, self.clock.now()).await? else { return Ok(0) };
        let ended = self.sessions.delete_before_epoch(user, state, None, Ending::Deactivated).await?;
        self.audit
            .record(AuditRecord::new(AuditEvent::UserDeactivated).of_user(user).ended(Ending::Deactivated, ended));
        Ok(ended)
    }
}

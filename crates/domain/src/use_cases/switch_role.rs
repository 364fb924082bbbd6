//! Lets a user who has both accounts act as the other one, on this device.

use std::sync::Arc;

use crate::ports::StoreError;
use crate::ports::authenticator::Authenticated;
use crate::role::Role;
use crate::session::{Session, Transport};
use crate::use_cases::rotate_session::{ChangedSession, RotateSession};

/// Why the role was not switched.
#[derive(Debug, thiserror::Error)]
pub enum SwitchRoleError {
    /// The user hasn't both accounts, or the other one was deactivated.
    #[error("the user can't act as {0}")]
    RoleUnavailable(Role),
    /// There is no session that could be switched.
    #[error("no session of this service")]
    NoSession,
    /// The session ended meanwhile.
    #[error("the session was revoked")]
    SessionRevoked,
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Switches roles.
pub struct SwitchRole {
    /// What changes the session.
    pub rotation: Arc<RotateSession>,
}

impl SwitchRole {
    /// Switches the session to the other role than the caller saw. A cookie gets a new secret; a bearer keeps its own,
    /// since it can't be planted and apps read it at login only.
    ///
    /// # Errors
    /// If the user can't act in the other role, or the session ended meanwhile, or a store fails.
    pub async fn execute(&self, caller: &Authenticated) -> Result<ChangedSession, SwitchRoleError> {
        if !caller.has_session {
            return Err(SwitchRoleError::NoSession);
        }
        let session = &caller.session;
        let role = session.current_role.other();
        let user = caller.account.user();
        if !(user.is_buyer && user.is_seller && caller.account.profile.is_usable(role)) {
            return Err(SwitchRoleError::RoleUnavailable(role));
        }
        let to_role = |session: &mut Session, _| session.current_role = role;
        let changed = match session.transport {
            Transport::Cookie => self.rotation.rotate(&session.id, caller.by_former_secret, to_role).await?,
            Transport::Bearer => self.rotation.change(&session.id, caller.by_former_secret, to_role).await?,
        };
        changed.ok_or(SwitchRoleError::SessionRevoked)
    }
}

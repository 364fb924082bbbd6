//! Makes a session fresh again by the password (ASVS 7.2.4, 7.5.1).

use std::sync::Arc;

use crate::client::Client;
use crate::credentials::Password;
use crate::ports::authenticator::Authenticated;
use crate::use_cases::confirm_password::{ConfirmPassword, PasswordError};
use crate::use_cases::rotate_session::{ChangedSession, RotateSession};

/// Re-authenticates users.
pub struct Reauthenticate {
    /// What checks the password.
    pub confirm: Arc<ConfirmPassword>,
    /// What gives the session its new secret.
    pub rotation: Arc<RotateSession>,
}

impl Reauthenticate {
    /// Makes the caller's session fresh, gives it a new secret and binds it to this client.
    ///
    /// # Errors
    /// If it is another password, or the session ended meanwhile, or that can't be told.
    pub async fn execute(
        &self,
        caller: &Authenticated,
        password: &Password,
        client: &Client,
    ) -> Result<ChangedSession, PasswordError> {
        if !caller.has_session {
            return Err(PasswordError::NoSession);
        }
        let session = &caller.session;
        self.confirm.execute(&session.user_id, password, client).await?;
        let changed = self.rotation.rotate(&session.id, caller.by_former_secret, |session, now| {
            session.authenticated_at = now;
            session.password_given = true;
            session.client = client.clone();
        });
        changed.await?.ok_or(PasswordError::SessionRevoked)
    }

    /// Whether who gave the password is fresh by it. Who came by a secret that was replaced already keeps that, and what
    /// the password did is for its successor.
    #[must_use]
    pub fn makes_fresh(&self, changed: &ChangedSession) -> bool {
        let ChangedSession { session, is_renewed, .. } = changed;
        *is_renewed && self.rotation.policy.is_fresh(session, session.authenticated_at)
    }
}

//! Changes a password that its user knows.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::credentials::{NewPassword, Password};
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::Authenticated;
use crate::ports::clock::Clock;
use crate::ports::password_hasher::PasswordHasher;
use crate::ports::user_store::UserStore;
use crate::session::Ending;
use crate::use_cases::confirm_password::{ConfirmPassword, PasswordError};
use crate::use_cases::end_others::EndOthers;
use crate::use_cases::rotate_session::{ChangedSession, RotateSession};

/// How often the change is begun again because the password's hash was made anew in the middle of it.
const ATTEMPTS: usize = 3;

/// Changes passwords.
pub struct ChangePassword {
    /// What checks the present password.
    pub confirm: Arc<ConfirmPassword>,
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// What ends the other sessions.
    pub end_others: Arc<EndOthers>,
    /// What hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What gives the session its new secret.
    pub rotation: Arc<RotateSession>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl ChangePassword {
    /// Sets the new password, ends all of the user's sessions but the caller's, and gives that one a new secret.
    ///
    /// # Errors
    /// If the present password is another one, or the session ended meanwhile, or that can't be told.
    pub async fn execute(
        &self,
        caller: &Authenticated,
        present: &Password,
        new: &NewPassword,
        client: &Client,
    ) -> Result<ChangedSession, PasswordError> {
        if !caller.has_session {
            return Err(PasswordError::NoSession);
        }
        let (user, id) = (&caller.session.user_id, &caller.session.id);
        for _ in 0..ATTEMPTS {
            let old = self.confirm.execute(user, present, client).await?;
            let hash = self.hasher.hash(new.password()).await?;
            let now = self.clock.now();
            let family = caller.session.family;
            let Some(state) = self.users.change_password(user, &old, &hash, family, now).await? else { continue };
            let ended = self.end_others.execute(&caller.session, state, Ending::PasswordChanged).await?;
            let record = AuditRecord::new(AuditEvent::PasswordChanged).of_session(&caller.session).by(client);
            self.audit.record(record.ended(Ending::PasswordChanged, ended.unwrap_or_default()));
            ended.ok_or(PasswordError::SessionRevoked)?;
            let changed = self.rotation.rotate(id, caller.by_former_secret, |session, now| {
                session.authenticated_at = now;
                session.password_given = true;
                session.client = client.clone();
            });
            return changed.await?.ok_or(PasswordError::SessionRevoked);
        }
        Err(PasswordError::WrongPassword)
    }
}

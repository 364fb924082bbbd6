//! Lets a user who forgot the password set a new one, by a code that is sent to the user's address.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::code::CodePurpose;
use crate::credentials::{EmailAddress, NewPassword, Password};
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::password_hasher::PasswordHasher;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::Ending;
use crate::use_cases::mailed_codes::{MailedCodes, SendCodeError, TakeCodeError};
use crate::use_cases::throttle::Throttle;

/// Sends codes to who forgot the password, and takes them.
pub struct ResetPassword {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// The users as sessions see them.
    pub accounts: Arc<Accounts>,
    /// What hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What sends codes.
    pub codes: Arc<MailedCodes>,
    /// What keeps anybody from sending many.
    pub throttle: Arc<Throttle>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl ResetPassword {
    /// Sends a code to this address, if it is an active user's. The caller can't tell.
    ///
    /// # Errors
    /// If there were too many, or the code couldn't be made or kept.
    pub async fn send(&self, email: &EmailAddress, client: &Client) -> Result<(), SendCodeError> {
        self.throttle.send_code(email, client).await?;
        match self.users.find_by_email(email).await? {
            Some(found) if found.account.user().is_active => {
                self.codes.send(found.account.user(), CodePurpose::ResetPassword).await
            }
            _ => self.codes.pretend().await,
        }
    }

    /// Takes the code that the user read in the mail, sets the new password and ends all of the user's sessions.
    ///
    /// # Errors
    /// If it isn't the code, or that can't be told. If a store fails after the code was used up, another one is needed.
    pub async fn confirm(
        &self,
        email: &EmailAddress,
        code: &Password,
        password: &NewPassword,
        client: &Client,
    ) -> Result<(), TakeCodeError> {
        let found = self.users.find_by_email(email).await?;
        let user = found.as_ref().map(|found| &found.account.user().id);
        let right = self.codes.check(user, CodePurpose::ResetPassword, code).await?;
        let hash = self.hasher.hash(password.password()).await?;
        // Before the password is set: of two who bring the same code, one sets the password.
        self.codes.redeem(&right).await?;
        let user = right.user();
        let state =
            self.users.reset_password(user, &hash, self.clock.now()).await?.ok_or(TakeCodeError::InvalidCode)?;
        self.accounts.forget(user);
        let ended = self.sessions.delete_before_epoch(user, state, None, Ending::PasswordReset).await?;
        self.audit.record(
            AuditRecord::new(AuditEvent::PasswordReset).of_user(user).by(client).ended(Ending::PasswordReset, ended),
        );
        Ok(())
    }
}

//! Proves that an e-mail address is its user's, by a code that is sent there.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::code::CodePurpose;
use crate::credentials::{EmailAddress, Password};
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::use_cases::mailed_codes::{MailedCodes, SendCodeError, TakeCodeError};
use crate::use_cases::throttle::Throttle;
use crate::user::User;

/// Sends codes to addresses and takes them.
pub struct VerifyEmail {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What sends codes.
    pub codes: Arc<MailedCodes>,
    /// What keeps anybody from sending many.
    pub throttle: Arc<Throttle>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl VerifyEmail {
    /// Sends a code to this address, if it is a user's who has not proven it yet. The caller can't tell.
    ///
    /// # Errors
    /// If there were too many, or the code couldn't be made or kept.
    pub async fn send(&self, email: &EmailAddress, client: &Client) -> Result<(), SendCodeError> {
        self.throttle.send_code(email, client).await?;
        match self.users.find_by_email(email).await? {
            Some(found) if !found.account.user().email_verified => self.send_to(found.account.user()).await,
            _ => self.codes.pretend().await,
        }
    }

    /// Sends a code to this user.
    ///
    /// # Errors
    /// If the code couldn't be made or kept.
    pub async fn send_to(&self, user: &User) -> Result<(), SendCodeError> {
        self.codes.send(user, CodePurpose::VerifyEmail).await
    }

    /// Takes the code that the user read in the mail.
    ///
    /// # Errors
    /// If it isn't the code, or that can't be told.
    pub async fn verify(&self, email: &EmailAddress, code: &Password, client: &Client) -> Result<(), TakeCodeError> {
        let found = self.users.find_by_email(email).await?;
        let user = found.as_ref().map(|found| &found.account.user().id);
        let right = self.codes.check(user, CodePurpose::VerifyEmail, code).await?;
        // Marked before the code is used up: should a store fail in between, the user can try the same code again.
        if let Some(version) = self.users.mark_email_verified(right.user(), self.clock.now()).await? {
            self.sessions.user_changed(right.user(), version).await?;
        }
        self.codes.redeem(&right).await?;
        self.audit.record(AuditRecord::new(AuditEvent::EmailVerified).of_user(right.user()).by(client));
        Ok(())
    }
}

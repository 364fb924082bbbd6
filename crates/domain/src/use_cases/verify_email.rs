//! Proves that an e-mail address is its user's, by a code that is sent there.

use std::sync::Arc;

use crate::code::{CODE_LIFETIME, CODE_TRIES, Code, CodePurpose};
use crate::credentials::{EmailAddress, Password};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::code_store::{CodeStore, StoredCode};
use crate::ports::entropy::Entropy;
use crate::ports::mailer::{Mail, MailContent, Mailer};
use crate::ports::password_hasher::{HashingError, PasswordHasher, Verdict};
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::user::User;

/// Why a code was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendCodeError {
    /// The code couldn't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an address was not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyEmailError {
    /// Not the code, or none was sent, or it is void, or it was tried too often.
    #[error("invalid or expired code")]
    InvalidCode,
    /// The code couldn't be checked.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends codes and checks them.
pub struct VerifyEmail {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where codes are kept.
    pub codes: Arc<dyn CodeStore>,
    /// What hashes codes: six digits could be guessed from a plain digest (ASVS 6.5.2).
    pub hasher: Arc<dyn PasswordHasher>,
    /// What sends them.
    pub mailer: Arc<dyn Mailer>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws them.
    pub entropy: Arc<dyn Entropy>,
}

impl VerifyEmail {
    /// Sends a code to this address, if it is a user's who has not proven it yet. The caller can't tell.
    ///
    /// # Errors
    /// If the code couldn't be made or kept.
    pub async fn send(&self, email: &EmailAddress) -> Result<(), SendCodeError> {
        match self.users.find_by_email(email).await? {
            Some(found) if !found.account.user().email_verified => self.send_to(found.account.user()).await,
            _ => {
                // What a code would have cost, so that the time tells nothing either.
                self.hasher.hash(&Code::generate(self.entropy.as_ref()).to_password()).await?;
                Ok(())
            }
        }
    }

    /// Sends a code to this user.
    ///
    /// # Errors
    /// If the code couldn't be made or kept.
    pub async fn send_to(&self, user: &User) -> Result<(), SendCodeError> {
        let code = Code::generate(self.entropy.as_ref());
        let stored = StoredCode {
            hash: self.hasher.hash(&code.to_password()).await?,
            expires_at: self.clock.now().plus(CODE_LIFETIME),
            tries_left: CODE_TRIES,
        };
        self.codes.put(&user.id, CodePurpose::VerifyEmail, &stored).await?;
        self.mailer.post(Mail {
            to: user.email.clone(),
            username: user.username.clone(),
            content: MailContent::VerifyEmail(code),
        });
        Ok(())
    }

    /// Takes the code that the user read in the mail.
    ///
    /// # Errors
    /// If it isn't the code, or that can't be told.
    pub async fn verify(&self, email: &EmailAddress, code: &Password) -> Result<(), VerifyEmailError> {
        let purpose = CodePurpose::VerifyEmail;
        let now = self.clock.now();
        let found = self.users.find_by_email(email).await?;
        let user = found.as_ref().map(|found| &found.account.user().id);
        let hash = match user {
            Some(user) => self.codes.take_try(user, purpose, now).await?,
            None => None,
        };
        let verdict = self.hasher.verify(code, hash.as_ref()).await?;
        let (Some(user), Some(hash)) = (user, hash) else {
            return Err(VerifyEmailError::InvalidCode);
        };
        if verdict == Verdict::Wrong {
            return Err(VerifyEmailError::InvalidCode);
        }
        // Marked before the code is used up: should a store fail in between, the user can try the same code again.
        if let Some(version) = self.users.mark_email_verified(user, now).await? {
            self.sessions.user_changed(user, version).await?;
        }
        if self.codes.redeem(user, purpose, &hash).await? { Ok(()) } else { Err(VerifyEmailError::InvalidCode) }
    }
}

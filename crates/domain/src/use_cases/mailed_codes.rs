//! Sends codes by mail and takes them: what proving an address and setting a new password share.

use std::sync::Arc;

use crate::code::{CODE_LIFETIME, CODE_TRIES, Code, CodePurpose};
use crate::credentials::{Password, PasswordHash};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::code_store::{CodeStore, StoredCode};
use crate::ports::entropy::Entropy;
use crate::ports::mailer::{Mail, MailContent, Mailer};
use crate::ports::password_hasher::{HashingError, PasswordHasher, Verdict};
use crate::use_cases::throttle::ThrottleError;
use crate::user::{User, UserId};

/// Why a code was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendCodeError {
    /// There were too many, or it can't be told.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// The code couldn't be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a code was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeCodeError {
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

/// A code that was given rightly, and can be used once.
#[derive(Debug)]
pub struct RightCode {
    user: UserId,
    purpose: CodePurpose,
    hash: PasswordHash,
}

impl RightCode {
    /// Whose code it is.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }
}

/// Sends codes and checks them.
pub struct MailedCodes {
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

impl MailedCodes {
    /// Sends a code to this user.
    ///
    /// # Errors
    /// If the code couldn't be made or kept.
    pub async fn send(&self, user: &User, purpose: CodePurpose) -> Result<(), SendCodeError> {
        let code = Code::generate(self.entropy.as_ref());
        let stored = StoredCode {
            hash: self.hasher.hash(&code.to_password()).await?,
            expires_at: self.clock.now().plus(CODE_LIFETIME),
            tries_left: CODE_TRIES,
        };
        self.codes.put(&user.id, purpose, &stored).await?;
        let content = match purpose {
            CodePurpose::VerifyEmail => MailContent::VerifyEmail(code),
            CodePurpose::ResetPassword => MailContent::ResetPassword(code),
        };
        self.mailer.post(Mail { to: user.email.clone(), username: user.username.clone(), content });
        Ok(())
    }

    /// Does what sending a code would have cost, so that the time doesn't tell that none was sent.
    ///
    /// # Errors
    /// If that couldn't be done.
    pub async fn pretend(&self) -> Result<(), SendCodeError> {
        self.hasher.hash(&Code::generate(self.entropy.as_ref()).to_password()).await?;
        Ok(())
    }

    /// Checks a code for this user, or as long for nobody.
    ///
    /// # Errors
    /// If it isn't the code, or that can't be told.
    pub async fn check(
        &self,
        user: Option<&UserId>,
        purpose: CodePurpose,
        code: &Password,
    ) -> Result<RightCode, TakeCodeError> {
        let hash = match user {
            Some(user) => self.codes.take_try(user, purpose, self.clock.now()).await?,
            None => None,
        };
        let verdict = self.hasher.verify(code, hash.as_ref()).await?;
        match (user, hash, verdict) {
            (Some(user), Some(hash), Verdict::Right | Verdict::RightButOutdated) => {
                Ok(RightCode { user: user.clone(), purpose, hash })
            }
            _ => Err(TakeCodeError::InvalidCode),
        }
    }

    /// Uses the code up. Of many callers with the same one, one succeeds.
    ///
    /// # Errors
    /// If it was used up or replaced by another meanwhile, or that can't be told.
    pub async fn redeem(&self, code: &RightCode) -> Result<(), TakeCodeError> {
        let redeemed = self.codes.redeem(&code.user, code.purpose, &code.hash).await?;
        if redeemed { Ok(()) } else { Err(TakeCodeError::InvalidCode) }
    }
}

//! Checks the password of somebody who is logged in already: the step that re-authentication and the password's change
//! share.

use std::sync::Arc;

use crate::client::Client;
use crate::credentials::{Password, PasswordHash};
use crate::ports::StoreError;
use crate::ports::password_hasher::{HashingError, PasswordHasher, Verdict};
use crate::ports::user_store::UserStore;
use crate::use_cases::throttle::{Throttle, ThrottleError};
use crate::user::UserId;

/// Why what a logged-in caller asked for with a password was not done.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is another password.
    #[error("wrong password")]
    WrongPassword,
    /// There is no session that could be renewed.
    #[error("no session of this service")]
    NoSession,
    /// The session ended meanwhile.
    #[error("the session was revoked")]
    SessionRevoked,
    /// Too much was tried, or it can't be told.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// The password couldn't be checked.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks passwords of users who are logged in.
pub struct ConfirmPassword {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// What checks passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What keeps anybody from guessing.
    pub throttle: Arc<Throttle>,
}

impl ConfirmPassword {
    /// Checks the password, and returns the hash that it was checked against.
    ///
    /// # Errors
    /// If it is another one, or that can't be told.
    pub async fn execute(
        &self,
        user: &UserId,
        password: &Password,
        client: &Client,
    ) -> Result<PasswordHash, PasswordError> {
        let attempt = self.throttle.confirm(user, client).await?;
        let hash = self.users.find_password(user).await?;
        let verdict = self.hasher.verify(password, hash.as_ref()).await?;
        match (verdict, hash) {
            (Verdict::Right | Verdict::RightButOutdated, Some(hash)) => {
                attempt.succeeded().await?;
                Ok(hash)
            }
            _ => {
                attempt.failed().await?;
                Err(PasswordError::WrongPassword)
            }
        }
    }
}

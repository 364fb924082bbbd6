//! Hashing of passwords and codes.
//!
//! An adapter runs the work on threads of its own, bounded in number and in queue, so that a flood of logins can't
//! hold up anything else (ADR 6). No caller holds a lock, a connection or a transaction across a call.

use async_trait::async_trait;

use crate::credentials::{Password, PasswordHash};

/// What became of a password's check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or there is none.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, but the hash is of a form of old or too cheap: it should be replaced.
    RightButOutdated,
}

/// Why no hash was made or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// The queue is full: better told at once than waited for.
    #[error("too many passwords are being hashed")]
    Overloaded,
    /// The hasher failed.
    #[error("the password hasher failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes and checks hashes.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// If there is too much to do already, or hashing fails.
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError>;

    /// Checks a password. Without a hash, or with one of an unknown form, it is wrong, after the time that a check of
    /// a present hash would have taken.
    ///
    /// # Errors
    /// If there is too much to do already, or hashing fails.
    async fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> Result<Verdict, HashingError>;
}

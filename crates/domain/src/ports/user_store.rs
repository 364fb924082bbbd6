//! Where users are kept.
//!
//! # Writing an adapter
//!
//! - Each change is one transaction, and counts the user's version up in it.
//! - E-mail addresses and usernames are unique without regard to case, even for two writers at once.
//! - The suite `markt_test_support::contracts::user_store` passes.

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::credentials::{EmailAddress, PasswordHash, Username};
use crate::user::{Account, AccountWithPassword, NewUser, UserId, UserState, UserVersion};

/// Why a user was not made. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// The e-mail address belongs to a user.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// The username belongs to a user.
    #[error("the username is taken")]
    UsernameTaken,
    /// The id belongs to a user: another can be drawn.
    #[error("the id is taken")]
    IdTaken,
    /// There are no categories with these numbers.
    #[error("unknown categories {0:?}")]
    UnknownCategories(Vec<i32>),
    /// The store didn't do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps users.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Makes a user, whole or not at all.
    ///
    /// # Errors
    /// Says what is taken or unknown, or that the store can't be reached or read.
    async fn create(&self, user: &NewUser) -> Result<Account, CreateUserError>;

    /// The account of the user with this id.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError>;

    /// The account of the user with this address, with the password's hash.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn find_by_email(&self, email: &EmailAddress) -> Result<Option<AccountWithPassword>, StoreError>;

    /// Whether a user has this name.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn is_username_taken(&self, username: &Username) -> Result<bool, StoreError>;

    /// Whether there are no users at all.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn is_empty(&self) -> Result<bool, StoreError>;

    /// Writes down that the user logged in. Returns the new version, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn record_login(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError>;

    /// Replaces a password's hash by another of the same password, if it is still the old one. Returns whether it was.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn replace_password_hash(
        &self,
        id: &UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Writes down that the user's address was proven. Returns the new version, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn mark_email_verified(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError>;

    /// Begins a new session epoch: every session of the user made before is dead. Returns the counters after it.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn begin_session_epoch(&self, id: &UserId) -> Result<UserState, StoreError>;
}

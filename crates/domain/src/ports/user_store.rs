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
use crate::client::Network;
use crate::credentials::{EmailAddress, PasswordHash, Username};
use crate::session::SessionFamily;
use crate::user::{
    Account, AccountWithPassword, BuyerChanges, NewBuyer, NewSeller, NewUser, SellerChanges, SessionEpoch, UserChanges,
    UserId, UserState, UserVersion,
};

/// How many of the networks that a user logged in from are known: the last ones.
pub const KNOWN_NETWORKS: u64 = 10;

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

/// Why a user's account as a buyer or a seller was not made or changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The user has such an account already.
    #[error("the account is there already")]
    Exists,
    /// There is no such account, or no such user.
    #[error("there is no such account")]
    Missing,
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

    /// The hash of the user's password, if there is such a user with one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn find_password(&self, id: &UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// Whether the user with this address has logged in or registered from this network lately. Takes the same steps for an address
    /// that nobody has.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn knows_network(&self, email: &EmailAddress, network: Network) -> Result<bool, StoreError>;

    /// Writes down that the user logged in, and from where: the last [`KNOWN_NETWORKS`] networks are known. Returns the
    /// new version, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn record_login(
        &self,
        id: &UserId,
        network: Network,
        at: Timestamp,
    ) -> Result<Option<UserVersion>, StoreError>;

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

    /// Sets a new password, if the old one's hash is still this, and begins a new session epoch in the same step,
    /// which the session of the family `keep` outlives. Returns the counters after it, or nothing if it is another password by now.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn change_password(
        &self,
        id: &UserId,
        old: &PasswordHash,
        new: &PasswordHash,
        keep: SessionFamily,
        at: Timestamp,
    ) -> Result<Option<UserState>, StoreError>;

    /// Sets a new password whatever the old one was, takes the address that the code came to for proven, and begins a
    /// new session epoch, all in one step. Returns the counters after it, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn reset_password(
        &self,
        id: &UserId,
        new: &PasswordHash,
        at: Timestamp,
    ) -> Result<Option<UserState>, StoreError>;

    /// Writes down that the user's address was proven. Returns the new version, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn mark_email_verified(&self, id: &UserId, at: Timestamp) -> Result<Option<UserVersion>, StoreError>;

    /// Changes the user. Returns the new version, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn update(
        &self,
        id: &UserId,
        changes: &UserChanges,
        at: Timestamp,
    ) -> Result<Option<UserVersion>, StoreError>;

    /// Makes the user's account as a buyer. Returns the new version.
    ///
    /// # Errors
    /// If there is one already, or no such user, or the store can't be reached or read.
    async fn create_buyer(&self, id: &UserId, buyer: &NewBuyer, at: Timestamp) -> Result<UserVersion, AccountError>;

    /// Makes the user's account as a seller. Returns the new version.
    ///
    /// # Errors
    /// If there is one already, or no such user, or a category is unknown, or the store can't be reached or read.
    async fn create_seller(&self, id: &UserId, seller: &NewSeller, at: Timestamp) -> Result<UserVersion, AccountError>;

    /// Changes the user's account as a buyer. Returns the new version.
    ///
    /// # Errors
    /// If there is none, or the store can't be reached or read.
    async fn update_buyer(
        &self,
        id: &UserId,
        changes: &BuyerChanges,
        at: Timestamp,
    ) -> Result<UserVersion, AccountError>;

    /// Changes the user's account as a seller. Returns the new version.
    ///
    /// # Errors
    /// If there is none, or a category is unknown, or the store can't be reached or read.
    async fn update_seller(
        &self,
        id: &UserId,
        changes: &SellerChanges,
        at: Timestamp,
    ) -> Result<UserVersion, AccountError>;

    /// Lets the user log in (again), or not any more; the latter begins a new session epoch in the same step. Returns
    /// the counters after it, or nothing if there is no such user.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn set_active(&self, id: &UserId, active: bool, at: Timestamp) -> Result<Option<UserState>, StoreError>;

    /// Begins a new session epoch: every session of the user made before is dead, but for that of the family `keep`.
    /// Returns the counters after it.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn begin_session_epoch(&self, id: &UserId, keep: Option<SessionFamily>) -> Result<UserState, StoreError>;

    /// When the user's present session epoch began; nothing if none has, as far as the store knows.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn session_epoch_began_at(&self, id: &UserId) -> Result<Option<Timestamp>, StoreError>;

    /// Drops the note of the session that outlived the beginning of this epoch, once it was raised to it: so none of
    /// its earlier secrets can come back with a backup. Does nothing if another epoch has begun. The version stays.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn forget_kept_session(&self, id: &UserId, epoch: SessionEpoch) -> Result<(), StoreError>;
}

//! Where the codes are kept that were mailed.
//!
//! A new adapter passes `markt_test_support::contracts::code_store`. One user has at most one code for each purpose.

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::code::CodePurpose;
use crate::credentials::PasswordHash;
use crate::user::UserId;

/// A code as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCode {
    /// The code's hash.
    pub hash: PasswordHash,
    /// When it is void.
    pub expires_at: Timestamp,
    /// How often it can still be tried.
    pub tries_left: u32,
}

/// Keeps codes.
#[async_trait]
pub trait CodeStore: Send + Sync {
    /// Keeps a code, in place of the one before.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn put(&self, user: &UserId, purpose: CodePurpose, code: &StoredCode) -> Result<(), StoreError>;

    /// Takes one of the tries, and returns the hash to try against; nothing if there is no code, it is void, or its
    /// tries are used up. Of many callers at once, no more than there are tries get one.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn take_try(
        &self,
        user: &UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<PasswordHash>, StoreError>;

    /// Uses the code up, if it is still the one with this hash. Of many callers at once, one gets `true`.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn redeem(&self, user: &UserId, purpose: CodePurpose, hash: &PasswordHash) -> Result<bool, StoreError>;
}

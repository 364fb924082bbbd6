//! Where it is remembered which tokens were exchanged for a session.

use async_trait::async_trait;

use super::StoreError;
use crate::Timestamp;
use crate::digest::Digest;

/// Remembers spent tokens. Passes the suite `markt_test_support::contracts::spent_tokens`.
#[async_trait]
pub trait SpentTokens: Send + Sync {
    /// Spends the token that this digest tells from all others, and remembers it until the token is void anyway. Of many
    /// callers at once, one gets `true`.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn spend(&self, token: &Digest, expires_at: Timestamp) -> Result<bool, StoreError>;

    /// Whether it is remembered that this token was spent.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    async fn is_spent(&self, token: &Digest) -> Result<bool, StoreError>;
}

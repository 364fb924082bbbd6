//! Who still comes with tokens, while they are given up.

use crate::client::Client;
use crate::tokens::Issuer;

/// Counts requests that were let in by a token.
pub trait TokenUses: Send + Sync {
    /// One more, of this client.
    fn count(&self, client: &Client, issuer: Issuer);
}

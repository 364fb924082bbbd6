//! What signs tokens, and tells whether one is to be believed.

use super::StoreError;
use crate::Timestamp;
use crate::tokens::{AccessClaims, InvalidToken, RefreshClaims, Token};

/// Tells which access tokens of an issuer are to be believed. Asks nobody.
///
/// What it reads, it believes: the signature is of the configured key and algorithm, whatever the token's header says, and
/// issuer and audience are those that are configured, if any are.
pub trait TokenVerifier: Send + Sync {
    /// What an access token says, at this time.
    ///
    /// # Errors
    /// If it isn't acceptable.
    fn read_access(&self, text: &str, now: Timestamp) -> Result<AccessClaims, InvalidToken>;
}

/// Signs tokens, and reads those that it signed.
///
/// - The same claims give the same token, so that two requests that are answered the same get the same.
/// - The suite `markt_test_support::contracts::token_signer` passes.
pub trait TokenSigner: TokenVerifier {
    /// Signs an access token.
    ///
    /// # Errors
    /// If the key can't be used, which the adapter should have found out when it got it.
    fn sign_access(&self, claims: &AccessClaims) -> Result<Token, StoreError>;

    /// Signs a refresh token.
    ///
    /// # Errors
    /// As above.
    fn sign_refresh(&self, claims: &RefreshClaims) -> Result<Token, StoreError>;

    /// What a refresh token says, at this time.
    ///
    /// # Errors
    /// If it isn't acceptable.
    fn read_refresh(&self, text: &str, now: Timestamp) -> Result<RefreshClaims, InvalidToken>;
}

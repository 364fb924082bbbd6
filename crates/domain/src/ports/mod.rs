//! What the use cases need from outside, as traits that adapters implement.
//!
//! Each is dyn-safe, since configuration picks the adapter at run time. *Not found* is `Ok(None)`, never an error.

pub mod audit_log;
pub mod authenticator;
pub mod clock;
pub mod code_store;
pub mod device_recognizer;
pub mod entropy;
pub mod foreign_sessions;
pub mod invalidations;
pub mod mailer;
pub mod password_hasher;
pub mod rate_limiter;
pub mod session_directory;
pub mod session_store;
pub mod spent_tokens;
pub mod store_observer;
pub mod token_signer;
pub mod token_uses;
pub mod user_store;

use std::error::Error;
use std::fmt;

/// Why a store didn't do what it was asked.
#[derive(Debug)]
pub struct StoreError {
    /// What kind of trouble it is.
    pub kind: StoreErrorKind,
    /// What was being done, for the log: `find session`.
    pub operation: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

/// The kinds of trouble with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// It can't be reached, or not in time. It may be later: the caller gets a 503, never a 401.
    Unavailable,
    /// It answered something that can't be understood. Trying again won't help: the caller gets a 500.
    Unreadable,
}

impl StoreError {
    /// The store can't be reached, or not in time.
    pub fn unavailable(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: StoreErrorKind::Unavailable, operation, source: source.into() }
    }

    /// The store's answer can't be understood.
    pub fn unreadable(operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: StoreErrorKind::Unreadable, operation, source: source.into() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            StoreErrorKind::Unavailable => "store unavailable",
            StoreErrorKind::Unreadable => "store unreadable",
        };
        write!(f, "{kind} at: {}", self.operation)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

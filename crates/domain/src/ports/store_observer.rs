//! Who watches what the stores take.

use std::time::Duration;

use super::StoreErrorKind;

/// Is told of each operation on a store.
pub trait StoreObserver: Send + Sync {
    /// This operation (`find session`) took so long, and failed for this if it did.
    fn observe(&self, operation: &'static str, took: Duration, error: Option<StoreErrorKind>);
}

//! What time it is.

use crate::Timestamp;

/// Tells the time. Tests move it instead of sleeping.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

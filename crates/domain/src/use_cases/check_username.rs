//! Tells whether a username can be had.

use std::sync::Arc;

use crate::credentials::Username;
use crate::ports::StoreError;
use crate::ports::user_store::UserStore;

/// Whether a username can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It can.
    Available,
    /// A user has it.
    Taken,
    /// Nobody can have it.
    Reserved,
}

/// Looks usernames up.
pub struct CheckUsername {
    users: Arc<dyn UserStore>,
}

impl CheckUsername {
    /// Looks usernames up in this store.
    #[must_use]
    pub fn new(users: Arc<dyn UserStore>) -> Self {
        Self { users }
    }

    /// Whether this one can be had.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn execute(&self, username: &Username) -> Result<Availability, StoreError> {
        if username.is_reserved() {
            return Ok(Availability::Reserved);
        }
        let taken = self.users.is_username_taken(username).await?;
        Ok(if taken { Availability::Taken } else { Availability::Available })
    }
}

//! Whose a session is to be that isn't proven by a password, but by what another system or a token said some time ago.

use crate::Timestamp;
use crate::ports::StoreError;
use crate::ports::user_store::UserStore;
use crate::role::Role;
use crate::user::{Account, UserId};

/// The user, if it is one who may have a session for what was good then: not if all sessions were ended since, nor if the
/// user may not log in.
///
/// # Errors
/// If the store can't be reached or read.
pub async fn holder(users: &dyn UserStore, id: &UserId, then: Timestamp) -> Result<Option<Account>, StoreError> {
    let Some(account) = users.find(id).await? else { return Ok(None) };
    let epoch_began_at = users.session_epoch_began_at(id).await?;
    let is_of_the_epoch = epoch_began_at.is_none_or(|began_at| then >= began_at);
    Ok((account.user().is_active && is_of_the_epoch).then_some(account))
}

/// The role that the user had there, where it can be acted in here.
#[must_use]
pub fn role_of(account: &Account, there: Option<Role>) -> Role {
    there.filter(|role| account.profile.is_usable(*role)).unwrap_or_else(|| account.user().default_role())
}

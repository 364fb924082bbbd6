//! Ends the sessions of epochs that are over, but for the caller's: the step that "log out the others" and the
//! password's change share.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::ports::StoreError;
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::{Ending, Session};
use crate::user::UserState;

/// Ends sessions of epochs that are over.
pub struct EndOthers {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// The users as sessions see them.
    pub accounts: Arc<Accounts>,
}

impl EndOthers {
    /// Ends all sessions of the user but this one, whose family outlives the epoch that just began. Returns how many
    /// there were; nothing if this one has ended meanwhile: another of the user's devices may have asked for the same in
    /// this moment, and this was one of its others.
    ///
    /// # Errors
    /// If the store can't be reached or read. It should be tried again then.
    pub async fn execute(&self, kept: &Session, state: UserState, ending: Ending) -> Result<Option<u64>, StoreError> {
        let user = &kept.user_id;
        self.accounts.forget(user);
        let ended = self.sessions.delete_before_epoch(user, state, Some(kept.family), ending).await?;
        let Some(found) = self.sessions.find(&kept.id).await? else { return Ok(None) };
        // A session that the store's index has lost was not raised, and goes on living by the note.
        if found.session.epoch >= state.epoch
            && let Err(error) = self.users.forget_kept_session(user, state.epoch).await
        {
            // What is there is as it should be; only a backup could bring an earlier secret of this session back.
            tracing::warn!(%error, user_id = %user, "the note of a kept session stays");
        }
        Ok(Some(ended))
    }
}

//! Ends sessions at their user's wish.

use std::fmt;
use std::sync::Arc;

use crate::accounts::Accounts;
use crate::ports::StoreError;
use crate::ports::authenticator::{Authenticated, Authenticator, Revocation};
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::Ending;

/// Which sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// This one.
    ThisSession,
    /// All of the user's.
    Everywhere,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThisSession => "this session",
            Self::Everywhere => "everywhere",
        })
    }
}

/// Logs users out.
pub struct LogOut {
    sessions: Arc<dyn SessionStore>,
    users: Arc<dyn UserStore>,
    accounts: Arc<Accounts>,
    authenticator: Arc<dyn Authenticator>,
}

impl LogOut {
    /// Ends the sessions of this store.
    #[must_use]
    pub fn new(
        sessions: Arc<dyn SessionStore>,
        users: Arc<dyn UserStore>,
        accounts: Arc<Accounts>,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        Self { sessions, users, accounts, authenticator }
    }

    /// Ends the session, or all of its user's. When it returns, they are dead on every node; whether what was handed out
    /// for them is so, too, is what it returns.
    ///
    /// # Errors
    /// If a store can't be reached or read. The sessions may be alive then, and it should be tried again.
    pub async fn execute(&self, caller: &Authenticated, extent: Extent) -> Result<Revocation, StoreError> {
        let session = &caller.session;
        match extent {
            Extent::ThisSession => {
                self.sessions.delete(&session.id, Ending::LoggedOut).await?;
            }
            Extent::Everywhere => {
                // The epoch first: with it the sessions are dead for good, even those that the index has lost or that
                // come back from a backup; here at once, on other nodes when they read the user again.
                let state = self.users.begin_session_epoch(&session.user_id, None).await?;
                self.accounts.forget(&session.user_id);
                self.sessions.delete_before_epoch(&session.user_id, state, None, Ending::LoggedOutEverywhere).await?;
            }
        }
        Ok(self.authenticator.revocation(caller))
    }
}

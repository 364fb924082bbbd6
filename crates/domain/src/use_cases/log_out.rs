//! Ends sessions at their user's wish.

use std::fmt;
use std::sync::Arc;

use crate::accounts::Accounts;
use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::{Authenticated, Authenticator, Revocation};
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::Ending;
use crate::user::UserId;

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
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// The users as sessions see them.
    pub accounts: Arc<Accounts>,
    /// What tells how soon nobody is let in any more.
    pub authenticator: Arc<dyn Authenticator>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl LogOut {
    /// Ends the session, or all of its user's, as this client asks. When it returns, they are dead on every node; whether
    /// what was handed out for them is so, too, is what it returns.
    ///
    /// # Errors
    /// If a store can't be reached or read. The sessions may be alive then, and it should be tried again.
    pub async fn execute(
        &self,
        caller: &Authenticated,
        client: &Client,
        extent: Extent,
    ) -> Result<Revocation, StoreError> {
        let session = &caller.session;
        let (ending, ended) = match extent {
            Extent::ThisSession => {
                (Ending::LoggedOut, self.sessions.delete(&session.id, Ending::LoggedOut).await?.into())
            }
            Extent::Everywhere => (Ending::LoggedOutEverywhere, self.end_all(&session.user_id).await?),
        };
        let revocation = self.authenticator.revocation(caller);
        let record = AuditRecord::new(AuditEvent::LoggedOut).of_session(session).by(client);
        self.audit.record(record.because(format!("{extent}, {revocation}")).ended(ending, ended));
        Ok(revocation)
    }

    /// The epoch first: with it the sessions are dead for good, even those that the index has lost or that come back from a
    /// backup; here at once, on other nodes when they read the user again.
    async fn end_all(&self, user: &UserId) -> Result<u64, StoreError> {
        let state = self.users.begin_session_epoch(user, None).await?;
        self.accounts.forget(user);
        self.sessions.delete_before_epoch(user, state, None, Ending::LoggedOutEverywhere).await
    }
}

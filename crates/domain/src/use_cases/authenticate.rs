//! Tells whose session a request belongs to.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::session::{Session, SessionSecret};
use crate::user::Account;

/// A caller who is logged in.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The session that the request belongs to.
    pub session: Session,
    /// Whose session it is.
    pub account: Arc<Account>,
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// No secret, or none that opens a session.
    #[error("not logged in")]
    NotAuthenticated,
    /// The session ran out.
    #[error("the session has expired")]
    SessionExpired,
    /// The session was ended: by its user from elsewhere, or with the user's account.
    #[error("the session was revoked")]
    SessionRevoked,
    /// Secrets of two different sessions, both valid: nobody can say who is asking.
    #[error("two valid secrets of different sessions")]
    AmbiguousCredentials,
    /// It can't be told now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Authenticates requests.
pub struct Authenticate {
    sessions: Arc<dyn SessionStore>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
}

impl Authenticate {
    /// Authenticates against this store.
    #[must_use]
    pub fn new(sessions: Arc<dyn SessionStore>, accounts: Arc<Accounts>, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, accounts, clock }
    }

    /// Finds the session that these secrets open; one valid session among them counts. Without a secret no store is
    /// asked.
    ///
    /// # Errors
    /// Says why the caller is not let in, or that it can't be told.
    pub async fn by_secrets(&self, secrets: &[SessionSecret]) -> Result<Authenticated, AuthenticateError> {
        let mut valid: Option<Authenticated> = None;
        let mut refusal = AuthenticateError::NotAuthenticated;
        for secret in secrets {
            match self.by_secret(secret).await {
                Ok(found) if valid.as_ref().is_some_and(|other| other.session.id != found.session.id) => {
                    return Err(AuthenticateError::AmbiguousCredentials);
                }
                Ok(found) => valid = Some(found),
                Err(error @ AuthenticateError::Store(_)) => return Err(error),
                Err(AuthenticateError::NotAuthenticated) => {}
                Err(reason) => refusal = reason,
            }
        }
        valid.ok_or(refusal)
    }

    async fn by_secret(&self, secret: &SessionSecret) -> Result<Authenticated, AuthenticateError> {
        let found = self.sessions.find(&secret.id()).await?;
        let Some(stored) = found else {
            return Err(AuthenticateError::NotAuthenticated);
        };
        let session = stored.session;
        if session.is_expired(self.clock.now()) {
            return Err(AuthenticateError::SessionExpired);
        }
        let account = self.accounts.get(&session.user_id, stored.user_version).await?;
        match account {
            Some(account) if account.user().is_active && session.epoch >= account.state.epoch => {
                Ok(Authenticated { session, account })
            }
            _ => Err(AuthenticateError::SessionRevoked),
        }
    }
}

//! By either, while clients go over from tokens to sessions: new logins get sessions, and tokens that are out are accepted.

use std::sync::Arc;

use async_trait::async_trait;

use super::by_session::BySession;
use super::by_token::ByToken;
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::authenticator::{
    Activity, AuthenticateError, Authenticated, Authenticator, Credentials, HandedOut, Revocation,
};
use crate::session::{Session, SessionId, SessionSecret};

/// Knows callers by their sessions, and by their tokens if they have no session yet.
pub struct ByEither {
    /// The one way.
    pub sessions: Arc<BySession>,
    /// The other.
    pub tokens: Arc<ByToken>,
}

impl ByEither {
    /// A client on its way may well send both. Its session counts, as long as both are of one user.
    async fn by_both(
        &self,
        presented: &Credentials<'_>,
        client: &Client,
        activity: Activity,
    ) -> Result<Authenticated, AuthenticateError> {
        let by_session = match self.sessions.authenticate(presented, client, activity).await {
            Ok(caller) => caller,
            Err(error @ (AuthenticateError::Store(_) | AuthenticateError::AmbiguousCredentials)) => return Err(error),
            Err(reason) => {
                return self.tokens.authenticate(presented, client, activity).await.map_err(|error| match error {
                    // Why the session doesn't count is what the client has to know.
                    AuthenticateError::InvalidToken | AuthenticateError::NotAuthenticated => reason,
                    other => other,
                });
            }
        };
        let users = self.tokens.users(presented.tokens);
        if users.iter().any(|user| *user != by_session.session.user_id) {
            return Err(AuthenticateError::AmbiguousCredentials);
        }
        Ok(by_session)
    }

    /// How this session's client proves it.
    fn way_of(&self, session: &Session) -> &dyn Authenticator {
        if session.refresh.is_some() { &*self.tokens } else { &*self.sessions }
    }
}

#[async_trait]
impl Authenticator for ByEither {
    fn recall(&self, presented: &Credentials<'_>, client: &Client, activity: Activity) -> Option<Authenticated> {
        match (presented.secrets, presented.tokens) {
            (_, []) => self.sessions.recall(presented, client, activity),
            ([], _) => self.tokens.recall(presented, client, activity),
            _ => None,
        }
    }

    async fn authenticate(
        &self,
        presented: &Credentials<'_>,
        client: &Client,
        activity: Activity,
    ) -> Result<Authenticated, AuthenticateError> {
        match (presented.secrets, presented.tokens) {
            (_, []) => self.sessions.authenticate(presented, client, activity).await,
            ([], _) => self.tokens.authenticate(presented, client, activity).await,
            _ => self.by_both(presented, client, activity).await,
        }
    }

    async fn is_current(&self, id: &SessionId) -> bool {
        self.sessions.is_current(id).await
    }

    fn hand_out(&self, session: &Session, secret: SessionSecret) -> Result<HandedOut, StoreError> {
        self.way_of(session).hand_out(session, secret)
    }

    fn hand_out_changed(&self, session: &Session) -> Result<Option<HandedOut>, StoreError> {
        self.way_of(session).hand_out_changed(session)
    }

    fn revocation(&self, caller: &Authenticated) -> Revocation {
        match caller.secret {
            Some(_) => self.sessions.revocation(caller),
            None => self.tokens.revocation(caller),
        }
    }
}

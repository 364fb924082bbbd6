//! How a caller is known: by a session that the store has, or by a token that says all that is needed.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use super::session_store::StoredSession;
use crate::Timestamp;
use crate::accounts::KnownAccount;
use crate::client::Client;
use crate::session::{Session, SessionId, SessionSecret};
use crate::tokens::IssuedTokens;

/// What a request brings to show who is calling.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The different session secrets.
    pub secrets: &'a [SessionSecret],
    /// What was sent as a bearer token and can't be a session secret.
    pub tokens: &'a [&'a str],
}

/// A session as it was found, shared with whoever remembers it; or as a token describes it.
#[derive(Clone, Debug)]
pub struct FoundSession(pub(crate) Arc<StoredSession>);

impl Deref for FoundSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0.session
    }
}

/// A caller who is logged in.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// The session that the request belongs to.
    pub session: FoundSession,
    /// Whether the store has that session. A token that another issuer made belongs to none, and is one of its own: what
    /// changes a session can't be done by it.
    pub has_session: bool,
    /// Whose session it is.
    pub account: Arc<KnownAccount>,
    /// Whether the caller gave the password recently enough for what needs that.
    pub is_fresh: bool,
    /// Whether the caller's secret was replaced by another meanwhile: it is honoured, for requests under way, but
    /// neither keeps the session alive nor is replaced again.
    pub by_former_secret: bool,
    /// Which of the secrets opened the session: its place among those presented. Nothing if it wasn't a secret.
    pub secret: Option<usize>,
    /// Whether it was written down that the session was used, so that it lives longer from now on.
    pub was_touched: bool,
}

/// What a request means for its session's idle timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// The session is used.
    Use,
    /// It is only looked at, as by a page that polls: it goes on running out.
    Look,
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
    /// The session was ended: by its user, or with the user's account.
    #[error("the session was revoked")]
    SessionRevoked,
    /// A token came along that isn't acceptable.
    #[error("a token that is not acceptable")]
    InvalidToken,
    /// Secrets of two different sessions, both valid: nobody can say who is asking.
    #[error("two valid secrets of different sessions")]
    AmbiguousCredentials,
    /// It can't be told now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a client is given to prove its session with.
#[derive(Clone, Debug)]
pub enum HandedOut {
    /// The session's secret.
    Secret(SessionSecret),
    /// Tokens.
    Tokens(IssuedTokens),
}

/// How soon nobody is let in any more by what was handed out for a session that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// At once, everywhere.
    Immediate,
    /// When the last access token has expired, which is at this time at the latest.
    AtExpiry(Timestamp),
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Immediate => f.write_str("immediate"),
            Self::AtExpiry(time) => write!(f, "at expiry, {time} at the latest"),
        }
    }
}

/// Knows callers, and gives clients what they are known by.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// The caller, if all that it takes to let them in is in memory, and nothing has to be done about it.
    fn recall(&self, presented: &Credentials<'_>, client: &Client, activity: Activity) -> Option<Authenticated>;

    /// The caller. One valid credential among those presented counts; without any, no store is asked.
    ///
    /// # Errors
    /// Says why the caller is not let in, or that it can't be told.
    async fn authenticate(
        &self,
        presented: &Credentials<'_>,
        client: &Client,
        activity: Activity,
    ) -> Result<Authenticated, AuthenticateError>;

    /// Whether there still is a session with this very id: it has neither ended nor been rotated since it was found. If it
    /// can't be told, there is none to rely on.
    async fn is_current(&self, id: &SessionId) -> bool;

    /// What a session that is about to begin has to have for this.
    fn prepare(&self, session: Session) -> Session {
        session
    }

    /// What a client is given for a session that has just begun, or got this new secret.
    ///
    /// # Errors
    /// If a token can't be signed.
    fn hand_out(&self, session: &Session, secret: SessionSecret) -> Result<HandedOut, StoreError>;

    /// What a client needs in place of what it has for a session that has changed; nothing if that will do.
    ///
    /// # Errors
    /// If a token can't be signed.
    fn hand_out_changed(&self, session: &Session) -> Result<Option<HandedOut>, StoreError> {
        let _what_the_client_has_will_do = session;
        Ok(None)
    }

    /// How soon nobody is let in any more as this caller was, once the session has ended.
    fn revocation(&self, caller: &Authenticated) -> Revocation;
}

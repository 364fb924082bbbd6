//! Tokens: what a client proves its session with where no store is to be asked for each request.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::Timestamp;
use crate::role::Role;
use crate::session::SessionId;
use crate::user::UserId;

/// How much later by our clock than by the issuer's a token may have been issued. A token's expiry is exact.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// A signed token, for the client that it belongs to and for nobody else. Never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes what a signer made.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Who issued a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// This service.
    Own,
    /// The system that it takes the place of.
    Legacy,
}

impl Issuer {
    /// Its name in metrics and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Legacy => "legacy",
        }
    }
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessClaims {
    /// The token's own id (`jti`).
    pub id: String,
    /// Whose it is (`sub`).
    pub user_id: UserId,
    /// The session that it was issued for (`sid`). A token that another issuer made has none.
    pub session: Option<SessionId>,
    /// The role that the user acts in (`role`).
    pub role: Option<Role>,
    /// When the password was last given (`auth_time`).
    pub authenticated_at: Option<Timestamp>,
    /// When it was issued (`iat`).
    pub issued_at: Timestamp,
    /// When it is no longer accepted (`exp`).
    pub expires_at: Timestamp,
}

/// What a refresh token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    /// Whose it is (`sub`).
    pub user_id: UserId,
    /// The session that it keeps alive (`sid`).
    pub session: SessionId,
    /// Its place in the chain of the session's refresh tokens, from 1 (`gen`).
    pub generation: NonZeroU32,
    /// When it was issued (`iat`).
    pub issued_at: Timestamp,
    /// When it is no longer accepted (`exp`).
    pub expires_at: Timestamp,
}

/// Why a token is not acceptable. For the log; clients are told that it isn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// No token of the configured issuer: malformed, signed by another key or another algorithm, or for others to accept.
    #[error("not a token of ours")]
    Foreign,
    /// It is one, but of the other kind.
    #[error("a token of the wrong kind")]
    WrongKind,
    /// A claim is missing, or says what can't be.
    #[error("the token's claims make no sense")]
    Absurd,
    /// It was accepted once.
    #[error("the token has expired")]
    Expired,
    /// Its session has ended, or it was replaced by another, or its user may not log in.
    #[error("the token is void")]
    Void,
}

/// What a client gets to prove its session with.
#[derive(Clone, Debug)]
pub struct IssuedTokens {
    /// For each request.
    pub access: Token,
    /// How long that is accepted.
    pub expires_in: Duration,
    /// For the next access token; nothing if the client has it already.
    pub refresh: Option<Token>,
}

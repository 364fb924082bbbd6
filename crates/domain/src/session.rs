//! A session: what the service knows of somebody who logged in.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::Timestamp;
use crate::client::Client;
use crate::digest::{Digest, NotADigest};
use crate::ports::entropy::Entropy;
use crate::role::Role;
use crate::user::{SessionEpoch, UserId};

/// The length of a secret in base64url, in characters.
const SECRET_LENGTH: usize = 43;

/// What a client proves its session with: 256 random bits (ASVS 7.2.3 asks for 128), written as 43 characters of
/// base64url.
///
/// It exists in requests and in the answer that hands it out. Everything else knows the session by its [`SessionId`].
/// Never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(Zeroizing<String>);

/// The text is not of a secret's form, so that no store need be asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of a session secret's form")]
pub struct MalformedSecret;

impl SessionSecret {
    /// Draws a new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bits = Zeroizing::new([0_u8; 32]);
        entropy.fill(bits.as_mut());
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bits)))
    }

    /// Takes a secret that a client presents.
    ///
    /// # Errors
    /// If it can't be one.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let of_the_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() == SECRET_LENGTH && text.bytes().all(of_the_alphabet) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(MalformedSecret)
        }
    }

    /// The secret itself, for the client that it belongs to and for nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The public id of the session that this secret opens.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(Digest::of(self.0.as_bytes()))
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// A session's public id: the SHA-256 of its secret's 43 characters, in hexadecimal. It finds the session, in stores,
/// logs and listings, but can't be used to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Digest);

impl SessionId {
    /// Takes over an id that a store kept.
    #[must_use]
    pub const fn new(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest that it is.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        text.parse().map(Self)
    }
}

/// How a client keeps its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In a cookie that scripts can't read: browsers.
    Cookie,
    /// In its own storage, sent as `Authorization: Bearer`: native apps. It was handed the secret in the body.
    Bearer,
}

impl Transport {
    /// The transport's name as in the API and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Bearer => "bearer",
        }
    }
}

/// The text names no transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a transport: must be cookie or bearer")]
pub struct NotATransport;

impl FromStr for Transport {
    type Err = NotATransport;

    fn from_str(text: &str) -> Result<Self, NotATransport> {
        match text {
            "cookie" => Ok(Self::Cookie),
            "bearer" => Ok(Self::Bearer),
            _ => Err(NotATransport),
        }
    }
}

/// A session, as stores keep it and clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its public id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's session epoch when it began: it is dead once the user's is later.
    pub epoch: SessionEpoch,
    /// What the user acts as in it.
    pub current_role: Role,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When it was last used; may lag.
    pub last_activity: Timestamp,
    /// When the password was last given.
    pub authenticated_at: Timestamp,
    /// Whether it outlives the browser.
    pub remember: bool,
    /// How the client keeps the secret.
    pub transport: Transport,
    /// Who logged in, and from where.
    pub client: Client,
    /// When it ends unless it is used before.
    pub idle_expires_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether one of its two clocks has run out.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.ends_at() <= now
    }

    /// When it ends if it isn't used again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.idle_expires_at.min(self.expires_at)
    }
}

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// How long a remembered session may go unused.
    pub idle_timeout: Duration,
    /// How long one that ends with the browser may go unused.
    pub idle_timeout_not_remembered: Duration,
    /// How long a session lives, used or not.
    pub absolute_timeout: Duration,
}

impl SessionPolicy {
    /// How long a session of this kind may go unused.
    #[must_use]
    pub const fn idle_timeout(&self, remember: bool) -> Duration {
        if remember { self.idle_timeout } else { self.idle_timeout_not_remembered }
    }

    /// When a session that is used now ends, unless it is used again; never after `expires_at`.
    #[must_use]
    pub fn idle_expiry(&self, remember: bool, now: Timestamp, expires_at: Timestamp) -> Timestamp {
        now.plus(self.idle_timeout(remember)).min(expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::entropy::Counting;

    #[test]
    fn a_secret_is_43_characters_of_base64url_and_its_id_their_digest() {
        let secret = SessionSecret::generate(&Counting::default());
        assert_eq!(secret.expose().len(), SECRET_LENGTH);
        assert_eq!(SessionSecret::parse(secret.expose()), Ok(secret.clone()));
        assert_eq!(secret.id().to_string(), Digest::of(secret.expose().as_bytes()).to_string());
    }

    #[test]
    fn what_cannot_be_a_secret_is_told_without_a_store() {
        for text in ["", "abc", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43), &"a".repeat(8192)] {
            assert_eq!(SessionSecret::parse(text), Err(MalformedSecret));
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = SessionSecret::generate(&Counting::default());
        assert!(!format!("{secret:?}").contains(secret.expose()));
    }
}

//! A session: what the service knows of somebody who logged in.

use std::fmt;
use std::num::NonZeroU32;
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
pub struct SessionSecret(Zeroizing<[u8; SECRET_LENGTH]>);

/// The text is not of a secret's form, so that no store need be asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of a session secret's form")]
pub struct MalformedSecret;

impl SessionSecret {
    /// Draws a new secret.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self::generate_where(entropy, |_| true)
    }

    /// Draws a new secret whose id is like this.
    ///
    /// From what is drawn it goes on by one, until the id suits: of `n` ids that one of suits, that leaves 256 bits but
    /// for `log2(n)` and a few, and is quicker than to draw each time.
    pub fn generate_where(entropy: &dyn Entropy, suits: impl Fn(&SessionId) -> bool) -> Self {
        let mut bits = Zeroizing::new([0_u8; 32]);
        entropy.fill(bits.as_mut());
        loop {
            let secret = Self::from_bits(&bits);
            if suits(&secret.id()) {
                return secret;
            }
            increment(bits.as_mut());
        }
    }

    /// The secret of these bits, which nobody may be able to guess.
    #[must_use]
    pub fn from_bits(bits: &[u8; 32]) -> Self {
        let mut characters = Zeroizing::new([0; SECRET_LENGTH]);
        // 256 bits are so many characters.
        let written = URL_SAFE_NO_PAD.encode_slice(bits, characters.as_mut());
        debug_assert_eq!(written, Ok(SECRET_LENGTH));
        Self(characters)
    }

    /// Takes a secret that a client presents.
    ///
    /// # Errors
    /// If it can't be one.
    pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
        let of_the_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
        let characters: [u8; SECRET_LENGTH] = text.as_bytes().try_into().map_err(|_| MalformedSecret)?;
        // All are looked at, whatever the first ones are: several at once, then.
        let is_one = characters.iter().fold(true, |good, byte| good & of_the_alphabet(byte));
        is_one.then(|| Self(Zeroizing::new(characters))).ok_or(MalformedSecret)
    }

    /// The secret itself, for the client that it belongs to and for nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        // They are of the alphabet.
        std::str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    /// The public id of the session that this secret opens.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(Digest::of(self.0.as_slice()))
    }
}

/// Adds one to the number that these bytes are, the last one counting least.
fn increment(bits: &mut [u8]) {
    for byte in bits.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return;
        }
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

    /// The family that a session with this id founds.
    #[must_use]
    pub fn family(&self) -> SessionFamily {
        let [a, b, c, d, e, f, g, h, ..] = *self.0.as_bytes();
        SessionFamily::from_bytes([a, b, c, d, e, f, g, h])
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

/// What a session and its successors have in common: the first 64 bits of the id that it had at its login, written as 16
/// hexadecimal digits. It outlives rotations, and finds nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionFamily(u64);

impl SessionFamily {
    /// The family of the ids that begin with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// The 8 bytes that its first id begins with.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for SessionFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The text is not 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session family of 16 hexadecimal digits")]
pub struct NotAFamily;

impl FromStr for SessionFamily {
    type Err = NotAFamily;

    fn from_str(text: &str) -> Result<Self, NotAFamily> {
        let of_the_alphabet = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match u64::from_str_radix(text, 16) {
            Ok(number) if text.len() == 16 && text.bytes().all(of_the_alphabet) => Ok(Self(number)),
            _ => Err(NotAFamily),
        }
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
    /// What it has in common with those that it succeeds, and those that will succeed it.
    pub family: SessionFamily,
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
    /// When the user was last authenticated.
    pub authenticated_at: Timestamp,
    /// Whether that was by the password. If it was by a token that was exchanged for the session, it isn't fresh.
    pub password_given: bool,
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
    /// Where its chain of refresh tokens stands; nothing if its client holds its secret instead.
    pub refresh: Option<RefreshChain>,
}

/// Where a session's chain of refresh tokens stands. Each token is replaced by the next, so that one alone counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshChain {
    /// Which token counts; the first is 1.
    pub generation: NonZeroU32,
    /// Since when it does.
    pub since: Timestamp,
}

impl RefreshChain {
    /// A chain that stands at its first token.
    #[must_use]
    pub const fn begun_at(now: Timestamp) -> Self {
        Self { generation: NonZeroU32::MIN, since: now }
    }

    /// The chain at its next token.
    #[must_use]
    pub const fn next(self, now: Timestamp) -> Self {
        Self { generation: self.generation.saturating_add(1), since: now }
    }
}

/// How long it is remembered why a session ended, so that its client can be told.
pub const ENDING_REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It was not used for its idle timeout, or reached its absolute one.
    Expired,
    /// Its user logged out.
    LoggedOut,
    /// Its user logged out everywhere.
    LoggedOutEverywhere,
    /// Its user ended it from another device.
    RevokedByUser,
    /// An operator ended it.
    RevokedByOperator,
    /// It came with a login or a registration, and gave way to the new session.
    Replaced,
    /// Its user had too many, and it was the oldest.
    Evicted,
    /// Its user changed the password on another device.
    PasswordChanged,
    /// Its user's password was set anew by a code.
    PasswordReset,
    /// Its user was deactivated.
    Deactivated,
    /// It was used by another client than the one that logged in.
    BindingMismatch,
    /// A refresh token of it came again after it was replaced.
    RefreshTokenReused,
    /// It was removed from the store past this service.
    Removed,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Expired,
        Self::LoggedOut,
        Self::LoggedOutEverywhere,
        Self::RevokedByUser,
        Self::RevokedByOperator,
        Self::Replaced,
        Self::Evicted,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::Deactivated,
        Self::BindingMismatch,
        Self::RefreshTokenReused,
        Self::Removed,
    ];

    /// The ending's name in the stores and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::LoggedOut => "logged_out",
            Self::LoggedOutEverywhere => "logged_out_everywhere",
            Self::RevokedByUser => "revoked_by_user",
            Self::RevokedByOperator => "revoked_by_operator",
            Self::Replaced => "replaced",
            Self::Evicted => "evicted",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::Deactivated => "deactivated",
            Self::BindingMismatch => "binding_mismatch",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ending of a session")]
pub struct NotAnEnding;

impl FromStr for Ending {
    type Err = NotAnEnding;

    fn from_str(text: &str) -> Result<Self, NotAnEnding> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == text).ok_or(NotAnEnding)
    }
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
    /// How much later than it was used a session may say that it was last used: writing it down at every request
    /// would cost more than it is worth. Where it is no time at all, each use is.
    pub touch_interval: Duration,
    /// How long a secret that was replaced is honoured, for requests under way; no time at all if it is dead at once.
    pub rotation_grace: Duration,
    /// How long after the password was given a session may do what needs a fresh one.
    pub fresh_for: Duration,
    /// How many sessions a user has at most: the oldest gives way.
    pub max_per_user: NonZeroU32,
}

/// The share of the idle timeout that `last_activity` may lag behind at most, however long the touch interval: a
/// session that is used again within nine tenths of the timeout never expires.
const LAG_SHARE: u32 = 10;

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

    /// Whether it is time to write down that a session is used.
    #[must_use]
    pub fn is_touch_due(&self, session: &Session, now: Timestamp) -> bool {
        let lag = self.touch_interval.min(self.idle_timeout(session.remember) / LAG_SHARE);
        now > session.last_activity && now.since(session.last_activity) >= lag
    }

    /// Whether the password was given recently enough for what needs that.
    #[must_use]
    pub fn is_fresh(&self, session: &Session, now: Timestamp) -> bool {
        session.password_given && now.since(session.authenticated_at) < self.fresh_for
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
    fn a_secret_is_drawn_until_its_id_suits() {
        let suits = |id: &SessionId| id.to_string().starts_with("abc");
        let secret = SessionSecret::generate_where(&Counting::default(), suits);
        assert!(suits(&secret.id()));
        assert_eq!(SessionSecret::parse(secret.expose()), Ok(secret.clone()));
    }

    #[test]
    fn what_is_counted_up_carries_over() {
        for (before, after) in [([0, 0], [0, 1]), ([0, 255], [1, 0]), ([255, 255], [0, 0])] {
            let mut bits = before;
            increment(&mut bits);
            assert_eq!(bits, after);
        }
    }

    #[test]
    fn a_family_is_the_beginning_of_the_first_id() {
        let id = SessionSecret::generate(&Counting::default()).id();
        let text = id.family().to_string();
        assert_eq!(text, id.to_string()[..16]);
        assert_eq!(text.parse(), Ok(id.family()));
        for other in ["", "+00000000000000f", "ABCDEF0123456789", "0123456789abcdef0"] {
            assert_eq!(other.parse::<SessionFamily>(), Err(NotAFamily));
        }
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

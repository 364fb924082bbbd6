//! The rules by which a session that the store has lets its caller in, or doesn't. Whether the caller is the client that
//! it is [bound](crate::binding) to is another matter.

use std::fmt;

use crate::Timestamp;
use crate::ports::session_store::StoredSession;
use crate::session::Session;
use crate::user::Account;

/// Why a session that the store has lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its secret was replaced, and isn't honoured any more.
    Replaced,
    /// It wasn't used for its idle timeout.
    Idle,
    /// It reached its absolute timeout.
    TooOld,
    /// Its user was deactivated.
    Deactivated,
    /// All of its user's sessions were ended, and it isn't of the epoch that began then.
    EpochEnded,
    /// There is no such user (any more).
    UserGone,
}

impl Refusal {
    /// Why it is refused, whosever it is.
    #[must_use]
    pub fn by_time(stored: &StoredSession, now: Timestamp) -> Option<Self> {
        let session = &stored.session;
        if stored.honoured_until.is_some_and(|until| until <= now) {
            Some(Self::Replaced)
        } else if session.expires_at <= now {
            Some(Self::TooOld)
        } else if session.is_expired(now) {
            Some(Self::Idle)
        } else {
            None
        }
    }

    /// Why it is refused for its user's sake.
    #[must_use]
    pub fn by_user(session: &Session, account: Option<&Account>) -> Option<Self> {
        match account {
            None => Some(Self::UserGone),
            Some(account) if !account.user().is_active => Some(Self::Deactivated),
            Some(account) if !account.state.admits(session) => Some(Self::EpochEnded),
            Some(_) => None,
        }
    }

    /// The reason's name in the log, and where programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "secret_replaced",
            Self::Idle => "idle_timeout",
            Self::TooOld => "absolute_timeout",
            Self::Deactivated => "user_deactivated",
            Self::EpochEnded => "epoch_ended",
            Self::UserGone => "user_gone",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

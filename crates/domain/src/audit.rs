//! What happened to users and their sessions, for those who have to answer for it (ASVS 16.2.1, 16.3).

use std::fmt;
use std::str::FromStr;

use crate::Timestamp;
use crate::client::Client;
use crate::session::{Ending, Session, SessionId};
use crate::user::UserId;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditEvent {
    /// A user registered, and was logged in.
    Registered,
    /// A user logged in.
    LoginSucceeded,
    /// Somebody tried to log in.
    LoginFailed,
    /// Somebody tried too often: the reason names the limit.
    LimitReached,
    /// A user logged out, here or everywhere.
    LoggedOut,
    /// A session got a new secret; the related session is its successor.
    SessionRotated,
    /// A session was ended before its time; the related session is the one that this was asked for in.
    SessionRevoked,
    /// Several sessions of a user were ended; the related session is the one that this was asked for in.
    SessionsRevoked,
    /// A session was used by another client than the one that logged in.
    BindingMismatch,
    /// A user gave the password again.
    Reauthenticated,
    /// Somebody who is logged in gave another password.
    ReauthenticationFailed,
    /// A user changed to the other role.
    RoleSwitched,
    /// A token was exchanged for a session.
    TokenExchanged,
    /// A token was not exchanged.
    ExchangeFailed,
    /// A session of the system before was taken over.
    SessionAdopted,
    /// A refresh token was not accepted.
    RefreshFailed,
    /// A refresh token came again after it was replaced, and its session was ended.
    RefreshTokenReused,
    /// A user changed the password.
    PasswordChanged,
    /// A password was set anew by a code.
    PasswordReset,
    /// A user's address was proven.
    EmailVerified,
    /// An operator made a user.
    UserCreated,
    /// An operator let a user log in again.
    UserActivated,
    /// An operator ended all of a user's sessions, and lets the user not log in any more.
    UserDeactivated,
    /// So many records, of whatever, could not be written down.
    RecordsLost,
}

impl AuditEvent {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Registered,
        Self::LoginSucceeded,
        Self::LoginFailed,
        Self::LimitReached,
        Self::LoggedOut,
        Self::SessionRotated,
        Self::SessionRevoked,
        Self::SessionsRevoked,
        Self::BindingMismatch,
        Self::Reauthenticated,
        Self::ReauthenticationFailed,
        Self::RoleSwitched,
        Self::TokenExchanged,
        Self::ExchangeFailed,
        Self::SessionAdopted,
        Self::RefreshFailed,
        Self::RefreshTokenReused,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::EmailVerified,
        Self::UserCreated,
        Self::UserActivated,
        Self::UserDeactivated,
        Self::RecordsLost,
    ];

    /// The event's name in the log and in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::LoginSucceeded => "login_succeeded",
            Self::LoginFailed => "login_failed",
            Self::LimitReached => "limit_reached",
            Self::LoggedOut => "logged_out",
            Self::SessionRotated => "session_rotated",
            Self::SessionRevoked => "session_revoked",
            Self::SessionsRevoked => "sessions_revoked",
            Self::BindingMismatch => "binding_mismatch",
            Self::Reauthenticated => "reauthenticated",
            Self::ReauthenticationFailed => "reauthentication_failed",
            Self::RoleSwitched => "role_switched",
            Self::TokenExchanged => "token_exchanged",
            Self::ExchangeFailed => "exchange_failed",
            Self::SessionAdopted => "session_adopted",
            Self::RefreshFailed => "refresh_failed",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::EmailVerified => "email_verified",
            Self::UserCreated => "user_created",
            Self::UserActivated => "user_activated",
            Self::UserDeactivated => "user_deactivated",
            Self::RecordsLost => "records_lost",
        }
    }

    /// Whether somebody may be at work who shouldn't.
    #[must_use]
    pub const fn is_suspicious(self) -> bool {
        matches!(self, Self::BindingMismatch | Self::RefreshTokenReused | Self::LimitReached)
    }
}

impl fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event of the audit log")]
pub struct NotAnAuditEvent;

impl FromStr for AuditEvent {
    type Err = NotAnAuditEvent;

    fn from_str(text: &str) -> Result<Self, NotAnAuditEvent> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(NotAnAuditEvent)
    }
}

/// Something that happened. It holds no secret, and no more of a person than the stores do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// What.
    pub event: AuditEvent,
    /// To whom; nothing where that can't be told, as of a login that failed.
    pub user_id: Option<UserId>,
    /// To which session.
    pub session_id: Option<SessionId>,
    /// Another session that has to do with it: see [`AuditEvent`].
    pub related_id: Option<SessionId>,
    /// By whom, and from where.
    pub client: Option<Client>,
    /// Why, or how: in the words of the one who did it.
    pub reason: Option<String>,
    /// How sessions ended by it.
    pub ending: Option<Ending>,
    /// How many did.
    pub count: Option<u64>,
}

impl AuditRecord {
    /// That this happened, without more.
    #[must_use]
    pub const fn new(event: AuditEvent) -> Self {
        Self {
            event,
            user_id: None,
            session_id: None,
            related_id: None,
            client: None,
            reason: None,
            ending: None,
            count: None,
        }
    }

    /// To this session, and so to its user.
    #[must_use]
    pub fn of_session(self, session: &Session) -> Self {
        Self { session_id: Some(session.id), ..self.of_user(&session.user_id) }
    }

    /// To this user.
    #[must_use]
    pub fn of_user(self, user: &UserId) -> Self {
        Self { user_id: Some(user.clone()), ..self }
    }

    /// To the session with this id.
    #[must_use]
    pub fn of(self, id: SessionId) -> Self {
        Self { session_id: Some(id), ..self }
    }

    /// In connection with this session.
    #[must_use]
    pub fn related_to(self, id: SessionId) -> Self {
        Self { related_id: Some(id), ..self }
    }

    /// By this client.
    #[must_use]
    pub fn by(self, client: &Client) -> Self {
        Self { client: Some(client.clone()), ..self }
    }

    /// For this reason.
    #[must_use]
    pub fn because(self, reason: impl fmt::Display) -> Self {
        Self { reason: Some(reason.to_string()), ..self }
    }

    /// By which so many sessions ended, in this way.
    #[must_use]
    pub fn ended(self, ending: Ending, count: u64) -> Self {
        Self { ending: Some(ending), count: Some(count), ..self }
    }
}

/// A record as it stands in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// What tells it from all others, so that it is kept once, however often it is written.
    pub key: u128,
    /// When it happened.
    pub at: Timestamp,
    /// During which request, by its `X-Request-Id`.
    pub request_id: Option<String>,
    /// What happened.
    pub record: AuditRecord,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_by_its_name() {
        for event in AuditEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        assert_eq!("logged_of".parse::<AuditEvent>(), Err(NotAnAuditEvent));
    }
}

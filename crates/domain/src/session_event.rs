//! What became of sessions, for those who have let somebody in by one and have to know when that is over.

use crate::audit::{AuditEvent, AuditRecord};
use crate::session::{Ending, SessionId};
use crate::user::UserId;

/// Something that becomes of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// A session has ended.
    Ended {
        /// Which.
        session: SessionId,
        /// Whose; nothing if an operator named the session alone.
        user: Option<UserId>,
        /// How.
        ending: Ending,
    },
    /// All sessions of a user have ended.
    AllEnded {
        /// Whose.
        user: UserId,
        /// But this one.
        except: Option<SessionId>,
        /// How.
        ending: Ending,
    },
    /// A session goes on under another id.
    Replaced {
        /// Under which it was known.
        session: SessionId,
        /// Under which it is known from now on.
        successor: SessionId,
        /// Whose.
        user: Option<UserId>,
    },
    /// What became of some can't be told.
    Unknown,
}

impl SessionEvent {
    /// What this record tells of sessions, if anything.
    #[must_use]
    pub fn of(record: &AuditRecord) -> Option<Self> {
        let AuditRecord { event, user_id, session_id, related_id, ending, .. } = record.clone();
        match (event, ending) {
            (AuditEvent::RecordsLost, _) => Some(Self::Unknown),
            (AuditEvent::SessionRotated, _) => {
                let (session, successor) = session_id.zip(related_id)?;
                (session != successor).then_some(Self::Replaced { session, successor, user: user_id })
            }
            (_, None) => None,
            (AuditEvent::SessionsRevoked, Some(ending)) => {
                Some(Self::AllEnded { user: user_id?, except: related_id, ending })
            }
            (AuditEvent::PasswordChanged, Some(ending)) => {
                Some(Self::AllEnded { user: user_id?, except: session_id, ending })
            }
            (_, Some(ending @ (Ending::LoggedOutEverywhere | Ending::PasswordReset | Ending::Deactivated))) => {
                Some(Self::AllEnded { user: user_id?, except: None, ending })
            }
            (_, Some(ending)) => Some(Self::Ended { session: session_id?, user: user_id, ending }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: char) -> SessionId {
        byte.to_string().repeat(64).parse().unwrap()
    }

    fn user() -> UserId {
        UserId::from_store("USR_AAAAAAAA")
    }

    fn record(event: AuditEvent) -> AuditRecord {
        AuditRecord::new(event).of_user(&user()).of(id('a')).related_to(id('b'))
    }

    #[test]
    fn an_end_is_that_of_the_session_or_of_all_others() {
        let (session, except) = (id('a'), Some(id('b')));
        for (event, ending, expected) in [
            (AuditEvent::LoggedOut, Ending::LoggedOut, None),
            (AuditEvent::LoggedOut, Ending::LoggedOutEverywhere, Some(None)),
            (AuditEvent::SessionRevoked, Ending::Evicted, None),
            (AuditEvent::SessionRevoked, Ending::RevokedByUser, None),
            (AuditEvent::SessionsRevoked, Ending::RevokedByUser, Some(except)),
            (AuditEvent::BindingMismatch, Ending::BindingMismatch, None),
            (AuditEvent::RefreshTokenReused, Ending::RefreshTokenReused, None),
            (AuditEvent::PasswordChanged, Ending::PasswordChanged, Some(Some(session))),
            (AuditEvent::PasswordReset, Ending::PasswordReset, Some(None)),
            (AuditEvent::UserDeactivated, Ending::Deactivated, Some(None)),
        ] {
            let expected = match expected {
                None => SessionEvent::Ended { session, user: Some(user()), ending },
                Some(except) => SessionEvent::AllEnded { user: user(), except, ending },
            };
            assert_eq!(SessionEvent::of(&record(event).ended(ending, 1)), Some(expected), "{event}");
        }
    }

    #[test]
    fn a_new_secret_is_a_new_id_unless_the_client_holds_tokens() {
        let (session, successor, user) = (id('a'), id('b'), Some(user()));
        let rotated = record(AuditEvent::SessionRotated);
        assert_eq!(SessionEvent::of(&rotated), Some(SessionEvent::Replaced { session, successor, user }));
        assert_eq!(SessionEvent::of(&rotated.related_to(session)), None);
    }

    #[test]
    fn what_was_lost_may_have_been_an_end_and_what_ends_nothing_is_none() {
        for event in AuditEvent::ALL {
            let told = SessionEvent::of(&record(event));
            match event {
                AuditEvent::RecordsLost => assert_eq!(told, Some(SessionEvent::Unknown)),
                AuditEvent::SessionRotated => assert!(told.is_some()),
                _ => assert_eq!(told, None, "{event}"),
            }
        }
    }
}

//! Gives a session a new secret, or changes it without: the steps that re-authentication, the password's change and the
//! role's switch share.

use std::sync::Arc;

use crate::Timestamp;
use crate::audit::{AuditEvent, AuditRecord};
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::{Authenticator, HandedOut};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::session_store::{Change, SessionStore, StoredSession};
use crate::session::{Session, SessionId, SessionPolicy, SessionSecret};

/// How often a change is tried while others change the same session. Each time that one is refused, another one was
/// made: so many at once come through, and more than a person can do.
pub(super) const ATTEMPTS: usize = 200;

/// A session that was changed.
#[derive(Clone, Debug)]
pub struct ChangedSession {
    /// The session.
    pub session: Session,
    /// What the client is given in place of what it has; nothing if that goes on to do.
    pub handed_out: Option<HandedOut>,
    /// Whether the session was renewed: what opened it before is replaced.
    pub is_renewed: bool,
}

/// Changes sessions. A change that races with the session's end loses.
pub struct RotateSession {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What clients are given.
    pub authenticator: Arc<dyn Authenticator>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws secrets.
    pub entropy: Arc<dyn Entropy>,
    /// How long sessions and replaced secrets live.
    pub policy: SessionPolicy,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
}

impl RotateSession {
    /// Makes the change and gives the session a new secret, once: a session whose caller came by a secret that was
    /// replaced already, or is replaced by another request in this moment, is changed, but keeps the secret that it got
    /// there. Nothing if the session has ended.
    ///
    /// The change is told the time at which the old secret is replaced. A password that was given for the change counts
    /// from then on and not before, or the old secret would profit by it.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn rotate(
        &self,
        id: &SessionId,
        by_former_secret: bool,
        change: impl Fn(&mut Session, Timestamp) + Send + Sync,
    ) -> Result<Option<ChangedSession>, StoreError> {
        if by_former_secret {
            return self.change(id, true, change).await;
        }
        for _ in 0..ATTEMPTS {
            let Some(StoredSession { session, revision, honoured_until: None, .. }) = self.sessions.find(id).await?
            else {
                return self.change(id, true, change).await;
            };
            let suits = |id: &SessionId| self.sessions.suits(id, &session.user_id);
            let secret = SessionSecret::generate_where(self.entropy.as_ref(), suits);
            let now = self.clock.now();
            // Where the client holds tokens, the session keeps its id, and its chain goes on by one.
            let refresh = session.refresh.map(|chain| chain.next(now));
            let successor_id = if refresh.is_some() { session.id } else { secret.id() };
            let mut successor = Session { id: successor_id, refresh, ..session };
            self.mark_used(&mut successor, now);
            change(&mut successor, now);
            let renewed = if refresh.is_some() {
                self.sessions.update(&successor, revision).await?
            } else {
                let honoured_until = now.plus(self.policy.rotation_grace);
                self.sessions.rotate(id, revision, &successor, honoured_until).await?
            };
            match renewed {
                Change::Made => {
                    let record = AuditRecord::new(AuditEvent::SessionRotated).of_user(&successor.user_id).of(*id);
                    self.audit.record(record.related_to(successor.id));
                    let handed_out = Some(self.authenticator.hand_out(&successor, secret)?);
                    return Ok(Some(ChangedSession { session: successor, handed_out, is_renewed: true }));
                }
                Change::Conflict => {}
                Change::Gone => return Ok(None),
            }
        }
        Err(contended("rotate session"))
    }

    /// Makes the change; the session keeps its secret. It counts as a use, unless the caller came by a secret that was
    /// replaced. Nothing if the session has ended.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn change(
        &self,
        id: &SessionId,
        by_former_secret: bool,
        change: impl Fn(&mut Session, Timestamp) + Send + Sync,
    ) -> Result<Option<ChangedSession>, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(StoredSession { mut session, revision, honoured_until, .. }) = self.sessions.find(id).await?
            else {
                return Ok(None);
            };
            let now = self.clock.now();
            if !by_former_secret && honoured_until.is_none() {
                self.mark_used(&mut session, now);
            }
            change(&mut session, now);
            match self.sessions.update(&session, revision).await? {
                Change::Made => {
                    let handed_out = self.authenticator.hand_out_changed(&session)?;
                    return Ok(Some(ChangedSession { session, handed_out, is_renewed: false }));
                }
                Change::Conflict => {}
                Change::Gone => return Ok(None),
            }
        }
        Err(contended("change session"))
    }

    fn mark_used(&self, session: &mut Session, now: Timestamp) {
        let now = now.max(session.last_activity);
        session.last_activity = now;
        session.idle_expires_at = self.policy.idle_expiry(session.remember, now, session.expires_at);
    }
}

pub(super) fn contended(operation: &'static str) -> StoreError {
    StoreError::unavailable(operation, "the session was changed again and again")
}

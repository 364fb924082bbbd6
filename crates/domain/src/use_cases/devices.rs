//! A user's sessions on all devices (ASVS 7.5.2).

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::Authenticated;
use crate::ports::clock::Clock;
use crate::ports::device_recognizer::{Device, DeviceRecognizer};
use crate::ports::session_store::SessionStore;
use crate::ports::user_store::UserStore;
use crate::session::{Ending, Session, SessionId, SessionPolicy};
use crate::use_cases::end_others::EndOthers;

/// Why sessions of other devices were not ended.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The user has no such session.
    #[error("no such session")]
    NotFound,
    /// It takes a fresh session.
    #[error("the session is not fresh")]
    ReauthenticationRequired,
    /// The caller's own session was ended meanwhile.
    #[error("the session was revoked")]
    SessionRevoked,
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the session that was ended is the caller's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is: the caller is logged out.
    ThisSession,
    /// It is another one.
    Another,
}

/// A session as its user sees it among the others.
#[derive(Clone, Debug)]
pub struct ListedSession {
    /// The session.
    pub session: Session,
    /// The device that it is used on, as its user agent tells.
    pub device: Device,
    /// Whether it is the caller's own.
    pub is_current: bool,
    /// Whether the password was given in it recently enough for what needs that.
    pub is_fresh: bool,
}

/// Shows users their sessions, and ends them.
pub struct Devices {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// What ends sessions of epochs that are over.
    pub end_others: Arc<EndOthers>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long sessions are fresh.
    pub policy: SessionPolicy,
    /// What tells devices by their user agents.
    pub recognizer: Arc<dyn DeviceRecognizer>,
    /// Where it is written down what was ended.
    pub audit: Arc<dyn AuditLog>,
}

impl Devices {
    /// The caller's living sessions on all devices, the one that was used last first.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn list(&self, caller: &Authenticated) -> Result<Vec<ListedSession>, StoreError> {
        let now = self.clock.now();
        let stored = self.sessions.list(&caller.session.user_id).await?;
        let mut sessions: Vec<Session> = stored
            .into_iter()
            .map(|stored| stored.session)
            .filter(|session| !session.is_expired(now) && caller.account.state.admits(session))
            .collect();
        sessions.sort_by_key(|session| std::cmp::Reverse((session.last_activity, session.created_at, session.id)));
        Ok(sessions.into_iter().map(|session| self.listed(caller, session)).collect())
    }

    fn listed(&self, caller: &Authenticated, session: Session) -> ListedSession {
        let is_current = session.id == caller.session.id;
        let is_fresh = if is_current { caller.is_fresh } else { self.policy.is_fresh(&session, self.clock.now()) };
        let device = self.recognizer.recognize(&session.client.user_agent);
        ListedSession { session, device, is_current, is_fresh }
    }

    /// Ends the caller's session with this id, as this client asks.
    ///
    /// # Errors
    /// If the caller has no such session, or would have to give the password first, or a store fails.
    pub async fn revoke(
        &self,
        caller: &Authenticated,
        client: &Client,
        id: &SessionId,
    ) -> Result<Revoked, RevokeError> {
        let own = &caller.session;
        let found = self.sessions.find(id).await?.map(|stored| stored.session);
        let found = found.filter(|session| session.user_id == own.user_id && !session.is_expired(self.clock.now()));
        if found.as_ref().is_some_and(|session| session.id == own.id) {
            let ended = self.sessions.delete(&own.id, Ending::LoggedOut).await?;
            self.record(own, client, own.id, Ending::LoggedOut, ended.into());
            return Ok(Revoked::ThisSession);
        }
        if !caller.is_fresh {
            return Err(RevokeError::ReauthenticationRequired);
        }
        let found = found.ok_or(RevokeError::NotFound)?;
        if !self.sessions.delete(&found.id, Ending::RevokedByUser).await? {
            return Err(RevokeError::NotFound);
        }
        self.record(own, client, found.id, Ending::RevokedByUser, 1);
        Ok(Revoked::Another)
    }

    fn record(&self, own: &Session, client: &Client, ended: SessionId, ending: Ending, count: u64) {
        let record = AuditRecord::new(AuditEvent::SessionRevoked).of_user(&own.user_id).of(ended).related_to(own.id);
        self.audit.record(record.by(client).ended(ending, count));
    }

    /// Ends all of the caller's sessions but this one, as this client asks, by a new session epoch that only this one
    /// outlives. Returns how many there were.
    ///
    /// # Errors
    /// If the caller would have to give the password first, or a store fails.
    pub async fn revoke_others(&self, caller: &Authenticated, client: &Client) -> Result<u64, RevokeError> {
        if !caller.is_fresh {
            return Err(RevokeError::ReauthenticationRequired);
        }
        let session = &caller.session;
        let state = self.users.begin_session_epoch(&session.user_id, Some(session.family)).await?;
        let ended = self.end_others.execute(session, state, Ending::RevokedByUser).await?;
        let record = AuditRecord::new(AuditEvent::SessionsRevoked).of_user(&session.user_id).related_to(session.id);
        self.audit.record(record.by(client).ended(Ending::RevokedByUser, ended.unwrap_or_default()));
        ended.ok_or(RevokeError::SessionRevoked)
    }
}

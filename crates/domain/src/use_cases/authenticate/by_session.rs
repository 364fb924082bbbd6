//! By a session: the secret that a request brings finds it in the store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::Timestamp;
use crate::accounts::{Accounts, KnownAccount};
use crate::admission::Refusal;
use crate::audit::{AuditEvent, AuditRecord};
use crate::binding::{Binding, MismatchReaction};
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::{
    Activity, AuthenticateError, Authenticated, Authenticator, Credentials, FoundSession, HandedOut, Revocation,
};
use crate::ports::clock::Clock;
use crate::ports::session_store::{SessionStore, StoredSession};
use crate::session::{Ending, Session, SessionId, SessionPolicy, SessionSecret};

/// Knows callers by the sessions that their secrets open. A session that ends is dead at once.
pub struct BySession {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Whose they are.
    pub accounts: Arc<Accounts>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How long sessions live.
    pub policy: SessionPolicy,
    /// Who may use them.
    pub binding: Binding,
    /// Where it is written down who tried who may not.
    pub audit: Arc<dyn AuditLog>,
}

/// A session that a secret opens, and whose user may use it.
struct Opened {
    stored: Arc<StoredSession>,
    account: Arc<KnownAccount>,
    secret: usize,
}

impl BySession {
    async fn look_up(
        &self,
        secrets: &[SessionSecret],
        client: &Client,
        activity: Activity,
        now: Timestamp,
    ) -> Result<Authenticated, AuthenticateError> {
        let mut valid: Option<Opened> = None;
        let mut refusal = AuthenticateError::NotAuthenticated;
        for (place, secret) in secrets.iter().enumerate() {
            match (self.open(secret, place, now).await, &valid) {
                (Ok(opened), Some(other)) if other.stored.session.id != opened.stored.session.id => {
                    return Err(AuthenticateError::AmbiguousCredentials);
                }
                // Of two secrets of one session, the one that wasn't replaced counts.
                (Ok(opened), Some(_)) if opened.stored.honoured_until.is_some() => {}
                (Ok(opened), _) => valid = Some(opened),
                (Err(error @ AuthenticateError::Store(_)), _) => return Err(error),
                (Err(AuthenticateError::NotAuthenticated), _) => {}
                (Err(reason), _) => refusal = reason,
            }
        }
        let opened = valid.ok_or(refusal)?;
        let is_bound_client = self.check_binding(&opened.stored.session, client).await?;
        let (opened, was_touched) = match activity {
            Activity::Use => self.touch(opened, secrets, now).await?,
            Activity::Look => (opened, false),
        };
        let Opened { stored, account, secret } = opened;
        let is_fresh = is_bound_client && self.is_fresh(&stored, now);
        Ok(Authenticated {
            by_former_secret: stored.honoured_until.is_some(),
            session: FoundSession(stored),
            has_session: true,
            account,
            is_fresh,
            secret: Some(secret),
            was_touched,
        })
    }

    /// A secret that was replaced because the password was given doesn't profit by it.
    fn is_fresh(&self, stored: &StoredSession, now: Timestamp) -> bool {
        let StoredSession { session, honoured_until, .. } = stored;
        let before_the_rotation =
            honoured_until.is_none_or(|until| session.authenticated_at.plus(self.policy.rotation_grace) < until);
        before_the_rotation && self.policy.is_fresh(session, now)
    }

    /// Opens the session: from memory, if what is there lets the caller in. A refusal always comes from the store, which
    /// knows why. It is asked a second time before a session is refused for its epoch: that may have been raised to its
    /// user's between the looks at the one and at the other.
    async fn open(&self, secret: &SessionSecret, place: usize, now: Timestamp) -> Result<Opened, AuthenticateError> {
        let id = secret.id();
        if let Some(stored) = self.sessions.peek(&id)
            && !stored.session.is_expired(now)
            && let Some(account) = self.accounts.get(&stored.session.user_id, stored.user_version).await?
            && account.user().is_active
            && account.state.admits(&stored.session)
        {
            return Ok(Opened { stored, account, secret: place });
        }
        for _ in 0..2 {
            if let Some(opened) = self.look(&id, place, now).await? {
                return Ok(opened);
            }
        }
        // It came back from a backup, or outlives its user.
        Err(refuse(&id, Ending::Removed))
    }

    /// The session with this id and its user, as the stores have them; nothing if the user doesn't admit it.
    async fn look(&self, id: &SessionId, place: usize, now: Timestamp) -> Result<Option<Opened>, AuthenticateError> {
        let found = self.sessions.find(id).await?;
        let Some(stored) = found else {
            let ending = self.sessions.ending(id).await?;
            return Err(ending.map_or(AuthenticateError::NotAuthenticated, |ending| refuse(id, ending)));
        };
        match Refusal::by_time(&stored, now) {
            Some(Refusal::Replaced) => return Err(AuthenticateError::NotAuthenticated),
            Some(_) => return Err(refuse(id, Ending::Expired)),
            None => {}
        }
        let account = self.accounts.get(&stored.session.user_id, stored.user_version).await?;
        let refusal = Refusal::by_user(&stored.session, account.as_deref().map(|known| &**known));
        match (account, refusal) {
            (Some(account), None) => Ok(Some(Opened { stored: Arc::new(stored), account, secret: place })),
            (_, Some(Refusal::Deactivated)) => Err(refuse(id, Ending::Deactivated)),
            _ => Ok(None),
        }
    }

    /// Whether the client is the one that the session is bound to, as far as is configured.
    async fn check_binding(&self, session: &Session, client: &Client) -> Result<bool, AuthenticateError> {
        let Some(mismatch) = self.binding.mismatch(&session.client, client) else { return Ok(true) };
        let Client { ip_address, user_agent } = &session.client;
        let why = format!(
            "another {mismatch} than at the login, from {ip_address} by {user_agent:?}; {}",
            self.binding.on_mismatch
        );
        let record = AuditRecord::new(AuditEvent::BindingMismatch).of_session(session).by(client).because(why);
        if self.binding.on_mismatch == MismatchReaction::Revoke {
            let ended = self.sessions.delete(&session.id, Ending::BindingMismatch).await;
            let count = ended.as_ref().is_ok_and(|ended| *ended).into();
            self.audit.record(record.ended(Ending::BindingMismatch, count));
            ended?;
            return Err(AuthenticateError::SessionRevoked);
        }
        self.audit.record(record);
        Ok(self.binding.on_mismatch == MismatchReaction::Log)
    }

    /// Writes down that the session is used, if it is time to. A store that can't do that now is no reason to turn the
    /// caller away: the next request will.
    async fn touch(
        &self,
        mut opened: Opened,
        secrets: &[SessionSecret],
        now: Timestamp,
    ) -> Result<(Opened, bool), AuthenticateError> {
        let StoredSession { session, honoured_until, .. } = &*opened.stored;
        if honoured_until.is_some() || !self.policy.is_touch_due(session, now) {
            return Ok((opened, false));
        }
        let idle_expires_at = self.policy.idle_expiry(session.remember, now, session.expires_at);
        match self.sessions.touch(&session.id, now, idle_expires_at).await {
            Ok(true) => {
                let session = &mut Arc::make_mut(&mut opened.stored).session;
                session.last_activity = now;
                session.idle_expires_at = idle_expires_at;
                Ok((opened, true))
            }
            // It ended or was rotated since it was found. Rotated, its secret is honoured for a while.
            Ok(false) => Ok((self.open(&secrets[opened.secret], opened.secret, now).await?, false)),
            Err(error) => {
                tracing::warn!(%error, session_id = %opened.stored.session.id, "the use of a session was not written down");
                Ok((opened, false))
            }
        }
    }
}

#[async_trait]
impl Authenticator for BySession {
    /// A session that is in memory, if that is all that it takes to let its caller in.
    fn recall(&self, presented: &Credentials<'_>, client: &Client, activity: Activity) -> Option<Authenticated> {
        let [secret] = presented.secrets else { return None };
        let now = self.clock.now();
        let stored = self.sessions.peek(&secret.id())?;
        let session = &stored.session;
        let account = self.accounts.peek(&session.user_id, stored.user_version, now)?;
        let is_admitted = !session.is_expired(now) && account.user().is_active && account.state.admits(session);
        let is_touched = activity == Activity::Use && self.policy.is_touch_due(session, now);
        if !is_admitted || is_touched || self.binding.mismatch(&session.client, client).is_some() {
            return None;
        }
        let is_fresh = self.is_fresh(&stored, now);
        let session = FoundSession(stored);
        Some(Authenticated {
            session,
            has_session: true,
            account,
            is_fresh,
            by_former_secret: false,
            secret: Some(0),
            was_touched: false,
        })
    }

    async fn authenticate(
        &self,
        presented: &Credentials<'_>,
        client: &Client,
        activity: Activity,
    ) -> Result<Authenticated, AuthenticateError> {
        self.look_up(presented.secrets, client, activity, self.clock.now()).await
    }

    async fn is_current(&self, id: &SessionId) -> bool {
        let is_current = |stored: &StoredSession| stored.session.id == *id;
        match self.sessions.peek(id) {
            Some(stored) => is_current(&stored),
            None => self.sessions.find(id).await.is_ok_and(|found| found.as_ref().is_some_and(is_current)),
        }
    }

    fn hand_out(&self, _: &Session, secret: SessionSecret) -> Result<HandedOut, StoreError> {
        Ok(HandedOut::Secret(secret))
    }

    fn revocation(&self, _: &Authenticated) -> Revocation {
        Revocation::Immediate
    }
}

fn refuse(id: &SessionId, ending: Ending) -> AuthenticateError {
    tracing::info!(event = "session_refused", session_id = %id, %ending);
    match ending {
        Ending::Expired => AuthenticateError::SessionExpired,
        _ => AuthenticateError::SessionRevoked,
    }
}

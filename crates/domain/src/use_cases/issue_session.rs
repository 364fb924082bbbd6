//! Makes a new session with a new secret: the step that logging in and registering share.

use std::sync::Arc;

use crate::Timestamp;
use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::authenticator::{Authenticator, HandedOut};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::session_store::{Creation, SessionStore};
use crate::role::Role;
use crate::session::{Ending, Session, SessionPolicy, SessionSecret, Transport};
use crate::user::{UserId, UserState};

/// What the caller says of the session that it wants.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// Whether the session shall outlive the browser.
    pub remember: bool,
    /// How the client will keep the secret.
    pub transport: Transport,
    /// Who asks, and from where.
    pub client: Client,
    /// Secrets that came with the request. Their sessions give way to the new one, so that nobody can plant a session
    /// (ASVS 7.2.4).
    pub replaces: Vec<SessionSecret>,
}

/// How the user proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the password, just now.
    Password,
    /// By a token that was issued at this time, or a session of the system before that was used then.
    Earlier(Timestamp),
}

/// Whose a session is to be.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The user.
    pub user: &'a UserId,
    /// The user's counters, as they were just read.
    pub state: UserState,
    /// The role that the session begins in.
    pub role: Role,
    /// How the user proved who they are.
    pub proof: Proof,
}

/// A new session, and what its client is given.
#[derive(Clone, Debug)]
pub struct IssuedSession {
    /// For the client, and for nobody else.
    pub handed_out: HandedOut,
    /// The session.
    pub session: Session,
}

/// What became of a session with a certain secret.
#[derive(Clone, Debug)]
pub enum Issue {
    /// It is kept.
    Kept(Box<Session>),
    /// All of the user's sessions were ended meanwhile: what was read of the user is no longer worth a session.
    Superseded,
    /// There is a session with this secret.
    IdTaken,
}

/// Makes sessions.
pub struct IssueSession {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What clients are given.
    pub authenticator: Arc<dyn Authenticator>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws secrets.
    pub entropy: Arc<dyn Entropy>,
    /// How long sessions live.
    pub policy: SessionPolicy,
    /// Where it is written down which ones gave way.
    pub audit: Arc<dyn AuditLog>,
}

impl IssueSession {
    /// Makes a session, in the place of those that came with the request. Nothing if all of the user's sessions were
    /// ended since the counters were read: that is no longer worth a session.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn execute(
        &self,
        owner: &Owner<'_>,
        request: &SessionRequest,
    ) -> Result<Option<IssuedSession>, StoreError> {
        let secret = SessionSecret::generate_where(self.entropy.as_ref(), |id| self.sessions.suits(id, owner.user));
        match self.with_secret(&secret, owner, request).await? {
            Issue::Kept(session) => {
                let handed_out = self.authenticator.hand_out(&session, secret)?;
                Ok(Some(IssuedSession { handed_out, session: *session }))
            }
            Issue::Superseded => Ok(None),
            Issue::IdTaken => {
                Err(StoreError::unreadable("create session", "a secret of 256 random bits was drawn twice"))
            }
        }
    }

    /// The same, with a secret that isn't drawn.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn with_secret(
        &self,
        secret: &SessionSecret,
        owner: &Owner<'_>,
        request: &SessionRequest,
    ) -> Result<Issue, StoreError> {
        let session = self.authenticator.prepare(self.session(secret, owner, request));
        let replaces: Vec<_> = request.replaces.iter().map(SessionSecret::id).collect();
        let most = self.policy.max_per_user;
        match self.sessions.create(&session, owner.state.version, most, &replaces).await? {
            Creation::Created { evicted } => {
                for id in evicted {
                    let record = AuditRecord::new(AuditEvent::SessionRevoked).of_user(owner.user).of(id);
                    self.audit.record(record.related_to(session.id).ended(Ending::Evicted, 1));
                }
            }
            Creation::Superseded => return Ok(Issue::Superseded),
            Creation::IdTaken => return Ok(Issue::IdTaken),
        }
        Ok(Issue::Kept(Box::new(session)))
    }

    fn session(&self, secret: &SessionSecret, owner: &Owner<'_>, request: &SessionRequest) -> Session {
        let Owner { user, state, role, proof } = *owner;
        let now = self.clock.now();
        let (authenticated_at, password_given) = match proof {
            Proof::Password => (now, true),
            Proof::Earlier(then) => (then.min(now), false),
        };
        let expires_at = now.plus(self.policy.absolute_timeout);
        Session {
            id: secret.id(),
            family: secret.id().family(),
            user_id: user.clone(),
            epoch: state.epoch,
            current_role: role,
            created_at: now,
            last_activity: now,
            authenticated_at,
            password_given,
            remember: request.remember,
            transport: request.transport,
            client: request.client.clone(),
            idle_expires_at: self.policy.idle_expiry(request.remember, now, expires_at),
            expires_at,
            refresh: None,
        }
    }
}

//! Gives who is logged in at the system before a session here, so that nobody has to log in again when that system gives
//! way to this one.
//!
//! A session is taken over once. The successor's secret follows from the cookie, so that of many requests at once, on
//! whichever nodes, one makes the session and all are given the same: the store's promise never to overwrite one decides.
//! That it was taken over is remembered until the cookie is void.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditEvent, AuditRecord};
use crate::client::Client;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::foreign_sessions::{ForeignCookie, ForeignSession, ForeignSessions};
use crate::ports::session_store::{SessionStore, StoredSession};
use crate::ports::spent_tokens::SpentTokens;
use crate::ports::user_store::UserStore;
use crate::session::{Ending, Session, SessionSecret, Transport};
use crate::use_cases::holder::{holder, role_of};
use crate::use_cases::issue_session::{Issue, IssueSession, Owner, Proof, SessionRequest};
use crate::user::Account;

/// How long the cookie of a session that was taken over is answered in the same way: for requests that were under way, for
/// clients whose answer was lost, and for those whose new cookie the old system overwrote, since it was answering, too.
pub const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);

/// How long the old system still knows a session that was taken over: while it gives way, requests of one client come to
/// both.
pub const KNOWN_FOR: Duration = Duration::from_secs(60);

/// The most cookies of one request that are looked at. A browser sends one; the rest is for those that somebody planted.
const MAX_COOKIES: usize = 4;

/// What is remembered of a session that was taken over, by whoever made its successor.
const TAKEN_OVER: &str = "taken over";

/// The same, by whoever found the successor there, and that not remembered. It is remembered apart, so that the one who made
/// the successor isn't taken for somebody who made it anew.
const FOUND: &str = "found";

/// Why there is no telling whether there is a session to be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Cookies of two users: nobody can say who is asking.
    #[error("sessions of two users")]
    Ambiguous,
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A session that took the place of one of the system before.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The session.
    pub session: Session,
    /// For its client, and for nobody else.
    pub secret: SessionSecret,
    /// Whether the client is to be given the secret; it isn't if that was replaced by another since.
    pub is_handed_out: bool,
}

/// Takes sessions over.
pub struct AdoptSession {
    /// What knows them.
    pub foreign: Arc<dyn ForeignSessions>,
    /// Where it is remembered which were taken over.
    pub spent: Arc<dyn SpentTokens>,
    /// Whose they are.
    pub users: Arc<dyn UserStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// What makes sessions.
    pub issue: Arc<IssueSession>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
    /// Whether a session is for the client alone that it began at.
    pub is_strict: bool,
}

/// What can be done for a cookie.
enum Candidate {
    /// Its session was taken over a moment ago, by this one.
    Again(Box<StoredSession>),
    /// Its session can be.
    New { foreign: Box<ForeignSession>, account: Box<Account> },
}

impl Candidate {
    fn user(&self) -> &str {
        match self {
            Self::Again(stored) => stored.session.user_id.as_str(),
            Self::New { foreign, .. } => foreign.user_id.as_str(),
        }
    }
}

impl AdoptSession {
    /// The session in the place of the one that these cookies lead to, if they lead to one of somebody who may have it.
    ///
    /// # Errors
    /// If they lead to sessions of two users, or that can't be told.
    pub async fn execute(&self, cookies: &[&str], client: &Client) -> Result<Option<Adopted>, AdoptError> {
        let mut found: Option<(ForeignCookie, Candidate)> = None;
        for cookie in self.recognized(cookies) {
            let Some(candidate) = self.candidate(&cookie, client).await? else { continue };
            match &found {
                None => found = Some((cookie, candidate)),
                Some((_, other)) if other.user() != candidate.user() => return Err(AdoptError::Ambiguous),
                Some(_) => {}
            }
        }
        let Some((cookie, candidate)) = found else { return Ok(None) };
        match candidate {
            Candidate::Again(stored) => Ok(Some(self.again(&cookie, *stored).await?)),
            Candidate::New { foreign, account } => self.adopt(&cookie, &foreign, &account, client).await,
        }
    }

    /// Sees to it that the sessions of these cookies are never taken over, since their user has logged in or out.
    ///
    /// # Errors
    /// If a store can't be reached.
    pub async fn retire(&self, cookies: &[&str]) -> Result<(), StoreError> {
        for cookie in self.recognized(cookies) {
            if self.foreign.delete(&cookie).await? {
                self.remember(&cookie, TAKEN_OVER).await?;
            }
        }
        Ok(())
    }

    fn recognized(&self, cookies: &[&str]) -> impl Iterator<Item = ForeignCookie> {
        cookies.iter().take(MAX_COOKIES).filter_map(|cookie| self.foreign.recognize(cookie))
    }

    async fn candidate(&self, cookie: &ForeignCookie, client: &Client) -> Result<Option<Candidate>, StoreError> {
        if let Some(again) = self.taken_over(cookie).await? {
            return Ok(Some(again));
        }
        let now = self.clock.now();
        let found = self.foreign.find(cookie, client, now).await?.filter(|foreign| now < foreign.expires_at);
        let foreign = match found {
            Some(foreign) if !self.is_spent(cookie).await? => foreign,
            // It may have been taken over between the two looks.
            _ => return self.taken_over(cookie).await,
        };
        if self.is_strict && !foreign.is_of_this_client {
            tracing::info!(event = "adoption_refused", reason = "another client", user_id = %foreign.user_id);
            return Ok(None);
        }
        let account = holder(&*self.users, &foreign.user_id, foreign.last_used_at).await?;
        Ok(account.map(|account| Candidate::New { foreign: Box::new(foreign), account: Box::new(account) }))
    }

    /// The session that took the place of the cookie's, if that was a moment ago. One that nobody was told of, since it
    /// couldn't be remembered then that the other was taken over, is as good as new.
    async fn taken_over(&self, cookie: &ForeignCookie) -> Result<Option<Candidate>, StoreError> {
        let Some(stored) = self.sessions.find(&cookie.successor().id()).await? else { return Ok(None) };
        let is_recent = self.clock.now().since(stored.session.created_at) < REPEATED_FOR;
        let is_good = is_recent || !self.is_spent(cookie).await?;
        Ok(is_good.then(|| Candidate::Again(Box::new(stored))))
    }

    async fn again(&self, cookie: &ForeignCookie, stored: StoredSession) -> Result<Adopted, StoreError> {
        if !self.is_spent(cookie).await? {
            self.remember(cookie, FOUND).await?;
        }
        let is_handed_out = stored.honoured_until.is_none();
        Ok(Adopted { session: stored.session, secret: cookie.successor().clone(), is_handed_out })
    }

    /// The session is there before its predecessor is given up: should anything fail in between, the next request finds it.
    async fn adopt(
        &self,
        cookie: &ForeignCookie,
        foreign: &ForeignSession,
        account: &Account,
        client: &Client,
    ) -> Result<Option<Adopted>, AdoptError> {
        let user = account.user();
        let request = SessionRequest {
            remember: foreign.remember,
            transport: Transport::Cookie,
            client: client.clone(),
            replaces: Vec::new(),
        };
        let secret = cookie.successor().clone();
        let (role, proof) = (role_of(account, foreign.role), Proof::Earlier(foreign.last_used_at));
        let owner = Owner { user: &user.id, state: account.state, role, proof };
        let session = match self.issue.with_secret(&secret, &owner, &request).await? {
            Issue::Kept(session) => *session,
            Issue::Superseded => return Ok(None),
            // Somebody was faster.
            Issue::IdTaken => {
                let found = self.sessions.find(&secret.id()).await?;
                return match found {
                    Some(stored) => Ok(Some(self.again(cookie, stored).await?)),
                    None => Ok(None),
                };
            }
        };
        if !self.remember(cookie, TAKEN_OVER).await? {
            // It was taken over meanwhile, and that session has ended already: it isn't to live again.
            self.sessions.delete(&session.id, Ending::Removed).await?;
            return Ok(None);
        }
        if let Err(error) = self.foreign.end_after(cookie, KNOWN_FOR).await {
            // It is remembered that it was taken over. An error now would be for nothing.
            tracing::warn!(%error, session_id = %session.id, "a session that was taken over is still there in the old system");
        }
        self.audit.record(AuditRecord::new(AuditEvent::SessionAdopted).of_session(&session).by(client));
        Ok(Some(Adopted { session, secret, is_handed_out: true }))
    }

    /// Remembers this of the session, for as long as its cookie could be good. Returns whether that is new.
    async fn remember(&self, cookie: &ForeignCookie, what: &str) -> Result<bool, StoreError> {
        let until = self.clock.now().plus(self.foreign.lifetime());
        self.spent.spend(&cookie.digest(what), until).await
    }

    /// Whether it is remembered that the session was taken over.
    async fn is_spent(&self, cookie: &ForeignCookie) -> Result<bool, StoreError> {
        Ok(self.spent.is_spent(&cookie.digest(TAKEN_OVER)).await? || self.spent.is_spent(&cookie.digest(FOUND)).await?)
    }
}

//! Replaces a refresh token by the next, with a new access token (RFC 6749, 6; RFC 9700, 4.14.2).

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::Accounts;
use crate::audit::{AuditEvent, AuditRecord};
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::session_store::{Change, SessionStore, StoredSession};
use crate::session::{Ending, RefreshChain, Session};
use crate::tokens::{InvalidToken, IssuedTokens, RefreshClaims};
use crate::use_cases::authenticate::by_token::ByToken;
use crate::use_cases::rotate_session::{ATTEMPTS, contended};

/// Why there are no new tokens.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token isn't acceptable (any more).
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refreshes tokens.
pub struct RefreshTokens {
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Whose they are.
    pub accounts: Arc<Accounts>,
    /// What issues tokens.
    pub issuer: Arc<ByToken>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where it is written down.
    pub audit: Arc<dyn AuditLog>,
    /// For how long a token that was replaced gets the same answer as the request that replaced it: a client may ask
    /// twice in one moment, or lose an answer.
    pub grace: Duration,
}

/// What a refresh token is to its session.
enum Standing {
    /// The one that counts.
    Present(RefreshChain),
    /// The one that was replaced just now.
    JustReplaced(RefreshChain),
    /// It was replaced long ago: the client that has the next one and the one that came with this can't be the same.
    Reused,
    /// The session has no such token.
    None,
}

impl RefreshTokens {
    /// New tokens. A token that comes again later than it may ends its session: it was stolen, now or then, and nobody
    /// can tell who of the two is the thief.
    ///
    /// # Errors
    /// If the token isn't acceptable, or that can't be told.
    pub async fn execute(&self, token: &str) -> Result<IssuedTokens, RefreshError> {
        let claims = self.issuer.signer.read_refresh(token, self.clock.now())?;
        for _ in 0..ATTEMPTS {
            let stored = self.find(&claims).await?.ok_or(InvalidToken::Void)?;
            let session = &stored.session;
            match self.standing(&claims, session) {
                Standing::Present(chain) => {
                    if let Some(session) = self.advance(&stored, chain).await? {
                        tracing::debug!(event = "tokens_refreshed", session_id = %session.id, user_id = %session.user_id);
                        return Ok(self.issuer.issue(&session, session.refresh)?);
                    }
                }
                Standing::JustReplaced(chain) => return Ok(self.issuer.issue(session, Some(chain))?),
                Standing::Reused => {
                    let ended = self.sessions.delete(&session.id, Ending::RefreshTokenReused).await?;
                    let record = AuditRecord::new(AuditEvent::RefreshTokenReused).of_session(session);
                    let record = record.because(format!("of generation {}", claims.generation));
                    self.audit.record(record.ended(Ending::RefreshTokenReused, ended.into()));
                    return Err(InvalidToken::Void.into());
                }
                Standing::None => return Err(InvalidToken::Void.into()),
            }
        }
        Err(contended("refresh tokens").into())
    }

    /// The session that the token keeps alive, if it and its user are such that it may.
    async fn find(&self, claims: &RefreshClaims) -> Result<Option<StoredSession>, StoreError> {
        let Some(stored) = self.sessions.find(&claims.session).await? else { return Ok(None) };
        let session = &stored.session;
        if session.id != claims.session || session.user_id != claims.user_id || session.is_expired(self.clock.now()) {
            return Ok(None);
        }
        let account = self.accounts.get(&session.user_id, stored.user_version).await?;
        let is_admitted = account.is_some_and(|account| account.user().is_active && account.state.admits(session));
        Ok(is_admitted.then_some(stored))
    }

    fn standing(&self, claims: &RefreshClaims, session: &Session) -> Standing {
        match session.refresh {
            Some(chain) if claims.generation == chain.generation => Standing::Present(chain),
            Some(chain) if claims.generation > chain.generation => Standing::None,
            Some(chain) => {
                let was_the_last = claims.generation.saturating_add(1) == chain.generation;
                // Where there is no grace, not by a clock that is behind either.
                let is_in_grace = self.clock.now().since(chain.since) < self.grace;
                if was_the_last && is_in_grace { Standing::JustReplaced(chain) } else { Standing::Reused }
            }
            None => Standing::None,
        }
    }

    /// The session with the next link of its chain; nothing if somebody else changed it first.
    async fn advance(&self, stored: &StoredSession, chain: RefreshChain) -> Result<Option<Session>, RefreshError> {
        let now = self.clock.now();
        let mut session = stored.session.clone();
        session.refresh = Some(chain.next(now));
        session.last_activity = now.max(session.last_activity);
        session.idle_expires_at = now.plus(self.issuer.policy.refresh_ttl).min(session.expires_at);
        match self.sessions.update(&session, stored.revision).await? {
            Change::Made => Ok(Some(session)),
            Change::Conflict => Ok(None),
            Change::Gone => Err(InvalidToken::Void.into()),
        }
    }
}

//! Gives who holds a token a session for it, so that nobody has to log in again when tokens are given up.

use std::sync::Arc;

use crate::audit::{AuditEvent, AuditRecord};
use crate::digest::Digest;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::ports::spent_tokens::SpentTokens;
use crate::ports::user_store::UserStore;
use crate::session::{Ending, SessionSecret};
use crate::tokens::{AccessClaims, InvalidToken, Issuer};
use crate::use_cases::authenticate::by_token::ByToken;
use crate::use_cases::holder::{holder, role_of};
use crate::use_cases::issue_session::{IssueSession, IssuedSession, Owner, Proof, SessionRequest};
use crate::use_cases::log_in::LoggedIn;
use crate::user::Account;

/// Why there is no session for a token.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// There is no token.
    #[error("no token")]
    NotAuthenticated,
    /// There are several.
    #[error("several tokens")]
    Ambiguous,
    /// It isn't acceptable (any more).
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Exchanges tokens for sessions.
pub struct ExchangeToken {
    /// What reads tokens.
    pub tokens: Arc<ByToken>,
    /// Where it is remembered which were exchanged.
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
}

impl ExchangeToken {
    /// A session for the holder of this token: not fresh, since nobody gave a password. A token is good for one.
    ///
    /// # Errors
    /// If there is no token, or it isn't acceptable, or that can't be told.
    pub async fn execute(&self, tokens: &[&str], request: &SessionRequest) -> Result<LoggedIn, ExchangeError> {
        let token = match tokens {
            [] => return Err(ExchangeError::NotAuthenticated),
            [token] => token,
            [..] => return Err(ExchangeError::Ambiguous),
        };
        let (claims, issuer) = self.tokens.read_one(token, self.clock.now())?;
        let account = holder(&*self.users, &claims.user_id, claims.issued_at).await?.ok_or(InvalidToken::Void)?;
        let issued = self.issue(&claims, &account, request).await?.ok_or(InvalidToken::Void)?;
        self.spend(&claims, issuer, &issued).await?;
        for replaced in request.replaces.iter().map(SessionSecret::id) {
            // The token is spent: an error now would leave its holder with nothing.
            if let Err(error) = self.sessions.delete(&replaced, Ending::Replaced).await {
                tracing::warn!(%error, session_id = %replaced, "a session that came along with a token lives on");
            }
        }
        let record = AuditRecord::new(AuditEvent::TokenExchanged).of_session(&issued.session).by(&request.client);
        self.audit.record(record.because(format!("a token of {}", issuer.as_str())));
        Ok(LoggedIn { account, issued })
    }

    /// What came with the request gives way only once the token was good.
    async fn issue(
        &self,
        claims: &AccessClaims,
        account: &Account,
        request: &SessionRequest,
    ) -> Result<Option<IssuedSession>, StoreError> {
        let (role, proof) = (role_of(account, claims.role), Proof::Earlier(claims.issued_at));
        let request = SessionRequest { replaces: Vec::new(), ..request.clone() };
        let owner = Owner { user: &account.user().id, state: account.state, role, proof };
        self.issue.execute(&owner, &request).await
    }

    /// Spends the token for this session. The session is there first: a token that was spent while no session could be made
    /// would be lost to its holder, whereas a session whose secret nobody got harms nobody.
    async fn spend(&self, claims: &AccessClaims, issuer: Issuer, issued: &IssuedSession) -> Result<(), ExchangeError> {
        let token = Digest::of(format!("{}\n{}", issuer.as_str(), claims.id).as_bytes());
        let spent = self.spent.spend(&token, claims.expires_at).await;
        if matches!(spent, Ok(true)) {
            return Ok(());
        }
        self.sessions.delete(&issued.session.id, Ending::Removed).await?;
        spent?;
        Err(InvalidToken::Void.into())
    }
}

//! By a token, which says all that is needed: no store is asked whether it still counts, unless that is configured.
//!
//! The session that tokens are issued for is in the store all the same. It is what refresh tokens keep alive, what its
//! user sees among the devices, and what a logout ends; only access tokens that are out by then live on until they expire.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Timestamp;
use crate::accounts::{Accounts, KnownAccount};
use crate::client::Client;
use crate::digest::Digest;
use crate::ports::StoreError;
use crate::ports::authenticator::{
    Activity, AuthenticateError, Authenticated, Authenticator, Credentials, FoundSession, HandedOut, Revocation,
};
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::session_store::{Revision, SessionStore, StoredSession};
use crate::ports::token_signer::{TokenSigner, TokenVerifier};
use crate::ports::token_uses::TokenUses;
use crate::session::{RefreshChain, Session, SessionId, SessionSecret, Transport};
use crate::tokens::{AccessClaims, InvalidToken, IssuedTokens, Issuer, RefreshClaims, Token};
use crate::user::{UserId, UserVersion};

/// How long tokens live.
#[derive(Clone, Copy, Debug)]
pub struct TokenPolicy {
    /// How long an access token is accepted.
    pub access_ttl: Duration,
    /// How long a refresh token is accepted.
    pub refresh_ttl: Duration,
    /// How long after the password was given a caller may do what needs that.
    pub fresh_for: Duration,
}

/// Knows callers by their access tokens.
///
/// Users are read as of [`Accounts`]: since no session's store tells of their changes here, a change that another node
/// made, deactivation included, is seen once the copy is older than that allows.
pub struct ByToken {
    /// What signs and reads tokens.
    pub signer: Arc<dyn TokenSigner>,
    /// What reads those of the system that this service takes the place of.
    pub legacy: Option<Arc<dyn TokenVerifier>>,
    /// Where to ask whether a token's session still lives, if that is to be asked for each request. Then a logout is
    /// immediate, and a token that was issued for no session, which nothing could revoke, isn't accepted.
    pub sessions: Option<Arc<dyn SessionStore>>,
    /// Whose they are.
    pub accounts: Arc<Accounts>,
    /// What counts requests that come with tokens, while these are given up.
    pub uses: Option<Arc<dyn TokenUses>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What draws the tokens' ids.
    pub entropy: Arc<dyn Entropy>,
    /// How long they live.
    pub policy: TokenPolicy,
}

impl ByToken {
    /// What a token says, and whose it is.
    ///
    /// # Errors
    /// If it isn't acceptable.
    pub fn read_one(&self, token: &str, now: Timestamp) -> Result<(AccessClaims, Issuer), InvalidToken> {
        match (self.signer.read_access(token, now), &self.legacy) {
            (Ok(claims), _) => Ok((claims, Issuer::Own)),
            (Err(InvalidToken::Foreign), Some(legacy)) => {
                let claims = legacy.read_access(token, now)?;
                // By these names, its issuer means something else than we do.
                Ok((AccessClaims { session: None, authenticated_at: None, ..claims }, Issuer::Legacy))
            }
            (Err(reason), _) => Err(reason),
        }
    }

    /// Whose the acceptable ones of these tokens are.
    #[must_use]
    pub fn users(&self, tokens: &[&str]) -> Vec<UserId> {
        let now = self.clock.now();
        tokens.iter().filter_map(|token| self.read_one(token, now).ok()).map(|(claims, _)| claims.user_id).collect()
    }

    /// The claims of the one token that counts, if there is any token.
    fn read(&self, tokens: &[&str], now: Timestamp) -> Result<Option<(AccessClaims, Issuer)>, AuthenticateError> {
        let mut valid: Option<(AccessClaims, Issuer)> = None;
        let mut refusal = None;
        for token in tokens {
            match (self.read_one(token, now), &valid) {
                (Ok((claims, _)), Some((other, _))) if identity(&claims) != identity(other) => {
                    return Err(AuthenticateError::AmbiguousCredentials);
                }
                (Ok(read), _) => valid = Some(read),
                (Err(reason), _) => refusal = Some(reason),
            }
        }
        match (valid, refusal) {
            (None, Some(reason)) => Err(refuse(reason)),
            (valid, _) => Ok(valid),
        }
    }

    fn authenticated(
        &self,
        (claims, issuer): (AccessClaims, Issuer),
        account: Arc<KnownAccount>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Authenticated, AuthenticateError> {
        if !account.user().is_active {
            tracing::info!(event = "token_refused", reason = "deactivated", user_id = %claims.user_id);
            return Err(AuthenticateError::SessionRevoked);
        }
        if let Some(uses) = &self.uses {
            uses.count(client, issuer);
        }
        let fresh_for = self.policy.fresh_for;
        let is_fresh = claims.authenticated_at.is_some_and(|at| now.since(at) < fresh_for);
        let has_session = claims.session.is_some();
        Ok(Authenticated {
            has_session,
            session: FoundSession(Arc::new(described(claims, &account, client))),
            account,
            is_fresh,
            by_former_secret: false,
            secret: None,
            was_touched: false,
        })
    }

    fn access_token(&self, session: &Session) -> Result<(Token, Duration), StoreError> {
        let now = self.clock.now();
        let expires_at = now.plus(self.policy.access_ttl).min(session.expires_at);
        let mut id = [0_u8; 16];
        self.entropy.fill(&mut id);
        let claims = AccessClaims {
            id: URL_SAFE_NO_PAD.encode(id),
            user_id: session.user_id.clone(),
            session: Some(session.id),
            role: Some(session.current_role),
            authenticated_at: session.password_given.then_some(session.authenticated_at),
            issued_at: now,
            expires_at,
        };
        Ok((self.signer.sign_access(&claims)?, expires_at.since(now)))
    }

    /// The same for all who ask while the chain stands where it stands.
    fn refresh_token(&self, session: &Session, chain: RefreshChain) -> Result<Token, StoreError> {
        self.signer.sign_refresh(&RefreshClaims {
            user_id: session.user_id.clone(),
            session: session.id,
            generation: chain.generation,
            issued_at: chain.since,
            expires_at: chain.since.plus(self.policy.refresh_ttl).min(session.expires_at),
        })
    }

    /// Tokens for a session: an access token and, where its chain has moved on, the present refresh token.
    ///
    /// # Errors
    /// If they can't be signed.
    pub fn issue(&self, session: &Session, chain: Option<RefreshChain>) -> Result<IssuedTokens, StoreError> {
        let (access, expires_in) = self.access_token(session)?;
        let refresh = chain.map(|chain| self.refresh_token(session, chain)).transpose()?;
        Ok(IssuedTokens { access, expires_in, refresh })
    }
}

#[async_trait]
impl Authenticator for ByToken {
    fn recall(&self, presented: &Credentials<'_>, client: &Client, _: Activity) -> Option<Authenticated> {
        let now = self.clock.now();
        let read = self.read(presented.tokens, now).ok()??;
        let claims = &read.0;
        let Some(sessions) = &self.sessions else {
            let account = self.accounts.peek(&claims.user_id, UserVersion::default(), now)?;
            return self.authenticated(read, account, client, now).ok();
        };
        let stored = sessions.peek(&claims.session?)?;
        let account = self.accounts.peek(&claims.user_id, stored.user_version, now)?;
        let is_alive = is_of(&stored, claims) && !stored.session.is_expired(now);
        let is_admitted = is_alive && account.state.admits(&stored.session);
        if is_admitted { self.authenticated(read, account, client, now).ok() } else { None }
    }

    async fn authenticate(
        &self,
        presented: &Credentials<'_>,
        client: &Client,
        _: Activity,
    ) -> Result<Authenticated, AuthenticateError> {
        let now = self.clock.now();
        let read = self.read(presented.tokens, now)?.ok_or(AuthenticateError::NotAuthenticated)?;
        let claims = &read.0;
        let Some(sessions) = &self.sessions else {
            let account = self.accounts.get(&claims.user_id, UserVersion::default()).await?;
            let account = account.ok_or_else(|| refuse(InvalidToken::Void))?;
            return self.authenticated(read, account, client, now);
        };
        let id = claims.session.ok_or_else(|| refuse(InvalidToken::Foreign))?;
        let found = sessions.find(&id).await?;
        let alive = found.filter(|stored| is_of(stored, claims) && !stored.session.is_expired(now));
        let stored = alive.ok_or_else(|| revoked(&id))?;
        let account = self.accounts.get(&claims.user_id, stored.user_version).await?;
        let account = account.filter(|account| account.state.admits(&stored.session)).ok_or_else(|| revoked(&id))?;
        self.authenticated(read, account, client, now)
    }

    /// Nothing is renewed along with a token.
    async fn is_current(&self, _: &SessionId) -> bool {
        false
    }

    fn prepare(&self, session: Session) -> Session {
        let refresh = Some(RefreshChain::begun_at(session.created_at));
        Session { transport: Transport::Bearer, refresh, ..session }
    }

    fn hand_out(&self, session: &Session, _: SessionSecret) -> Result<HandedOut, StoreError> {
        self.issue(session, session.refresh).map(HandedOut::Tokens)
    }

    fn hand_out_changed(&self, session: &Session) -> Result<Option<HandedOut>, StoreError> {
        self.issue(session, None).map(HandedOut::Tokens).map(Some)
    }

    fn revocation(&self, _: &Authenticated) -> Revocation {
        match self.sessions {
            Some(_) => Revocation::Immediate,
            None => Revocation::AtExpiry(self.clock.now().plus(self.policy.access_ttl)),
        }
    }
}

/// Whether this is the session that the token was issued for.
fn is_of(stored: &StoredSession, claims: &AccessClaims) -> bool {
    Some(stored.session.id) == claims.session && stored.session.user_id == claims.user_id
}

/// Whom a token makes the caller.
fn identity(claims: &AccessClaims) -> SessionId {
    claims.session.unwrap_or_else(|| SessionId::new(Digest::of(claims.id.as_bytes())))
}

/// The session as far as the token describes it.
fn described(claims: AccessClaims, account: &KnownAccount, client: &Client) -> StoredSession {
    let id = identity(&claims);
    let authenticated_at = claims.authenticated_at.unwrap_or(claims.issued_at);
    let session = Session {
        id,
        family: id.family(),
        user_id: claims.user_id,
        epoch: account.state.epoch,
        current_role: claims.role.unwrap_or_else(|| account.user().default_role()),
        created_at: authenticated_at,
        last_activity: claims.issued_at,
        authenticated_at,
        password_given: claims.authenticated_at.is_some(),
        remember: true,
        transport: Transport::Bearer,
        client: client.clone(),
        idle_expires_at: claims.expires_at,
        expires_at: claims.expires_at,
        refresh: None,
    };
    StoredSession { session, user_version: account.state.version, revision: Revision::default(), honoured_until: None }
}

fn revoked(id: &SessionId) -> AuthenticateError {
    tracing::info!(event = "token_refused", reason = "its session has ended", session_id = %id);
    AuthenticateError::SessionRevoked
}

fn refuse(reason: InvalidToken) -> AuthenticateError {
    tracing::info!(event = "token_refused", %reason);
    AuthenticateError::InvalidToken
}

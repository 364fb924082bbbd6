//! Logs a user in with e-mail address and password.

use std::sync::Arc;

use crate::client::{Client, Network};
use crate::credentials::{EmailAddress, Password, PasswordHash};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::password_hasher::{HashingError, PasswordHasher, Verdict};
use crate::ports::user_store::UserStore;
use crate::role::Role;
use crate::use_cases::issue_session::{IssueSession, IssuedSession, Owner, Proof, SessionRequest};
use crate::use_cases::throttle::{Throttle, ThrottleError};
use crate::user::{Account, AccountWithPassword, User, UserId};

/// How often a login is begun again because all of the user's sessions were ended in the middle of it.
const ATTEMPTS: usize = 3;

/// What a user logs in with.
#[derive(Clone, Debug)]
pub struct LogInRequest {
    /// The address.
    pub email: EmailAddress,
    /// The password.
    pub password: Password,
    /// The role to act in; the user's own default if there is none.
    pub role: Option<Role>,
    /// The session that is wanted.
    pub session: SessionRequest,
}

/// A user who is logged in.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// The account, with this login in it.
    pub account: Account,
    /// The session.
    pub issued: IssuedSession,
}

/// Why a user was not logged in. The session that came with the request is as it was.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// No such user, or another password. Which of them is told to nobody.
    #[error("wrong e-mail address or password")]
    InvalidCredentials,
    /// The account was deactivated.
    #[error("the account is deactivated")]
    AccountDeactivated,
    /// The address was not proven yet.
    #[error("the e-mail address is not verified")]
    UnverifiedEmail(EmailAddress),
    /// The user has no account of this kind, or it was deactivated.
    #[error("the user can't act as {0}")]
    RoleUnavailable(Role),
    /// Too much was tried, or it can't be told.
    #[error(transparent)]
    Throttle(#[from] ThrottleError),
    /// The password couldn't be checked.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// A store didn't do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Logs users in.
pub struct LogIn {
    /// Where users are kept.
    pub users: Arc<dyn UserStore>,
    /// What checks passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// What keeps anybody from guessing.
    pub throttle: Arc<Throttle>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What makes the session.
    pub issue: Arc<IssueSession>,
    /// Whether the address has to be proven first.
    pub require_verified_email: bool,
}

impl LogIn {
    /// Logs a user in.
    ///
    /// # Errors
    /// Says why not. The reasons but [`LogInError::InvalidCredentials`] are told only to who knows the password.
    pub async fn execute(&self, request: &LogInRequest) -> Result<LoggedIn, LogInError> {
        for _ in 0..ATTEMPTS {
            let client = &request.session.client;
            let mut account = self.check_password(&request.email, &request.password, client).await?;
            let role = self.admit(account.user(), &account, request.role)?;
            self.record(&mut account, client.network()).await?;
            let owner = Owner { user: &account.user().id, state: account.state, role, proof: Proof::Password };
            if let Some(issued) = self.issue.execute(&owner, &request.session).await? {
                return Ok(LoggedIn { account, issued });
            }
        }
        Err(StoreError::unavailable("create session", "the user's sessions were ended again and again").into())
    }

    async fn check_password(
        &self,
        email: &EmailAddress,
        password: &Password,
        client: &Client,
    ) -> Result<Account, LogInError> {
        let attempt = self.throttle.log_in(email, client).await?;
        let (account, hash) = match self.users.find_by_email(email).await? {
            Some(AccountWithPassword { account, password_hash }) => (Some(account), password_hash),
            None => (None, None),
        };
        let verdict = self.hasher.verify(password, hash.as_ref()).await?;
        let (Some(account), Some(hash), Verdict::Right | Verdict::RightButOutdated) = (account, hash, verdict) else {
            attempt.failed().await?;
            return Err(LogInError::InvalidCredentials);
        };
        attempt.succeeded().await?;
        if verdict == Verdict::RightButOutdated {
            self.upgrade_hash(&account.user().id, password, &hash).await?;
        }
        Ok(account)
    }

    /// A login is not refused because its hash could not be made anew just now: the next one will do.
    async fn upgrade_hash(&self, user: &UserId, password: &Password, old: &PasswordHash) -> Result<(), StoreError> {
        match self.hasher.hash(password).await {
            Ok(new) => self.users.replace_password_hash(user, old, &new).await.map(drop),
            Err(error) => {
                tracing::warn!(user_id = %user, %error, "outdated password hash kept");
                Ok(())
            }
        }
    }

    fn admit(&self, user: &User, account: &Account, role: Option<Role>) -> Result<Role, LogInError> {
        if !user.is_active {
            return Err(LogInError::AccountDeactivated);
        }
        if self.require_verified_email && !user.email_verified {
            return Err(LogInError::UnverifiedEmail(user.email.clone()));
        }
        let role = role.unwrap_or_else(|| user.default_role());
        if account.profile.is_usable(role) { Ok(role) } else { Err(LogInError::RoleUnavailable(role)) }
    }

    async fn record(&self, account: &mut Account, network: Network) -> Result<(), LogInError> {
        let now = self.clock.now();
        let user = &mut account.profile.user;
        let version = self.users.record_login(&user.id, network, now).await?.ok_or(LogInError::InvalidCredentials)?;
        user.last_login_at = Some(now);
        user.updated_at = now;
        account.state.version = version;
        Ok(())
    }
}

//! Holds guessing up: of passwords, by account and by network, and of codes.
//!
//! Failures count, not successes. A password is looked at only while there is room, and what came of it is told only
//! if there still is room after: of many guesses at once, no more are answered than the limit allows, whereas right
//! passwords never stand in each other's way.

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Client, Network};
use crate::credentials::EmailAddress;
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::rate_limiter::{Bucket, Rate, RateLimiter, Room};
use crate::ports::user_store::UserStore;
use crate::user::UserId;

/// How often what may fail; what is nothing is not limited.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wrong passwords for one account.
    pub login_per_account: Option<Rate>,
    /// Wrong passwords from one network.
    pub login_per_network: Option<Rate>,
    /// Codes sent to one account.
    pub codes_per_account: Option<Rate>,
}

/// Why somebody is held up.
#[derive(Debug, thiserror::Error)]
pub enum ThrottleError {
    /// Too much was tried.
    #[error("too many attempts")]
    TooManyAttempts {
        /// How long until it can be tried again.
        retry_after: Duration,
    },
    /// It can't be told now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds guessing up.
pub struct Throttle {
    /// What counts.
    pub limiter: Arc<dyn RateLimiter>,
    /// Who knows where users logged in before.
    pub users: Arc<dyn UserStore>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// How much is allowed.
    pub limits: Limits,
}

/// A password that may be looked at.
#[must_use = "what came of it has to be counted"]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    buckets: Vec<Bucket>,
}

impl Throttle {
    /// Begins a login with this address. It counts apart from all others if it comes from a network that the account
    /// was logged in from before: so nobody can lock a user out from elsewhere.
    ///
    /// # Errors
    /// If too much was tried, or that can't be told.
    pub async fn log_in(&self, email: &EmailAddress, client: &Client) -> Result<Attempt<'_>, ThrottleError> {
        let account = match self.limits.login_per_account {
            Some(rate) => Some(self.account_bucket("login", email, client.network(), rate).await?),
            None => None,
        };
        self.begin(account, client).await
    }

    /// Begins to check the password of somebody who is logged in already. It counts apart from logins: only who has a
    /// session of the user can use it up.
    ///
    /// # Errors
    /// If too much was tried, or that can't be told.
    pub async fn confirm(&self, user: &UserId, client: &Client) -> Result<Attempt<'_>, ThrottleError> {
        let rate = self.limits.login_per_account;
        self.begin(rate.map(|rate| Bucket::new("confirm-account", user.as_str(), rate)), client).await
    }

    /// Counts a code that shall be sent to this address, whether it is anybody's or not.
    ///
    /// # Errors
    /// If there were too many, or that can't be told.
    pub async fn send_code(&self, email: &EmailAddress, client: &Client) -> Result<(), ThrottleError> {
        let Some(rate) = self.limits.codes_per_account else { return Ok(()) };
        let bucket = self.account_bucket("codes", email, client.network(), rate).await?;
        let room = self.limiter.count(&[bucket], self.clock.now()).await?;
        refuse_without(room)
    }

    async fn account_bucket(
        &self,
        kind: &str,
        email: &EmailAddress,
        network: Network,
        rate: Rate,
    ) -> Result<Bucket, StoreError> {
        let subject = email.to_comparable();
        Ok(if self.users.knows_network(email, network).await? {
            Bucket::new(&format!("{kind}-known"), &format!("{subject} {network}"), rate)
        } else {
            Bucket::new(&format!("{kind}-account"), &subject, rate)
        })
    }

    async fn begin(&self, account: Option<Bucket>, client: &Client) -> Result<Attempt<'_>, ThrottleError> {
        let network = client.network().to_string();
        let network = self.limits.login_per_network.map(|rate| Bucket::new("login-network", &network, rate));
        let attempt = Attempt { throttle: self, buckets: account.into_iter().chain(network).collect() };
        attempt.look().await?;
        Ok(attempt)
    }
}

impl Attempt<'_> {
    /// The password was wrong.
    ///
    /// # Errors
    /// If that is not to be told, since too much was tried meanwhile.
    pub async fn failed(self) -> Result<(), ThrottleError> {
        if self.buckets.is_empty() {
            return Ok(());
        }
        let room = self.throttle.limiter.count(&self.buckets, self.throttle.clock.now()).await?;
        refuse_without(room)
    }

    /// The password was right.
    ///
    /// # Errors
    /// If that is not to be told, since too much was tried meanwhile.
    pub async fn succeeded(self) -> Result<(), ThrottleError> {
        self.look().await
    }

    async fn look(&self) -> Result<(), ThrottleError> {
        if self.buckets.is_empty() {
            return Ok(());
        }
        let room = self.throttle.limiter.look(&self.buckets, self.throttle.clock.now()).await?;
        refuse_without(room)
    }
}

fn refuse_without(room: Room) -> Result<(), ThrottleError> {
    match room {
        Room::Left => Ok(()),
        Room::None { retry_after } => Err(ThrottleError::TooManyAttempts { retry_after }),
    }
}

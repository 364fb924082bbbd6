//! Holds guessing up: of passwords, by account and by network, and of codes.
//!
//! Failures count, not successes. A password is looked at only while there is room, and what came of it is told only
//! if there still is room after: of many guesses at once, no more are answered than the limit allows, whereas right
//! passwords never stand in each other's way.
//!
//! A network's limit is for accounts that are not known there. Who is known has a limit of their own there, which bounds
//! the guesses, and which a neighbour can't use up by guessing at others.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditEvent, AuditRecord};
use crate::client::{Client, Network};
use crate::credentials::EmailAddress;
use crate::ports::StoreError;
use crate::ports::audit_log::AuditLog;
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
    /// Where it is written down who was held up, and by which limit.
    pub audit: Arc<dyn AuditLog>,
}

/// What the buckets of networks are called.
const NETWORK_KIND: &str = "login-network";

/// Logins fail too often for one account.
pub const LOGIN_PER_ACCOUNT: &str = "login_per_account";
/// Logins fail too often from one network.
pub const LOGIN_PER_IP: &str = "login_per_ip";
/// Too many codes are sent to one account.
pub const CODES_PER_ACCOUNT: &str = "codes_per_account";

/// A password that may be looked at.
#[must_use = "what came of it has to be counted"]
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    /// There has to be room in each of them.
    deciding: Vec<Bucket>,
    /// Counts a failure, too, but room in it isn't asked for.
    beside: Option<Bucket>,
    /// Who tries.
    client: Client,
}

/// What counts for an account.
struct AccountBucket {
    bucket: Bucket,
    /// Whether it is apart for a client that the account knows.
    is_known: bool,
}

impl Throttle {
    /// Begins a login with this address. It counts apart from all others if it comes from a network that the account
    /// was logged in from before: so nobody can lock a user out, from elsewhere or by guessing at others from there.
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

    /// Begins to check the password of somebody who is logged in already, and so is known. It counts apart from logins:
    /// only who has a session of the user can use it up.
    ///
    /// # Errors
    /// If too much was tried, or that can't be told.
    pub async fn confirm(&self, user: &UserId, client: &Client) -> Result<Attempt<'_>, ThrottleError> {
        let account = self.limits.login_per_account.map(|rate| {
            let bucket = Bucket::new("confirm-account", user.as_str(), rate);
            AccountBucket { bucket, is_known: true }
        });
        self.begin(account, client).await
    }

    /// Counts a code that shall be sent to this address, whether it is anybody's or not.
    ///
    /// # Errors
    /// If there were too many, or that can't be told.
    pub async fn send_code(&self, email: &EmailAddress, client: &Client) -> Result<(), ThrottleError> {
        let Some(rate) = self.limits.codes_per_account else { return Ok(()) };
        let AccountBucket { bucket, .. } = self.account_bucket("codes", email, client.network(), rate).await?;
        match self.limiter.count(&[bucket], self.clock.now()).await? {
            Room::Left => Ok(()),
            Room::None { retry_after } => Err(self.refuse(CODES_PER_ACCOUNT, client, retry_after)),
        }
    }

    /// Writes down that this client is held up.
    fn refuse(&self, limit: &str, client: &Client, retry_after: Duration) -> ThrottleError {
        self.audit.record(AuditRecord::new(AuditEvent::LimitReached).by(client).because(limit));
        ThrottleError::TooManyAttempts { retry_after }
    }

    async fn account_bucket(
        &self,
        kind: &str,
        email: &EmailAddress,
        network: Network,
        rate: Rate,
    ) -> Result<AccountBucket, StoreError> {
        let subject = email.to_comparable();
        let is_known = self.users.knows_network(email, network).await?;
        let bucket = if is_known {
            Bucket::new(&format!("{kind}-known"), &format!("{subject} {network}"), rate)
        } else {
            Bucket::new(&format!("{kind}-account"), &subject, rate)
        };
        Ok(AccountBucket { bucket, is_known })
    }

    async fn begin(&self, account: Option<AccountBucket>, client: &Client) -> Result<Attempt<'_>, ThrottleError> {
        let network = client.network().to_string();
        let network = self.limits.login_per_network.map(|rate| Bucket::new(NETWORK_KIND, &network, rate));
        // Without a limit of its own, an account is guessed at no more often than the network's allows.
        let (deciding, beside) = match account {
            Some(AccountBucket { bucket, is_known: true }) => (vec![bucket], network),
            account => (account.map(|account| account.bucket).into_iter().chain(network).collect(), None),
        };
        let attempt = Attempt { throttle: self, deciding, beside, client: client.clone() };
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
        let Self { throttle: Throttle { limiter, clock, .. }, deciding, beside, .. } = &self;
        if deciding.is_empty() {
            return Ok(());
        }
        self.refuse_without(limiter.count(deciding, clock.now()).await?).await?;
        if let Some(bucket) = beside {
            let _full_or_not = limiter.count(slice::from_ref(bucket), clock.now()).await?;
        }
        Ok(())
    }

    /// The password was right.
    ///
    /// # Errors
    /// If that is not to be told, since too much was tried meanwhile.
    pub async fn succeeded(self) -> Result<(), ThrottleError> {
        self.look().await
    }

    async fn look(&self) -> Result<(), ThrottleError> {
        if self.deciding.is_empty() {
            return Ok(());
        }
        let room = self.throttle.limiter.look(&self.deciding, self.throttle.clock.now()).await?;
        self.refuse_without(room).await
    }

    async fn refuse_without(&self, room: Room) -> Result<(), ThrottleError> {
        match room {
            Room::Left => Ok(()),
            Room::None { retry_after } => Err(self.throttle.refuse(self.exhausted().await, &self.client, retry_after)),
        }
    }

    /// The limit that there is no room in: the network's, if there is room in the account's. Who is refused stays so,
    /// whether that can be told or not.
    async fn exhausted(&self) -> &'static str {
        let (Some(first), now) = (self.deciding.first(), self.throttle.clock.now()) else { return LOGIN_PER_ACCOUNT };
        let is_networks = first.key.starts_with(NETWORK_KIND)
            || self.deciding.len() > 1
                && matches!(self.throttle.limiter.look(slice::from_ref(first), now).await, Ok(Room::Left));
        if is_networks { LOGIN_PER_IP } else { LOGIN_PER_ACCOUNT }
    }
}

//! Users as sessions need them: read through memory.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::Cache;

use crate::Timestamp;
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::user_store::UserStore;
use crate::role::Role;
use crate::user::{Account, UserId, UserVersion};

/// Reads users through a bounded cache, so that authenticating a request asks the session store alone.
///
/// A session carries the least version that its user has ([`crate::ports::session_store::StoredSession`]); an older
/// copy is not used. A change made through this service is therefore seen by the next request on every node. A change
/// made past it, in SQL, is seen once the copy is older than `lifetime`.
pub struct Accounts {
    users: Arc<dyn UserStore>,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
    cache: Cache<UserId, Cached>,
}

/// An account that is held in memory, and what was once made of it for clients.
#[derive(Debug)]
pub struct KnownAccount {
    account: Account,
    profiles: [OnceLock<Bytes>; Role::ALL.len()],
}

impl KnownAccount {
    /// This account, of which nothing has been made yet.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account, profiles: Default::default() }
    }

    /// The profile as a session in this role is shown it, in the bytes that `render` makes of it the first time. It lives
    /// as long as this copy of the account, so that it is never older.
    pub fn profile_as(&self, role: Role, render: impl FnOnce(&Account) -> Vec<u8>) -> Bytes {
        // In a box, which is as large as what is in it.
        self.profiles[role as usize].get_or_init(|| render(&self.account).into_boxed_slice().into()).clone()
    }
}

impl Deref for KnownAccount {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

#[derive(Clone)]
struct Cached {
    account: Arc<KnownAccount>,
    read_at: Timestamp,
}

impl Accounts {
    /// Reads from this store, and again once a copy is older than `lifetime`. Holds about `capacity` copies.
    #[must_use]
    pub fn new(users: Arc<dyn UserStore>, clock: Arc<dyn Clock>, lifetime: Duration, capacity: usize) -> Self {
        Self { users, clock, lifetime, cache: Cache::new(capacity) }
    }

    /// The account of this user, of this version or a later one, if there is a copy that can be used now.
    #[must_use]
    pub fn peek(&self, id: &UserId, version: UserVersion, now: Timestamp) -> Option<Arc<KnownAccount>> {
        let cached = self.cache.get(id)?;
        let is_good = cached.account.state.version >= version && now.since(cached.read_at) < self.lifetime;
        is_good.then_some(cached.account)
    }

    /// The account of this user, of this version or a later one.
    ///
    /// # Errors
    /// If it has to be read, and the store can't be reached or read.
    pub async fn get(&self, id: &UserId, version: UserVersion) -> Result<Option<Arc<KnownAccount>>, StoreError> {
        let now = self.clock.now();
        if let Some(account) = self.peek(id, version, now) {
            return Ok(Some(account));
        }
        let Some(account) = self.users.find(id).await? else {
            self.cache.remove(id);
            return Ok(None);
        };
        let account = Arc::new(KnownAccount::new(account));
        self.cache.insert(id.clone(), Cached { account: Arc::clone(&account), read_at: now });
        Ok(Some(account))
    }

    /// Drops the copy of this user, so that the next look is at the store.
    pub fn forget(&self, id: &UserId) {
        self.cache.remove(id);
    }
}

//! Users as sessions need them: read through memory.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::Timestamp;
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::ports::user_store::UserStore;
use crate::user::{Account, UserId, UserVersion};

/// How many users are held. At about 2 KiB each this stays below 20 MiB.
const CAPACITY: usize = 10_000;

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

#[derive(Clone)]
struct Cached {
    account: Arc<Account>,
    read_at: Timestamp,
}

impl Accounts {
    /// Reads from this store, and again once a copy is older than `lifetime`.
    #[must_use]
    pub fn new(users: Arc<dyn UserStore>, clock: Arc<dyn Clock>, lifetime: Duration) -> Self {
        Self { users, clock, lifetime, cache: Cache::new(CAPACITY) }
    }

    /// The account of this user, of this version or a later one.
    ///
    /// # Errors
    /// If it has to be read, and the store can't be reached or read.
    pub async fn get(&self, id: &UserId, version: UserVersion) -> Result<Option<Arc<Account>>, StoreError> {
        let now = self.clock.now();
        if let Some(cached) = self.cache.get(id)
            && cached.account.state.version >= version
            && now.since(cached.read_at) < self.lifetime
        {
            return Ok(Some(cached.account));
        }
        let Some(account) = self.users.find(id).await?.map(Arc::new) else {
            self.cache.remove(id);
            return Ok(None);
        };
        self.cache.insert(id.clone(), Cached { account: Arc::clone(&account), read_at: now });
        Ok(Some(account))
    }

    /// Drops the copy of this user, so that the next look is at the store.
    pub fn forget(&self, id: &UserId) {
        self.cache.remove(id);
    }
}

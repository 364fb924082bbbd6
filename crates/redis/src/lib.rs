//! Sessions, codes and limits in Redis.
//!
//! [`RedisStores::connect`] opens the connections; [`RedisStores::sessions`], [`RedisStores::codes`] and
//! [`RedisStores::limits`] are the stores over them. What stands in Redis, and for how long, is told in [`keys`]; a
//! session's JSON in `record.rs`.
//!
//! # Invariants
//!
//! - `find` is one `GET`, and one more for each rotation since the id was handed out, while that is honoured. Every
//!   write that touches several keys is one Lua script, whose work is bounded by the one user's sessions. There is no
//!   `KEYS` anywhere, and `SCAN` only in [`RedisStores::directory`] and [`RedisFacts`], which are for operators.
//! - No command is sent twice, unless the server that it was sent to says that it isn't the one: after a lost connection nobody knows whether it was carried out, and a `create` that was
//!   repeated would find its own session in the way. The caller is told that Redis is unavailable, within
//!   [`ConnectOptions::command_timeout`], and decides.
//! - With [`RedisStores::tracked_sessions`], whatever changes a session that was found past the one connection that found
//!   it is told over that connection.
//! - A server that doesn't answer is left alone until it does or another has its keys, and only so many commands wait for
//!   it: `servers/`.
//! - That a session isn't there counts only once it is certain that no other server has taken over from the one that says
//!   so: `servers/absence.rs`.
//! - Nothing is kept without an end: each key has a TTL.
//! - On a cluster all that is one user's is on one server, and changed in one step: [`keys`].
//! - Needs Redis 6.0 or later (RESP3, `KEEPTTL`).

mod code_store;
mod commands;
mod connection;
mod errors;
mod facts;
mod foreign_records;
pub mod keys;
mod place;
mod probe;
mod rate_limiter;
mod record;
mod scripts;
mod servers;
mod session_directory;
mod session_store;
mod time_to_live;
mod tracking;
mod url;

use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::session::{Session, SessionId};
use markt_domain::store_guard::StoreGuard;

pub use crate::code_store::RedisCodeStore;
pub use crate::connection::ConnectOptions;
pub use crate::errors::ConnectError;
pub use crate::facts::RedisFacts;
pub use crate::foreign_records::RedisForeignRecords;
pub use crate::rate_limiter::RedisRateLimiter;
pub use crate::session_directory::RedisSessionDirectory;
pub use crate::session_store::RedisSessionStore;
pub use crate::tracking::RedisInvalidations;
pub use crate::url::{InvalidRedisUrl, RedisUrl};

use crate::servers::Servers;
use crate::tracking::Tracked;

/// The stores of one Redis, over the same few connections. A clone shares them.
#[derive(Clone)]
pub struct RedisStores {
    servers: Servers,
    options: ConnectOptions,
    clock: Arc<dyn Clock>,
}

impl RedisStores {
    /// Connects to the Redis at this address, and waits until it can be used. From then on lost connections come back
    /// by themselves.
    ///
    /// The clock tells how long what is kept has to live. The connections live on tasks of the present Tokio runtime,
    /// until they are [closed](Self::close) or it ends.
    ///
    /// # Errors
    /// If Redis can't be reached, or refuses us, or isn't one: says where and why, and holds no password. Call again
    /// to try again.
    pub async fn connect(url: &RedisUrl, options: ConnectOptions, clock: Arc<dyn Clock>) -> Result<Self, ConnectError> {
        let servers = Servers::open(url, options).await?;
        Ok(Self { servers, options, clock })
    }

    /// What stands before this Redis: it tells how that is doing.
    #[must_use]
    pub fn guard(&self) -> Arc<StoreGuard> {
        self.servers.guard()
    }

    /// Whether Redis isn't asked, or one of its servers, because it didn't answer lately.
    #[must_use]
    pub fn is_one_away(&self) -> bool {
        self.servers.is_one_away()
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> RedisSessionStore {
        RedisSessionStore::new(self.servers.clone(), self.options, Arc::clone(&self.clock))
    }

    /// The same sessions, for a cache to be kept over them, and what tells that cache of changes.
    #[must_use]
    pub fn tracked_sessions(&self) -> (RedisSessionStore, RedisInvalidations) {
        let tracked = Tracked::default();
        let invalidations = RedisInvalidations::new(self.servers.clone(), self.options, tracked.clone());
        (self.sessions().tracked(tracked), invalidations)
    }

    /// What looks over all the sessions.
    #[must_use]
    pub fn directory(&self) -> RedisSessionDirectory {
        RedisSessionDirectory::new(self.servers.clone(), self.sessions(), Arc::clone(&self.clock))
    }

    /// Puts a session there that nobody can find but by its id, past everything that a session of a user's takes, and
    /// that goes by itself after `lifetime`: to be revoked, for measuring how long that takes.
    ///
    /// # Errors
    /// If Redis can't be reached.
    pub async fn plant_probe(&self, probe: &Session, lifetime: Duration) -> Result<(), StoreError> {
        probe::plant(&self.servers, probe, lifetime).await
    }

    /// Revokes it, as `redis-cli DEL` would.
    ///
    /// # Errors
    /// If Redis can't be reached.
    pub async fn revoke_probe(&self, id: &SessionId) -> Result<(), StoreError> {
        probe::revoke(&self.servers, id).await
    }

    /// The codes.
    #[must_use]
    pub fn codes(&self) -> RedisCodeStore {
        RedisCodeStore::new(self.servers.clone(), Arc::clone(&self.clock))
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> RedisRateLimiter {
        RedisRateLimiter::new(self.servers.clone())
    }

    /// The sessions that the system before keeps in this Redis.
    #[must_use]
    pub fn foreign_records(&self) -> RedisForeignRecords {
        RedisForeignRecords::new(self.servers.clone())
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    /// If there is none within [`ConnectOptions::command_timeout`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.servers.ping().await
    }

    /// Closes the connections, after what is under way. The stores can't be used any more.
    pub async fn close(&self) {
        self.servers.close().await;
    }
}

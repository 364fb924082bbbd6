//! Sessions in memory, in front of whatever store keeps them: a request that is authenticated from here asks nobody.
//!
//! [`NearCache`] is a session store over a session store. What it holds it learnt from the store under it, and whoever
//! changes a session elsewhere empties its place here, through [`Invalidations`]. It knows ports only.
//!
//! # Invariants
//!
//! - *Memory only ever lets in.* `peek` is the one way to what is held, and says "I don't know" in any doubt; a refusal
//!   comes from the store. Every other operation asks the store, and makes sure first that it has been told of the
//!   touches that wait here.
//! - *Nothing is held that the channel doesn't watch over.* A load notes the channel's incarnation before it asks the
//!   store, and what comes of it is kept only if no invalidation of that session, no change of its user and no loss of
//!   the channel came in between.
//! - *Nothing is served on trust alone.* An entry counts only while the channel was proven alive within
//!   [`Options::max_staleness`].
//! - *What this process ends is dead here before the caller hears of it,* and if the caller goes away, all the same.
//! - *A touch never revives.* It changes an entry only where one is, and the store only where the session is.

mod cache;
mod session_store;
mod touches;
mod trust;
mod user_agents;
mod users;

use std::time::Duration;

#[cfg(doc)]
use markt_domain::ports::invalidations::Invalidations;

pub use cache::NearCache;

/// How a near cache behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many sessions it holds, about.
    pub capacity: usize,
    /// How long after the last proof that the channel is alive what it holds may be served.
    pub max_staleness: Duration,
    /// How long touches wait to be written together. Where that is no time at all, each is written at once.
    pub flush_interval: Duration,
}

/// How a near cache is doing. The counts are those since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    /// How many sessions are held.
    pub sessions: usize,
    /// How many can be, about.
    pub capacity: usize,
    /// Whether the channel was proven alive lately, so that what is held may be served.
    pub is_usable: bool,
    /// How many touches wait to be written.
    pub touches_waiting: usize,
    /// How often a session was found here.
    pub hits: u64,
    /// How often the store was asked for one.
    pub misses: u64,
    /// How often the channel told that a session was changed elsewhere.
    pub sessions_invalidated: u64,
    /// How often everything was forgotten: the store was emptied, or the channel lost.
    pub times_emptied: u64,
}

/// What came of watching for a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The session was held, and its place was emptied so long after the revocation was sent.
    Seen(Duration),
    /// It was held, and could still have been served after this time.
    Unseen(Duration),
    /// It wasn't held: nothing is being served from memory now, so that every revocation is seen at once.
    NotHeld,
}

/// How often the channel has to prove itself alive within the time that it is trusted for: so many proofs may be late.
const PROOFS: u32 = 4;

impl Options {
    fn heartbeat(&self) -> Duration {
        self.max_staleness / PROOFS
    }
}

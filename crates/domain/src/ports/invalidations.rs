//! What tells a cache over a session store that sessions were changed by others.
//!
//! # Writing an adapter
//!
//! - It belongs to a store whose `find`, as long as the channel is proven alive, has the channel tell of the next change
//!   that somebody else makes to the session that was found. What others leave alone needn't be told.
//! - [`alive`](InvalidationListener::alive) is proof: whatever was changed before that moment has been told by then.
//!   Silence is none, and a channel that only seems to be open isn't either.
//! - Whenever something may have been missed, [`lost`](InvalidationListener::lost) comes before anything else.
//! - The suite `markt_test_support::contracts::invalidations` passes.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::session::SessionId;

/// Hears what changes.
pub trait InvalidationListener: Send + Sync {
    /// Whether anything is held that may be changed. Where nothing is, nothing need be told.
    fn holds_anything(&self) -> bool;

    /// The session with this id was changed or ended by somebody else, or the id was rotated away.
    fn changed(&self, id: &SessionId);

    /// Anything may have been changed, and nothing is told until the channel is proven alive again.
    fn lost(&self);

    /// All that was changed before this moment has been told.
    fn alive(&self, at: Instant);
}

/// A channel that changes are told by.
#[async_trait]
pub trait Invalidations: Send + Sync {
    /// Tells what changes, and proves itself alive every `heartbeat` or so, for as long as it is polled. Goes on through
    /// outages by itself.
    async fn tell(&self, listener: &dyn InvalidationListener, heartbeat: Duration);
}

//! What stands in Redis. Every key is named here, and nowhere else.
//!
//! | key | type | content | lives until |
//! | --- | --- | --- | --- |
//! | `session:<id>` | string | the session as JSON (`record.rs`) | the session ends |
//! | `user-sessions:<user id>` | sorted set | the ids of the user's sessions, each with its end in milliseconds since 1970 | the last of them ends |
//! | `user-state:<user id>` | hash | `epoch` and `version`: the latest that this Redis was told of | [`USER_STATE_TTL`] after it was last told |
//! | `code:<purpose>:<user id>` | hash | `hash`, `tries_left`, `expires_at` (milliseconds since 1970) | the code is void |
//!
//! An id is a session's public id, 64 hexadecimal digits: what an operator sees in a log leads to the session by
//! `redis-cli GET`, and the longest member that Redis still packs tightly is just 64 bytes long.
//!
//! *Who tells the time.* A time to live is counted from the clock that this service goes by, and from then on by Redis:
//! that its clock shows another time doesn't matter, since only the remaining duration is sent. The ends in the index
//! are written by Redis' own clock, by which the sessions' keys vanish too, so that the two agree whatever the nodes'
//! clocks show.
//!
//! *On a cluster* the keys of one script must share a slot, which these don't: sessions in a cluster need a hash tag in
//! the names. The names of a user's other sessions, and of the index when a session is deleted, are put together
//! within the scripts from the prefixes given here, since only Redis knows them at that moment; so they aren't among a
//! script's declared keys. A single Redis and one behind Sentinel don't mind.

use std::time::Duration;

use markt_domain::code::CodePurpose;
use markt_domain::session::SessionId;
use markt_domain::user::UserId;

/// What a session's key begins with; its id follows.
pub const SESSION_PREFIX: &str = "session:";

/// What the key of a user's index begins with; the user's id follows.
pub const USER_SESSIONS_PREFIX: &str = "user-sessions:";

/// How long Redis remembers a user's latest epoch and version.
///
/// They are there for what is under way when they change: a login that read the user before, and creates its session
/// after. That takes seconds. Nor may they be forgotten before every process has let go of the copy of the user that
/// it had before the change: so no process may keep one longer than this (`session.user_cache_ttl`, a minute by
/// default).
pub const USER_STATE_TTL: Duration = Duration::from_secs(60 * 60);

pub(crate) fn session(id: &SessionId) -> String {
    format!("{SESSION_PREFIX}{id}")
}

pub(crate) fn user_sessions(user: &UserId) -> String {
    format!("{USER_SESSIONS_PREFIX}{user}")
}

pub(crate) fn user_state(user: &UserId) -> String {
    format!("user-state:{user}")
}

pub(crate) fn code(user: &UserId, purpose: CodePurpose) -> String {
    format!("code:{}:{user}", purpose.as_str())
}

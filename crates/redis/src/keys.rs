//! What stands in Redis. Every key is named here, and nowhere else.
//!
//! | key | type | content | lives until |
//! | --- | --- | --- | --- |
//! | `session:<id>` | string | the session as JSON (`record.rs`) | the session ends |
//! | `session:<old id>` | string | JSON that leads from an id that was rotated away to its successor | that isn't honoured any more |
//! | `session:<id of Flask-Session>` | string | a session of the system before, where those are taken over; not ours (`foreign_records.rs`) | that system says |
//! | `ended:<first 16 digits of the id>` | string | while the session lives, its end in milliseconds since 1970 by the service's clock; once it was ended, how | [`ConnectOptions::endings_kept`] after its end |
//! | `user-sessions:<user id>` | sorted set | the ids of the user's sessions, each with its end in milliseconds since 1970 | the last of them ends |
//! | `user-state:<user id>` | hash | `epoch` and `version`: the latest that this Redis was told of | [`ConnectOptions::user_states_kept`] after it was last told |
//! | `code:<purpose>:<user id>` | hash | `hash`, `tries_left`, `expires_at` (milliseconds since 1970) | the code is void |
//! | `near-cache:<connection>` | string | a marker that is gone once Redis was emptied: one for each process, while it holds sessions in memory | seconds after none are held |
//! | `limit:<kind>:<digest>` | string | a bucket's theoretical arrival time in milliseconds since 1970 by the service's clock | that time |
//!
//! An id is a session's public id, 64 hexadecimal digits: what an operator sees in a log leads to the session by
//! `redis-cli GET`, and the longest member that Redis still packs tightly is just 64 bytes long.
//!
//! *What is remembered of an end* has a key of its own, so that `EXISTS` and `TTL` of a session's key say what they seem
//! to. It is written with the session, since a session that expires, or that somebody deletes past this service, can't
//! write anything any more: an end that has come by then says that it expired, a later one that it was deleted. An id
//! that was rotated away has none; it leads to its successor's.
//!
//! *When the last of a user's sessions has ended*, nothing of it is left after an idle timeout, if neither
//! [`ConnectOptions::endings_kept`] nor [`ConnectOptions::user_states_kept`] is longer than that.
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

use std::fmt::Write as _;

use markt_domain::code::CodePurpose;
use markt_domain::ports::rate_limiter::Bucket;
use markt_domain::session::SessionId;
use markt_domain::user::UserId;

#[cfg(doc)]
use crate::ConnectOptions;

/// What a session's key begins with; its id follows.
pub const SESSION_PREFIX: &str = "session:";

/// What the key of a user's index begins with; the user's id follows.
pub const USER_SESSIONS_PREFIX: &str = "user-sessions:";

/// What the key of a user's state begins with; the user's id follows.
pub const USER_STATE_PREFIX: &str = "user-state:";

/// What the key of the memory of a session's end begins with; the first [`ENDED_DIGITS`] of its id follow.
pub const ENDED_PREFIX: &str = "ended:";

/// Whose the sessions are that are there only to be revoked, every few seconds, so that it can be measured how long that
/// takes: no user's.
pub const PROBE_USER: &str = "probe";

/// What the keys begin with, and the types of what stands there as Redis names them.
pub(crate) const PREFIXES: [(&str, &str); 7] = [
    (SESSION_PREFIX, "string"),
    (ENDED_PREFIX, "string"),
    (USER_SESSIONS_PREFIX, "zset"),
    (USER_STATE_PREFIX, "hash"),
    (CODE_PREFIX, "hash"),
    (NEAR_CACHE_PREFIX, "string"),
    (LIMIT_PREFIX, "string"),
];

const CODE_PREFIX: &str = "code:";
const NEAR_CACHE_PREFIX: &str = "near-cache:";
const LIMIT_PREFIX: &str = "limit:";

/// How many digits an id has.
const ID_DIGITS: usize = 64;

/// How many digits of an id tell whose end it is that is remembered. Each live session has such a key, and the whole id
/// would make it 56 bytes longer. Should two sessions ever agree in these 64 bits, one is told the end of the other.
pub const ENDED_DIGITS: usize = 16;

pub(crate) fn session(id: &SessionId) -> String {
    // Each request makes one: if it has its size from the beginning, it needn't grow.
    let mut key = String::with_capacity(SESSION_PREFIX.len() + ID_DIGITS);
    key.push_str(SESSION_PREFIX);
    let _ = write!(key, "{id}");
    key
}

pub(crate) fn ended(id: &SessionId) -> String {
    let digits = &id.to_string()[..ENDED_DIGITS];
    format!("{ENDED_PREFIX}{digits}")
}

pub(crate) fn user_sessions(user: &UserId) -> String {
    format!("{USER_SESSIONS_PREFIX}{user}")
}

pub(crate) fn user_state(user: &UserId) -> String {
    format!("{USER_STATE_PREFIX}{user}")
}

pub(crate) fn near_cache(connection: i64) -> String {
    format!("{NEAR_CACHE_PREFIX}{connection}")
}

pub(crate) fn code(user: &UserId, purpose: CodePurpose) -> String {
    format!("{CODE_PREFIX}{}:{user}", purpose.as_str())
}

pub(crate) fn limit(bucket: &Bucket) -> String {
    format!("{LIMIT_PREFIX}{}", bucket.key)
}

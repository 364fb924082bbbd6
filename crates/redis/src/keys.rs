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
//! *On a cluster* the keys of one script must be on one server. There a session's key begins with a tag in braces, the
//! first [`TAG_DIGITS`] digits of its id: `session:{c20}c209…`. `ended:{c20}…`, `user-sessions:{c20}…` and
//! `user-state:{c20}…` have the same one, since a user's ids are drawn so that they begin with the digits that the user's
//! own id comes to ([`suit_on_a_cluster`]). So a session is found by its id alone, and all that is one user's is together.
//! Limits have one tag for all, since an attempt counts in several at once. Codes have none.
//!
//! The names of a user's other sessions, and of the index when a session is deleted, are put together within the scripts
//! from the prefixes given here, since only Redis knows them at that moment; so they aren't among a script's declared
//! keys, but in their slot.

use std::fmt::Write as _;

use fred::types::Key;
use fred::util::redis_keyslot;
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

/// How many digits a tag has: 4,096 tags are spread evenly enough over a hundred servers, and found soon by drawing.
pub const TAG_DIGITS: usize = 3;

/// How many tags there are.
const TAGS: u16 = 1 << (4 * TAG_DIGITS);

/// The tag of all limits.
const LIMITS_TAG: &str = "{all}";

/// The id of the session whose key this is.
pub(crate) fn session_id(key: &str) -> Option<SessionId> {
    let name = key.strip_prefix(SESSION_PREFIX)?;
    let id = match name.strip_prefix('{') {
        None => name,
        Some(tagged) => tagged.split_once('}').filter(|(tag, id)| id.starts_with(tag))?.1,
    };
    id.parse().ok()
}

/// Whether a session of this user's may have this id on a cluster.
#[must_use]
pub fn suit_on_a_cluster(id: &SessionId, user: &UserId) -> bool {
    Keys { are_tagged: true }.suits(id, user)
}

/// Names the keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// Whether they have tags: on a cluster.
    pub(crate) are_tagged: bool,
}

impl Keys {
    /// All tags.
    pub(crate) fn tags() -> impl Iterator<Item = String> {
        (0..TAGS).map(tag)
    }

    /// Whether a session with this id is kept where all else is that is this user's.
    pub(crate) fn suits(self, id: &SessionId, user: &UserId) -> bool {
        !self.are_tagged || tag_of(id) == tag_of_user(user)
    }

    pub(crate) fn session(self, id: &SessionId) -> Key {
        // Each request makes one: if it has its size from the beginning, it needn't grow.
        let mut key = String::with_capacity(SESSION_PREFIX.len() + TAG_DIGITS + 2 + ID_DIGITS);
        key.push_str(SESSION_PREFIX);
        self.push_tag(&mut key, tag_of(id));
        let _ = write!(key, "{id}");
        key.into()
    }

    pub(crate) fn ended(self, id: &SessionId) -> Key {
        let mut key = ENDED_PREFIX.to_owned();
        self.push_tag(&mut key, tag_of(id));
        key.push_str(&id.to_string()[..ENDED_DIGITS]);
        key.into()
    }

    pub(crate) fn user_sessions(self, user: &UserId) -> Key {
        self.of_user(USER_SESSIONS_PREFIX, user)
    }

    pub(crate) fn user_state(self, user: &UserId) -> Key {
        self.of_user(USER_STATE_PREFIX, user)
    }

    /// The marker of this connection, with a tag of the server's that it leads to, if there are several.
    pub(crate) fn near_cache(tag: Option<&str>, connection: i64) -> String {
        let tag = tag.map(|tag| format!("{{{tag}}}")).unwrap_or_default();
        format!("{NEAR_CACHE_PREFIX}{tag}{connection}")
    }

    pub(crate) fn code(self, user: &UserId, purpose: CodePurpose) -> Key {
        format!("{CODE_PREFIX}{}:{user}", purpose.as_str()).into()
    }

    pub(crate) fn limit(self, bucket: &Bucket) -> Key {
        let tag = if self.are_tagged { LIMITS_TAG } else { "" };
        format!("{LIMIT_PREFIX}{tag}{}", bucket.key).into()
    }

    fn of_user(self, prefix: &str, user: &UserId) -> Key {
        let mut key = prefix.to_owned();
        self.push_tag(&mut key, tag_of_user(user));
        key.push_str(user.as_str());
        key.into()
    }

    fn push_tag(self, key: &mut String, number: u16) {
        if self.are_tagged {
            key.push('{');
            key.push_str(&tag(number));
            key.push('}');
        }
    }
}

fn tag(number: u16) -> String {
    format!("{number:0width$x}", width = TAG_DIGITS)
}

/// The number that the id's first digits are.
fn tag_of(id: &SessionId) -> u16 {
    let [first, second, ..] = *id.digest().as_bytes();
    u16::from_be_bytes([first, second]) >> (16 - 4 * TAG_DIGITS)
}

fn tag_of_user(user: &UserId) -> u16 {
    redis_keyslot(user.as_str().as_bytes()) % TAGS
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c20962b47079d81b343821f0cefd1d1e9739b30dca67ad31346c03800b66d5ad";

    fn text(key: &Key) -> &str {
        key.as_str().unwrap()
    }

    #[test]
    fn a_key_leads_back_to_its_session() {
        let id: SessionId = ID.parse().unwrap();
        for (are_tagged, expected) in [(false, format!("session:{ID}")), (true, format!("session:{{c20}}{ID}"))] {
            let key = Keys { are_tagged }.session(&id);
            assert_eq!(text(&key), expected);
            assert_eq!(session_id(text(&key)), Some(id));
        }
        for other in ["session:{c21}", "session:{c20", "session:x", "ended:c20962b47079d81b", "session:{}"] {
            assert_eq!(session_id(&other.replace("{c21}", &format!("{{c21}}{ID}"))), None, "{other}");
        }
    }

    #[test]
    fn on_a_cluster_all_that_is_one_users_has_one_slot() {
        let keys = Keys { are_tagged: true };
        for name in ["USR_AAAAAAAA", "USR_Q7ZK02LM", "probe"] {
            let user = UserId::from_store(name);
            let number = tag_of_user(&user);
            let id = format!("{}{}", tag(number), &ID[TAG_DIGITS..]).parse().unwrap();
            assert!(keys.suits(&id, &user));
            let all = [keys.session(&id), keys.ended(&id), keys.user_sessions(&user), keys.user_state(&user)];
            let slots = all.map(|key| redis_keyslot(key.as_bytes()));
            assert_eq!(slots, [redis_keyslot(tag(number).as_bytes()); 4], "{name}");
            let other = format!("{}{}", tag((number + 1) % TAGS), &ID[TAG_DIGITS..]).parse().unwrap();
            assert!(!keys.suits(&other, &user));
            assert!(Keys { are_tagged: false }.suits(&other, &user));
        }
    }

    #[test]
    fn every_tag_has_a_key_of_its_own_and_they_are_spread() {
        let slots: std::collections::BTreeSet<_> = Keys::tags().map(|tag| redis_keyslot(tag.as_bytes())).collect();
        assert_eq!(Keys::tags().count(), 4096);
        // Of three servers with a third of the slots each, each has its share of tags, to within a tenth.
        for third in [0..5461, 5461..10922, 10922..16384] {
            let tags = slots.iter().filter(|slot| third.contains(&usize::from(**slot))).count();
            assert!((1200..1500).contains(&tags), "{tags} of {}", slots.len());
        }
    }
}

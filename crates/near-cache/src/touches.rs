//! The touches that wait to be written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use markt_domain::Timestamp;
use markt_domain::ports::session_store::Touch;
use markt_domain::session::SessionId;

/// How many touches wait at most; one more is written at once.
const CAPACITY: usize = 65_536;

/// Touches that wait to be written together: the last one of each session.
#[derive(Default)]
pub(crate) struct Touches(Mutex<HashMap<SessionId, Use>>);

/// What a touch says of its session.
struct Use {
    last_activity: Timestamp,
    idle_expires_at: Timestamp,
}

impl Touches {
    /// Keeps a touch, unless a later one of that session waits already. Returns whether one waits then.
    pub(crate) fn add(&self, touch: Touch) -> bool {
        let Touch { id, last_activity, idle_expires_at } = touch;
        let mut waiting = self.waiting();
        let is_full = waiting.len() >= CAPACITY;
        match waiting.entry(id) {
            Entry::Occupied(mut other) => {
                if other.get().last_activity < last_activity {
                    other.insert(Use { last_activity, idle_expires_at });
                }
                true
            }
            Entry::Vacant(_) if is_full => false,
            Entry::Vacant(place) => {
                place.insert(Use { last_activity, idle_expires_at });
                true
            }
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// The touch of this session that waits, which doesn't any more.
    pub(crate) fn take(&self, id: &SessionId) -> Option<Touch> {
        self.waiting().remove(id).map(|last| last.of(*id))
    }

    /// All that wait, which don't any more. Nor does the memory that they took, which is much after a rush.
    pub(crate) fn take_all(&self) -> Vec<Touch> {
        let all = std::mem::take(&mut *self.waiting());
        all.into_iter().map(|(id, last)| last.of(id)).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<SessionId, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn of(self, id: SessionId) -> Touch {
        Touch { id, last_activity: self.last_activity, idle_expires_at: self.idle_expires_at }
    }
}

#[cfg(test)]
mod tests {
    use markt_domain::digest::Digest;

    use super::*;

    fn touch(session: usize, at: i64) -> Touch {
        let at = Timestamp::from_unix_milliseconds(at);
        Touch { id: SessionId::new(Digest::of(&session.to_le_bytes())), last_activity: at, idle_expires_at: at }
    }

    #[test]
    fn of_each_session_the_last_touch_waits() {
        let touches = Touches::default();
        for at in [2, 3, 1] {
            assert!(touches.add(touch(0, at)));
        }
        assert!(touches.add(touch(1, 9)));
        assert_eq!(touches.take(&touch(0, 0).id), Some(touch(0, 3)));
        assert_eq!(touches.take_all(), [touch(1, 9)]);
        assert_eq!(touches.take_all(), []);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let touches = Touches::default();
        for session in 0..CAPACITY {
            assert!(touches.add(touch(session, 1)));
        }
        assert!(!touches.add(touch(CAPACITY, 1)));
        assert!(touches.add(touch(0, 2)));
        assert_eq!(touches.take_all().len(), CAPACITY);
    }
}

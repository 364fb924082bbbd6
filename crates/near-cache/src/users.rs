//! The versions that users have at least, for the sessions that are held of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use markt_domain::user::{UserId, UserVersion};

/// How many users are watched before those are forgotten of whom nothing is held any more.
const FIRST_SWEEP: usize = 1024;

/// The version that a user has at least. Shared by all sessions of that user that are held.
#[derive(Debug)]
pub(crate) struct Floor(AtomicI64);

impl Floor {
    /// Whether a session that came with this version of its user is still worth something.
    pub(crate) fn admits(&self, version: UserVersion) -> bool {
        version.0 >= self.0.load(Ordering::Acquire)
    }
}

/// Counts the changes of users that this process made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changes(u64);

/// The users of whom sessions are held.
pub(crate) struct Users {
    watched: Mutex<Watched>,
    changes: AtomicU64,
}

struct Watched {
    floors: HashMap<UserId, Weak<Floor>>,
    next_sweep: usize,
}

impl Users {
    pub(crate) fn new() -> Self {
        let watched = Watched { floors: HashMap::new(), next_sweep: FIRST_SWEEP };
        Self { watched: Mutex::new(watched), changes: AtomicU64::new(0) }
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes(self.changes.load(Ordering::Acquire))
    }

    /// From now on this user has this version at least.
    pub(crate) fn raise(&self, user: &UserId, version: UserVersion) {
        // Counted first: a session that is being loaded either finds that something changed, or its floor is found here.
        self.changes.fetch_add(1, Ordering::AcqRel);
        if let Some(floor) = self.watched().floors.get(user).and_then(Weak::upgrade) {
            floor.0.fetch_max(version.0, Ordering::AcqRel);
        }
    }

    /// The user's floor, which is there as long as somebody holds it.
    pub(crate) fn floor(&self, user: &UserId) -> Arc<Floor> {
        let mut watched = self.watched();
        if let Some(floor) = watched.floors.get(user).and_then(Weak::upgrade) {
            return floor;
        }
        watched.sweep();
        let floor = Arc::new(Floor(AtomicI64::new(i64::MIN)));
        watched.floors.insert(user.clone(), Arc::downgrade(&floor));
        floor
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Forgets who isn't held any more, once there may be as many of them as of the others.
    fn sweep(&mut self) {
        if self.floors.len() >= self.next_sweep {
            self.floors.retain(|_, floor| floor.strong_count() > 0);
            self.next_sweep = FIRST_SWEEP.max(self.floors.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        UserId::from_store(&format!("USR_{number:08}"))
    }

    #[test]
    fn a_change_of_the_user_shuts_out_what_came_before_it() {
        let users = Users::new();
        let floor = users.floor(&user(1));
        assert!(floor.admits(UserVersion(3)));
        users.raise(&user(1), UserVersion(4));
        users.raise(&user(1), UserVersion(2));
        assert!(!floor.admits(UserVersion(3)));
        assert!(floor.admits(UserVersion(4)));
        assert!(users.floor(&user(2)).admits(UserVersion(0)));
    }

    #[test]
    fn every_change_counts_also_of_a_user_of_whom_nothing_is_held() {
        let users = Users::new();
        let before = users.changes();
        users.raise(&user(1), UserVersion(1));
        assert_ne!(users.changes(), before);
    }

    #[test]
    fn users_of_whom_nothing_is_held_are_forgotten_in_time() {
        let users = Users::new();
        let held = users.floor(&user(0));
        for number in 1..10 * FIRST_SWEEP {
            drop(users.floor(&user(number)));
        }
        assert!(users.watched().floors.len() <= FIRST_SWEEP);
        users.raise(&user(0), UserVersion(1));
        assert!(!held.admits(UserVersion(0)));
    }
}

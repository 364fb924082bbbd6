//! The user agents of the sessions that are held, each of them once: a browser's is the same in all its users' sessions,
//! and as long as the rest of a session.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are known before those are forgotten of which no session is held any more.
const FIRST_SWEEP: usize = 1024;

/// The user agents that were seen.
pub(crate) struct UserAgents(Mutex<Known>);

struct Known {
    agents: HashSet<Arc<str>>,
    next_sweep: usize,
}

impl UserAgents {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Known { agents: HashSet::new(), next_sweep: FIRST_SWEEP }))
    }

    /// Has this one be the same in memory as any like it.
    pub(crate) fn share(&self, agent: &mut Arc<str>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.agents.get(agent) {
            *agent = Arc::clone(same);
        } else {
            known.sweep();
            known.agents.insert(Arc::clone(agent));
        }
    }
}

impl Known {
    /// Forgets what nobody else holds, once there may be as many of them as of the others.
    fn sweep(&mut self) {
        if self.agents.len() >= self.next_sweep {
            self.agents.retain(|agent| Arc::strong_count(agent) > 1);
            self.next_sweep = FIRST_SWEEP.max(self.agents.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ones_are_kept_once_and_others_apart() {
        let agents = UserAgents::new();
        let [mut first, mut second, mut other] = ["Firefox", "Firefox", "Chrome"].map(Arc::from);
        for agent in [&mut first, &mut second, &mut other] {
            agents.share(agent);
        }
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((&*second, &*other), ("Firefox", "Chrome"));
    }

    #[test]
    fn what_nobody_holds_is_forgotten_in_time() {
        let agents = UserAgents::new();
        let mut held = Arc::from("Firefox");
        agents.share(&mut held);
        for number in 1..10 * FIRST_SWEEP {
            agents.share(&mut Arc::from(format!("Chrome {number}")));
        }
        assert!(agents.0.lock().unwrap().agents.len() <= FIRST_SWEEP);
        let mut same = Arc::from("Firefox");
        agents.share(&mut same);
        assert!(Arc::ptr_eq(&held, &same));
    }
}

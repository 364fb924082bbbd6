//! What a session store does, without a store: a few maps, one thing at a time.

use std::collections::BTreeMap;

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Creation};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState};

/// The sessions of a few users. What it answers is what a store must.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The users' counters, as the store was told of them.
    pub(super) users: BTreeMap<UserId, UserState>,
    /// The sessions there are, and how often each was changed.
    pub(super) sessions: BTreeMap<SessionId, (Session, u64)>,
    /// What each id that was rotated away leads to by one step, and until when.
    former: BTreeMap<SessionId, (SessionId, Timestamp)>,
    ended: BTreeMap<SessionId, Ending>,
}

/// What an id finds.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) session: Session,
    pub(super) changes: u64,
    pub(super) honoured_until: Option<Timestamp>,
}

impl Model {
    /// The id at the end of all rotations, be there a session with it or not.
    fn last(&self, id: SessionId) -> SessionId {
        self.former.get(&id).map_or(id, |(next, _)| self.last(*next))
    }

    pub(super) fn find(&self, id: SessionId) -> Option<Found> {
        let (session, changes) = self.sessions.get(&self.last(id))?.clone();
        Some(Found { session, changes, honoured_until: self.former.get(&id).map(|(_, until)| *until) })
    }

    pub(super) fn ending(&self, id: SessionId) -> Option<Ending> {
        self.ended.get(&self.last(id)).copied()
    }

    /// Whether there is a session with this id, or the id leads to one.
    pub(super) fn is_taken(&self, id: SessionId) -> bool {
        self.find(id).is_some()
    }

    /// Whether the id was rotated away or to, and the session has ended. Real ids are never drawn again, so nothing is
    /// promised of new sessions under such a one.
    pub(super) fn is_spent(&self, id: SessionId) -> bool {
        let was_rotated = |(old, (new, _)): (&SessionId, &(SessionId, Timestamp))| *old == id || *new == id;
        !self.is_taken(id) && self.former.iter().any(was_rotated)
    }

    pub(super) fn create(&mut self, session: &Session, max_per_user: usize, replaces: &[SessionId]) -> Creation {
        if session.epoch < self.users[&session.user_id].epoch {
            return Creation::Superseded;
        }
        if self.is_taken(session.id) {
            return Creation::IdTaken;
        }
        for replaced in replaces {
            self.delete(*replaced, Ending::Replaced);
        }
        let mut evicted = Vec::new();
        while self.of(&session.user_id).count() + 1 > max_per_user {
            let first = self.of(&session.user_id).min_by_key(|session| session.created_at).unwrap().id;
            self.end(first, Ending::Evicted);
            evicted.push(first);
        }
        self.ended.remove(&session.id);
        self.sessions.insert(session.id, (session.clone(), 0));
        Creation::Created { evicted }
    }

    pub(super) fn touch(&mut self, id: SessionId, used: Timestamp, idle_expires_at: Timestamp) -> bool {
        let Some((session, changes)) = self.sessions.get_mut(&id) else { return false };
        if session.last_activity < used {
            (session.last_activity, session.idle_expires_at) = (used, idle_expires_at);
            *changes += 1;
        }
        true
    }

    pub(super) fn update(&mut self, session: &Session, is_present_revision: bool) -> Change {
        if !self.is_taken(session.id) {
            return Change::Gone;
        }
        match self.sessions.get_mut(&session.id) {
            Some((present, changes)) if is_present_revision => {
                *present = session.clone();
                *changes += 1;
                Change::Made
            }
            _ => Change::Conflict,
        }
    }

    pub(super) fn rotate(
        &mut self,
        old: SessionId,
        is_present_revision: bool,
        successor: &Session,
        until: Timestamp,
    ) -> Change {
        if !self.is_taken(old) {
            return Change::Gone;
        }
        if !self.sessions.contains_key(&old) || !is_present_revision || self.is_taken(successor.id) {
            return Change::Conflict;
        }
        let (_, changes) = self.sessions.remove(&old).unwrap();
        self.sessions.insert(successor.id, (successor.clone(), changes + 1));
        self.former.insert(old, (successor.id, until));
        self.ended.remove(&successor.id);
        Change::Made
    }

    pub(super) fn delete(&mut self, id: SessionId, ending: Ending) -> bool {
        self.end(self.last(id), ending)
    }

    pub(super) fn delete_before_epoch(
        &mut self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> u64 {
        self.users.insert(user.clone(), state);
        let before: BTreeMap<_, _> = self
            .of(user)
            .filter(|session| session.epoch < state.epoch)
            .map(|session| (session.id, session.family))
            .collect();
        let mut count = 0;
        for (id, family) in before {
            if Some(family) == keep {
                let (session, changes) = self.sessions.get_mut(&id).unwrap();
                session.epoch = state.epoch;
                *changes += 1;
            } else {
                self.end(id, ending);
                count += 1;
            }
        }
        count
    }

    /// The user's sessions.
    pub(super) fn of(&self, user: &UserId) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(|(session, _)| session).filter(move |session| session.user_id == *user)
    }

    fn end(&mut self, id: SessionId, ending: Ending) -> bool {
        let was_there = self.sessions.remove(&id).is_some();
        if was_there {
            self.ended.insert(id, ending);
        }
        was_there
    }
}

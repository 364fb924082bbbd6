//! Random sequences of operations, each run on the store and on the model.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::ports::session_store::{Change, Creation, Revision, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Ending, RefreshChain, Session, SessionFamily, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserState};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::model::Model;
use super::support::{Fixture, user_that_suits};
use crate::fixtures;

/// How many sequences are tried, unless `PROPTEST_CASES` says so.
const CASES: u32 = 64;
/// The longest sequence.
const STEPS: usize = 40;
/// How many users there are.
const USERS: usize = 2;
/// How many ids there are at a time: so few that operations meet, and new sessions get ids that were used.
const IDS: usize = 6;

/// One step. Users and ids are named by their numbers.
#[derive(Clone, Debug)]
enum Operation {
    Create { user: usize, id: usize, max_per_user: u32, minutes_ago: u64, replaces: Vec<usize> },
    CreateOfEndedEpoch { user: usize, id: usize },
    Touch { id: usize, minute: u64 },
    Update { id: usize, stale: bool },
    Rotate { id: usize, stale: bool, to: usize },
    Delete { id: usize, ending: Ending },
    EndEpoch { user: usize, keep: Option<usize>, ending: Ending },
    ChangeUser { user: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{ChangeUser, Create, CreateOfEndedEpoch, Delete, EndEpoch, Rotate, Touch, Update};
    let (user, id) = (0..USERS, 0..IDS);
    let stale = prop::bool::weighted(0.2);
    let ending = select(Ending::ALL.as_slice());
    let keep = prop::option::weighted(0.7, id.clone());
    let replaces = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(id.clone(), 1..3)];
    let create = (user.clone(), id.clone(), 1..5_u32, 0..60_u64, replaces);
    prop_oneof![
        6 => create.prop_map(|(user, id, max_per_user, minutes_ago, replaces)| {
            Create { user, id, max_per_user, minutes_ago, replaces }
        }),
        1 => (user.clone(), id.clone()).prop_map(|(user, id)| CreateOfEndedEpoch { user, id }),
        4 => (id.clone(), 0..60_u64).prop_map(|(id, minute)| Touch { id, minute }),
        3 => (id.clone(), stale).prop_map(|(id, stale)| Update { id, stale }),
        6 => (id.clone(), stale, id.clone()).prop_map(|(id, stale, to)| Rotate { id, stale, to }),
        2 => (id, ending.clone()).prop_map(|(id, ending)| Delete { id, ending }),
        2 => (user.clone(), keep, ending).prop_map(|(user, keep, ending)| EndEpoch { user, keep, ending }),
        1 => user.prop_map(|user| ChangeUser { user }),
    ]
}

/// After each step, the store and the model agree on what it answered, and on all that can be asked.
pub async fn any_sequence_of_operations_agrees_with_the_model(fixture: Fixture<'_>) {
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let sequences = prop::collection::vec(operation(), 1..=STEPS);
    let outcome =
        block_in_place(|| runner.run(&sequences, |operations| Handle::current().block_on(agree(fixture, &operations))));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, operations)) => {
            let mut steps = String::new();
            for (number, operation) in operations.iter().enumerate() {
                writeln!(steps, "{:3}. {operation:?}", number + 1).unwrap();
            }
            panic!("{reason}\nin the sequence\n{steps}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

async fn agree(fixture: Fixture<'_>, operations: &[Operation]) -> Result<(), TestCaseError> {
    let mut case = Case::begin(fixture).await;
    for (number, operation) in operations.iter().enumerate() {
        let step = format!("step {}", number + 1);
        case.now = case.now.plus(Duration::from_millis(1));
        case.run(operation).await.map_err(|error| in_step(&step, &error))?;
        case.compare().await.map_err(|error| in_step(&step, &error))?;
    }
    Ok(())
}

fn in_step(step: &str, error: &TestCaseError) -> TestCaseError {
    TestCaseError::fail(format!("{step}: {error}"))
}

/// One sequence under way.
struct Case<'a> {
    fixture: Fixture<'a>,
    model: Model,
    users: Vec<UserId>,
    first_epochs: Vec<SessionEpoch>,
    ids: Vec<SessionId>,
    /// Moves a millisecond with each step, so that no two times of two steps are equal. All ends lie far ahead.
    now: Timestamp,
    /// The revision that a session had when it had been changed so often.
    revisions: HashMap<SessionId, (u64, Revision)>,
}

impl<'a> Case<'a> {
    async fn begin(fixture: Fixture<'a>) -> Self {
        let mut model = Model::default();
        let (mut users, mut first_epochs) = (Vec::new(), Vec::new());
        let first = fixture.new_user().await;
        let id = fixtures::session(&first.0).id;
        let mut all = vec![first];
        while all.len() < USERS {
            all.push(user_that_suits(fixture, &id).await);
        }
        for (user, state) in all {
            model.users.insert(user.clone(), state);
            first_epochs.push(state.epoch);
            users.push(user);
        }
        let ids = (0..IDS).map(|_| fixtures::session(&users[0]).id).collect();
        Self { fixture, model, users, first_epochs, ids, now: fixtures::now(), revisions: HashMap::new() }
    }

    /// Runs a step on both, and compares the answers. A step of which nothing is promised is left out.
    async fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::Create { user, id, max_per_user, minutes_ago, ref replaces } => {
                let id = self.usable(id);
                let session = Session { created_at: self.minutes_ago(minutes_ago), ..self.session(user, id) };
                let replaces: Vec<_> = replaces.iter().map(|replaced| self.ids[*replaced]).collect();
                self.create(session, max_per_user, &replaces).await
            }
            Operation::CreateOfEndedEpoch { user, id } => {
                let (id, epoch) = (self.usable(id), self.first_epochs[user]);
                let is_over = epoch < self.state(user).epoch;
                if !is_over || self.model.is_taken(id) {
                    return Ok(());
                }
                self.create(Session { epoch, ..self.session(user, id) }, 1, &[]).await
            }
            Operation::Touch { id, minute } => self.touch(self.ids[id], minute).await,
            Operation::Update { id, stale } => {
                let id = self.usable(id);
                self.update(id, stale).await
            }
            Operation::Rotate { id, stale, to } => {
                let (old, new) = (self.usable(id), self.usable(to));
                self.rotate(old, stale, new).await
            }
            Operation::Delete { id, ending } => {
                let deleted = self.fixture.store().delete(&self.ids[id], ending).await.unwrap();
                same("deleted", &deleted, &self.model.delete(self.ids[id], ending))
            }
            Operation::EndEpoch { user, keep, ending } => {
                self.end_epoch(user, keep.map(|keep| self.family(keep)), ending).await
            }
            Operation::ChangeUser { user } => {
                let version = self.fixture.change_user(&self.users[user]).await;
                self.fixture.store().user_changed(&self.users[user], version).await.unwrap();
                self.model.users.get_mut(&self.users[user]).unwrap().version = version;
                Ok(())
            }
        }
    }

    async fn create(
        &mut self,
        session: Session,
        max_per_user: u32,
        replaces: &[SessionId],
    ) -> Result<(), TestCaseError> {
        let version = self.model.users[&session.user_id].version;
        let limit = NonZeroU32::new(max_per_user).unwrap();
        let mut creation = self.fixture.store().create(&session, version, limit, replaces).await.unwrap();
        let mut expected = self.model.create(&session, usize::try_from(max_per_user).unwrap(), replaces);
        for creation in [&mut creation, &mut expected] {
            if let Creation::Created { evicted } = creation {
                evicted.sort();
            }
        }
        if matches!(creation, Creation::Created { .. }) {
            self.revisions.remove(&session.id);
        }
        same("creation", &creation, &expected)
    }

    async fn touch(&mut self, id: SessionId, minute: u64) -> Result<(), TestCaseError> {
        let used = self.now.plus(Duration::from_secs(60 * minute));
        let ends = used.plus(Duration::from_secs(7 * 24 * 3600));
        let touched = self.fixture.store().touch(&id, used, ends).await.unwrap();
        same("touched", &touched, &self.model.touch(id, used, ends))
    }

    async fn update(&mut self, id: SessionId, stale: bool) -> Result<(), TestCaseError> {
        let (present, revision) = self.present(id, stale).await;
        let changed = Session {
            id,
            current_role: if present.current_role == Role::Buyer { Role::Seller } else { Role::Buyer },
            authenticated_at: self.now,
            password_given: !present.password_given,
            remember: !present.remember,
            client: Client { user_agent: format!("{} \"é", self.now).into(), ..present.client },
            refresh: present.refresh.map_or(Some(RefreshChain::begun_at(self.now)), |chain| {
                (chain.generation.get() < 3).then(|| chain.next(self.now))
            }),
            ..present
        };
        let change = self.fixture.store().update(&changed, revision).await.unwrap();
        same("update", &change, &self.model.update(&changed, !stale))
    }

    async fn rotate(&mut self, old: SessionId, stale: bool, to: SessionId) -> Result<(), TestCaseError> {
        if !self.model.is_taken(old) && self.model.is_taken(to) {
            return Ok(());
        }
        let (present, revision) = self.present(old, stale).await;
        let successor = Session { id: to, authenticated_at: self.now, ..present };
        let until = self.now.plus(Duration::from_secs(3600));
        let change = self.fixture.store().rotate(&old, revision, &successor, until).await.unwrap();
        if change == Change::Made
            && let Some(known) = self.revisions.remove(&old)
        {
            self.revisions.insert(to, known);
        }
        same("rotation", &change, &self.model.rotate(old, !stale, &successor, until))
    }

    async fn end_epoch(
        &mut self,
        user: usize,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<(), TestCaseError> {
        let user = &self.users[user];
        let state = self.fixture.begin_epoch(user, keep).await;
        let ended = self.fixture.store().delete_before_epoch(user, state, keep, ending).await.unwrap();
        same("ended", &ended, &self.model.delete_before_epoch(user, state, keep, ending))
    }

    /// The family of the session that this id finds, or would found.
    fn family(&self, id: usize) -> SessionFamily {
        let id = self.ids[id];
        self.model.find(id).map_or_else(|| id.family(), |found| found.session.family)
    }

    /// Asks for all that there is.
    async fn compare(&mut self) -> Result<(), TestCaseError> {
        let store = self.fixture.store();
        for (number, id) in self.ids.iter().enumerate() {
            let stored = store.find(id).await.unwrap();
            let found = self.model.find(*id);
            if let (Some(stored), Some(found)) = (&stored, &found) {
                let present = (found.changes, stored.revision);
                let known = self.revisions.insert(found.session.id, present).unwrap_or(present);
                let step = (present.0.cmp(&known.0), present.1.cmp(&known.1));
                same(&format!("whether the revision of id {number} went up"), &step.1, &step.0)?;
            }
            let revision = stored.as_ref().map_or(Revision::default(), |stored| stored.revision);
            let expected = found.map(|found| StoredSession {
                user_version: self.model.users[&found.session.user_id].version,
                session: found.session,
                revision,
                honoured_until: found.honoured_until,
            });
            same(&format!("id {number}"), &stored, &expected)?;
            same(&format!("the ending of id {number}"), &store.ending(id).await.unwrap(), &self.model.ending(*id))?;
        }
        for (number, user) in self.users.iter().enumerate() {
            let mut list = store.list(user).await.unwrap();
            list.sort_by_key(|stored| stored.session.id);
            let expected: Vec<_> = self.model.of(user).map(|session| self.stored(session)).collect();
            same(&format!("the list of user {number}"), &list, &expected)?;
        }
        Ok(())
    }

    /// What is expected of a session under its own id, once its revision is known.
    fn stored(&self, session: &Session) -> StoredSession {
        StoredSession {
            user_version: self.model.users[&session.user_id].version,
            revision: self.revisions[&session.id].1,
            session: session.clone(),
            honoured_until: None,
        }
    }

    /// The session that an id finds, or one that might have been there, and its revision or another.
    async fn present(&self, id: SessionId, stale: bool) -> (Session, Revision) {
        let stored = self.fixture.store().find(&id).await.unwrap();
        let (session, revision) = stored.map_or_else(
            || (Session { id, ..fixtures::session(&self.users[0]) }, Revision::default()),
            |stored| (stored.session, stored.revision),
        );
        (session, if stale { Revision(revision.0 - 1) } else { revision })
    }

    /// The id of this number, which becomes another one if nothing is promised of it any more.
    fn usable(&mut self, number: usize) -> SessionId {
        if self.model.is_spent(self.ids[number]) {
            self.ids[number] = fixtures::session(&self.users[0]).id;
        }
        self.ids[number]
    }

    fn session(&self, user: usize, id: SessionId) -> Session {
        Session { id, family: id.family(), epoch: self.state(user).epoch, ..fixtures::session(&self.users[user]) }
    }

    fn state(&self, user: usize) -> UserState {
        self.model.users[&self.users[user]]
    }

    fn minutes_ago(&self, minutes: u64) -> Timestamp {
        let ago = i64::try_from(60_000 * minutes).unwrap();
        Timestamp::from_unix_milliseconds(self.now.unix_milliseconds() - ago)
    }
}

fn same<T: PartialEq + Debug>(what: &str, of_the_store: &T, of_the_model: &T) -> Result<(), TestCaseError> {
    if of_the_store == of_the_model {
        Ok(())
    } else {
        Err(TestCaseError::fail(format!("{what}\n  is        {of_the_store:?}\n  should be {of_the_model:?}")))
    }
}

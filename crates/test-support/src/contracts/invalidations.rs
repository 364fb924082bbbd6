//! What everything promises that tells a cache of changes ([`Invalidations`]).
//!
//! ```ignore
//! invalidations_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! As for [`session_store`](crate::contracts::session_store).

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations};
use markt_domain::ports::session_store::SessionStore;
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::UserVersion;
use tokio::task::JoinHandle;

use super::session_store::{SessionStoreFixture, created_session};

/// How often the channel is to prove itself alive.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// Much longer than anything takes to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store that a cache could be kept over, what tells of changes to it, and the same store as another process has it.
#[async_trait]
pub trait InvalidationsFixture: SessionStoreFixture {
    /// What tells of changes to the sessions that were found in [`store`](SessionStoreFixture::store).
    fn invalidations(&self) -> Arc<dyn Invalidations>;

    /// The same sessions, by way of another process.
    fn other(&self) -> Arc<dyn SessionStore>;
}

/// Makes a test of each promise: `invalidations_contract!(module_name, future_of_fixture)`.
#[macro_export]
macro_rules! invalidations_contract {
    ($name:ident, $make:expr $(, $how:ident)?) => {
        $crate::contract_tests! { invalidations, $name, $make, [
            what_another_ends_is_told,
            what_another_rotates_is_told,
            what_another_changes_is_told,
            what_another_touches_is_told,
            a_change_of_the_user_by_another_is_told,
            the_end_of_an_epoch_by_another_is_told,
            what_is_touched_here_is_not_told_and_what_another_ends_after_it_is,
            whoever_is_proven_alive_has_told_all_that_came_before,
            a_channel_that_nothing_is_told_by_stays_alive,
        ] $(, $how)? }
    };
}

type Fixture<'a> = &'a dyn InvalidationsFixture;

/// Everything that was heard, in the order of hearing.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Changed(SessionId),
    Lost,
    Alive(Instant),
}

#[derive(Default)]
struct Log(Mutex<Vec<Heard>>);

impl Log {
    fn push(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }

    fn heard(&self) -> Vec<Heard> {
        self.0.lock().unwrap().clone()
    }

    /// What was heard after this many, until a proof that is later than `after`; what comes after that doesn't count.
    async fn until_proven_after(&self, skipped: usize, after: Instant) -> Vec<Heard> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut heard = self.heard().split_off(skipped);
            let proof = heard.iter().position(|heard| matches!(heard, Heard::Alive(at) if *at > after));
            if let Some(proof) = proof {
                heard.truncate(proof);
                return heard;
            }
            assert!(Instant::now() < deadline, "no proof of life after {heard:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl InvalidationListener for Log {
    fn holds_anything(&self) -> bool {
        true
    }

    fn changed(&self, id: &SessionId) {
        self.push(Heard::Changed(*id));
    }

    fn lost(&self) {
        self.push(Heard::Lost);
    }

    fn alive(&self, at: Instant) {
        self.push(Heard::Alive(at));
    }
}

/// Somebody who listens, and has found a session.
struct Listening {
    log: Arc<Log>,
    session: Session,
    version: UserVersion,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listening {
    async fn begin(fixture: Fixture<'_>) -> Self {
        let log = Arc::new(Log::default());
        let (invalidations, listener) = (fixture.invalidations(), Arc::clone(&log));
        let task = tokio::spawn(async move { invalidations.tell(&*listener, HEARTBEAT).await });
        log.until_proven_after(0, Instant::now()).await;
        let session = created_session(fixture).await;
        let found = fixture.store().find(&session.id).await.unwrap().unwrap();
        // What making the session had told has been heard.
        log.until_proven_after(0, Instant::now()).await;
        Self { log, session, version: found.user_version, task }
    }

    /// Does something, and returns whether it was told that the session may have changed, by the first proof of life that
    /// is later.
    async fn is_told_of<T>(&self, change: impl Future<Output = T>) -> bool {
        let before = self.log.heard().len();
        change.await;
        let heard = self.log.until_proven_after(before, Instant::now()).await;
        heard.iter().any(|heard| *heard == Heard::Lost || *heard == Heard::Changed(self.session.id))
    }

    fn used(&self, seconds: u64) -> Session {
        let last_activity = self.session.last_activity.plus(Duration::from_secs(seconds));
        Session { last_activity, idle_expires_at: self.session.expires_at, ..self.session.clone() }
    }
}

/// As by a logout on another node.
pub async fn what_another_ends_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let end = async { assert!(fixture.other().delete(&listening.session.id, Ending::LoggedOut).await.unwrap()) };
    assert!(listening.is_told_of(end).await);
}

/// As by a re-authentication.
pub async fn what_another_rotates_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let old = &listening.session;
    let successor = Session { id: crate::fixtures::session(&old.user_id).id, ..old.clone() };
    let rotate = async {
        let found = fixture.other().find(&old.id).await.unwrap().unwrap();
        let until = old.created_at.plus(Duration::from_secs(10));
        fixture.other().rotate(&old.id, found.revision, &successor, until).await.unwrap()
    };
    assert!(listening.is_told_of(rotate).await);
}

/// As by a switch of roles.
pub async fn what_another_changes_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let change = async {
        let found = fixture.other().find(&listening.session.id).await.unwrap().unwrap();
        let changed = Session { current_role: found.session.current_role.other(), ..found.session };
        fixture.other().update(&changed, found.revision).await.unwrap()
    };
    assert!(listening.is_told_of(change).await);
}

/// So that nobody takes a session for expired that is used on another node.
pub async fn what_another_touches_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let used = listening.used(60);
    let touch = async {
        assert!(fixture.other().touch(&used.id, used.last_activity, used.idle_expires_at).await.unwrap());
    };
    assert!(listening.is_told_of(touch).await);
}

/// The session brings the user's new version.
pub async fn a_change_of_the_user_by_another_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let user = &listening.session.user_id;
    let change = async {
        let version = fixture.change_user(user).await.max(UserVersion(listening.version.0 + 1));
        fixture.other().user_changed(user, version).await.unwrap();
    };
    assert!(listening.is_told_of(change).await);
}

/// As by "log out everywhere".
pub async fn the_end_of_an_epoch_by_another_is_told(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    let user = &listening.session.user_id;
    let end = async {
        let state = fixture.begin_epoch(user, None).await;
        fixture.other().delete_before_epoch(user, state, None, Ending::LoggedOutEverywhere).await.unwrap();
    };
    assert!(listening.is_told_of(end).await);
}

/// One touch after the other, and both ways to touch.
pub async fn what_is_touched_here_is_not_told_and_what_another_ends_after_it_is(fixture: Fixture<'_>) {
    use markt_domain::ports::session_store::Touch;

    let listening = Listening::begin(fixture).await;
    for seconds in 1..4 {
        let used = listening.used(seconds * 60);
        let Session { id, last_activity, idle_expires_at, .. } = used;
        let touch = async { assert!(fixture.store().touch(&id, last_activity, idle_expires_at).await.unwrap()) };
        assert!(!listening.is_told_of(touch).await);
        let touches = [Touch { id, last_activity: last_activity.plus(Duration::from_secs(30)), idle_expires_at }];
        let touch = async { assert_eq!(fixture.store().touch_all(&touches).await.unwrap(), [true]) };
        assert!(!listening.is_told_of(touch).await);
    }
    let end = async { assert!(fixture.other().delete(&listening.session.id, Ending::LoggedOut).await.unwrap()) };
    assert!(listening.is_told_of(end).await);
}

/// A proof is worth something only if nothing overtakes it.
pub async fn whoever_is_proven_alive_has_told_all_that_came_before(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    for _ in 0..50 {
        let session = created_session(fixture).await;
        fixture.store().find(&session.id).await.unwrap().unwrap();
        let before = listening.log.heard().len();
        fixture.other().delete(&session.id, Ending::LoggedOut).await.unwrap();
        let heard = listening.log.until_proven_after(before, Instant::now()).await;
        let is_told = heard.iter().any(|heard| *heard == Heard::Lost || *heard == Heard::Changed(session.id));
        assert!(is_told, "proven alive, but not told that {} has ended: {heard:?}", session.id);
    }
}

/// Silence is no proof, and needn't be one.
pub async fn a_channel_that_nothing_is_told_by_stays_alive(fixture: Fixture<'_>) {
    let listening = Listening::begin(fixture).await;
    for _ in 0..5 {
        let before = listening.log.heard().len();
        let heard = listening.log.until_proven_after(before, Instant::now()).await;
        assert!(!heard.contains(&Heard::Lost), "{heard:?}");
    }
}

//! Servers with replicas, one of which dies while it is asked: nobody is taken for logged out, nothing is lost that a
//! replica had, and all goes on by itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use markt_domain::ports::StoreErrorKind;
use markt_domain::ports::invalidations::{InvalidationListener, Invalidations as _};
use markt_domain::ports::session_store::SessionStore as _;
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::UserVersion;
use markt_redis::{RedisStores, keys};
use markt_test_support::fixtures;
use markt_test_support::stores::{OwnSentinels, Relay, Replicated, redis_command};
use tokio::task::JoinSet;

use crate::{create, create_this, epoch, session_key_on, stores};

/// Within this time after another server took over, everything goes on: twice what is promised, the machine may be busy.
const SOON: Duration = Duration::from_secs(4);

/// How many sessions are looked for all the time, spread over all the servers that there are.
const SESSIONS: usize = 12;

/// Who looks for sessions all the time, and accepts no other answer than that they are there, or a word that they can't be
/// looked for now.
struct Crowd {
    sessions: Vec<Session>,
    goes_on: Arc<AtomicBool>,
    failures: Arc<AtomicUsize>,
    callers: JoinSet<()>,
}

impl Crowd {
    async fn of(stores: &RedisStores) -> Self {
        let (goes_on, failures) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (mut sessions, mut callers) = (Vec::new(), JoinSet::new());
        for _ in 0..SESSIONS {
            let session = create(stores).await;
            let (store, id) = (stores.sessions(), session.id);
            let (goes_on, failures) = (Arc::clone(&goes_on), Arc::clone(&failures));
            callers.spawn(async move {
                while goes_on.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    match store.find(&id).await {
                        Ok(found) => assert!(found.is_some(), "a failover is no 'not found'"),
                        Err(error) => {
                            assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
                            failures.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            sessions.push(session);
        }
        Self { sessions, goes_on, failures, callers }
    }

    /// How often a session could not be looked for.
    fn failures(&self) -> usize {
        self.failures.load(Ordering::Relaxed)
    }

    async fn leave(self) -> Vec<Session> {
        self.goes_on.store(false, Ordering::Relaxed);
        self.callers.join_all().await;
        self.sessions
    }
}

/// Tries until it succeeds, and returns how long that took.
async fn until_done<T, E: std::fmt::Debug>(what: impl AsyncFn() -> Result<T, E>) -> Duration {
    let started = Instant::now();
    while let Err(error) = what().await {
        assert!(started.elapsed() < SOON, "not after {SOON:?}: {error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

/// All that is done to sessions works for each of these users, and each session is there.
async fn all_goes_on(stores: &RedisStores, sessions: &[Session]) {
    for session in sessions {
        let store = stores.sessions();
        until_done(async || store.user_changed(&session.user_id, UserVersion(9)).await).await;
        assert_eq!(store.find(&session.id).await.unwrap().unwrap().user_version, UserVersion(9));
        let other = fixtures::session(&session.user_id);
        create_this(stores, &other).await;
        assert_eq!(store.list(&session.user_id).await.unwrap().len(), 2);
        assert!(store.delete(&other.id, Ending::LoggedOut).await.unwrap());
        assert_eq!(store.ending(&other.id).await.unwrap(), Some(Ending::LoggedOut));
    }
}

async fn a_primary_that_is_killed(mut servers: Replicated) {
    let stores = stores(&servers.url()).await;
    let crowd = Crowd::of(&stores).await;
    let key = session_key_on(&servers, &crowd.sessions[0].id);
    for _ in 0..2 {
        for session in &crowd.sessions {
            servers.wait_until_replicated(&session_key_on(&servers, &session.id)).await;
        }
        let primary = servers.primary_of(&key).await;
        let port = primary.port();
        primary.kill();
        servers.wait_for_another_than(port, &key).await;
        let back = until_done(async || stores.sessions().find(&crowd.sessions[0].id).await).await;
        println!("back after {back:?}");
        all_goes_on(&stores, &crowd.sessions).await;
        servers.on_port(port).restart().await;
        servers.wait_until_whole().await;
    }
    assert!(crowd.failures() > 0, "nobody noticed that the primary was dead");
    crowd.leave().await;
}

async fn a_primary_that_hangs_and_comes_back(mut servers: Replicated) {
    let stores = stores(&servers.url()).await;
    let crowd = Crowd::of(&stores).await;
    let key = session_key_on(&servers, &crowd.sessions[0].id);
    for session in &crowd.sessions {
        servers.wait_until_replicated(&session_key_on(&servers, &session.id)).await;
    }
    let ended = fixtures::session(&crowd.sessions[0].user_id);
    create_this(&stores, &ended).await;
    servers.wait_until_replicated(&key).await;
    let primary = servers.primary_of(&key).await;
    let port = primary.port();
    primary.freeze();
    servers.wait_for_another_than(port, &key).await;
    until_done(async || stores.sessions().delete(&ended.id, Ending::LoggedOut).await).await;
    // It takes itself for the primary, until it is told.
    servers.on_port(port).thaw();
    let thawed = Instant::now();
    while thawed.elapsed() < SOON {
        if let Ok(found) = stores.sessions().find(&ended.id).await {
            assert_eq!(found, None, "what was ended is back after {:?}", thawed.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    servers.wait_until_whole().await;
    all_goes_on(&stores, &crowd.sessions).await;
    assert!(crowd.failures() > 0, "nobody noticed that the primary hung");
    crowd.leave().await;
}

/// A primary that hung, was replaced and goes on knows nothing of what began since. Who hasn't heard yet that it was replaced
/// can't tell such a session from one that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_began_on_another_primary_is_not_taken_for_gone_by_who_has_not_heard_of_it() {
    let sentinels = OwnSentinels::start().await;
    let mut relays = Vec::new();
    for address in sentinels.addresses() {
        relays.push(Relay::to(address).await);
    }
    let through: Vec<_> = relays.iter().map(|relay| relay.address().to_string()).collect();
    let late = stores(&OwnSentinels::url_by(&through)).await;
    let mut servers = Replicated::Sentinels(sentinels);
    let timely = stores(&servers.url()).await;
    let before = create(&late).await;
    let key = session_key_on(&servers, &before.id);
    servers.wait_until_replicated(&key).await;

    relays.iter().for_each(Relay::freeze);
    let replaced = servers.primary_of(&key).await;
    let (port, url) = (replaced.port(), replaced.url());
    replaced.freeze();
    servers.fail_over(&key).await;
    until_done(async || timely.sessions().find(&before.id).await).await;
    let since = create(&timely).await;
    servers.on_port(port).thaw();
    let found = late.sessions().find(&before.id).await.unwrap();
    assert_eq!(found.map(|found| found.session.id), Some(before.id), "the replaced one is asked");
    let missing = late.sessions().find(&since.id).await;
    assert_eq!(redis_command(&url, &["EXISTS", &session_key_on(&servers, &since.id)]).await, "0", "it has heard");
    assert_eq!(missing.unwrap_err().kind, StoreErrorKind::Unavailable);

    relays.iter().for_each(Relay::thaw);
    until_done(async || late.sessions().find(&since.id).await.map(Option::unwrap)).await;
    assert_eq!(late.sessions().find(&fixtures::session(&since.user_id).id).await.unwrap(), None);
}

async fn a_failover_in_order(servers: Replicated) {
    let stores = stores(&servers.url()).await;
    let crowd = Crowd::of(&stores).await;
    let key = session_key_on(&servers, &crowd.sessions[0].id);
    for _ in 0..2 {
        for session in &crowd.sessions {
            servers.wait_until_replicated(&session_key_on(&servers, &session.id)).await;
        }
        servers.fail_over(&key).await;
        let back =
            until_done(async || stores.sessions().user_changed(&crowd.sessions[0].user_id, UserVersion(5)).await);
        println!("back after {:?}", back.await);
        servers.wait_until_whole().await;
    }
    println!("{} were refused", crowd.failures());
    all_goes_on(&stores, &crowd.leave().await).await;
}

/// Who listens to what becomes of sessions, and may rely on it for a second.
#[derive(Default)]
struct Heard {
    told: Mutex<HashSet<SessionId>>,
    proven: Mutex<Option<Instant>>,
}

impl Heard {
    /// Whether there was proof lately.
    fn is_reliable(&self) -> bool {
        self.proven.lock().unwrap().is_some_and(|at| at.elapsed() < Duration::from_secs(1))
    }

    async fn until_reliable(&self) {
        let started = Instant::now();
        while !self.is_reliable() {
            assert!(started.elapsed() < SOON, "no proof after {SOON:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl InvalidationListener for Heard {
    fn holds_anything(&self) -> bool {
        true
    }

    fn changed(&self, id: &SessionId) {
        self.told.lock().unwrap().insert(*id);
    }

    fn lost(&self) {
        *self.proven.lock().unwrap() = None;
    }

    fn alive(&self, at: Instant) {
        *self.proven.lock().unwrap() = Some(at);
    }
}

/// What others change is told whichever server has it, before another takes over and after, and whoever isn't told knows
/// that there is no proof.
async fn what_changes_is_told(mut servers: Replicated, take_over: impl AsyncFn(&mut Replicated, &str)) {
    let stores = stores(&servers.url()).await;
    let (tracked, invalidations) = stores.tracked_sessions();
    let heard = Arc::new(Heard::default());
    let listener = Arc::clone(&heard);
    let telling = tokio::spawn(async move { invalidations.tell(&*listener, Duration::from_millis(50)).await });
    for round in 0..3 {
        heard.until_reliable().await;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let session = create(&stores).await;
            tracked.find(&session.id).await.unwrap().unwrap();
            sessions.push(session);
        }
        heard.until_reliable().await;
        let key = session_key_on(&servers, &sessions[0].id);
        if round > 0 {
            for session in &sessions {
                servers.wait_until_replicated(&session_key_on(&servers, &session.id)).await;
            }
            take_over(&mut servers, &key).await;
            until_done(async || tracked.find(&sessions[0].id).await).await;
            servers.wait_until_whole().await;
            heard.until_reliable().await;
            for session in &sessions {
                tracked.find(&session.id).await.unwrap().unwrap();
            }
        }
        heard.told.lock().unwrap().clear();
        for session in &sessions {
            assert!(stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());
            let ended = Instant::now();
            while !heard.told.lock().unwrap().contains(&session.id) {
                assert!(ended.elapsed() < SOON, "round {round}: {} has ended, and nobody was told", session.id);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    telling.abort();
}

async fn kill(servers: &mut Replicated, key: &str) {
    let primary = servers.primary_of(key).await;
    let port = primary.port();
    primary.kill();
    servers.wait_for_another_than(port, key).await;
    servers.on_port(port).restart().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_is_told_whoever_is_the_primary_behind_sentinels() {
    what_changes_is_told(Replicated::behind_sentinels().await, kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_is_told_whichever_server_of_a_cluster_takes_over() {
    what_changes_is_told(cluster().await, kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_is_told_after_a_failover_in_order_in_a_cluster() {
    what_changes_is_told(cluster().await, async |servers, key| servers.fail_over(key).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_changes_is_told_wherever_a_slot_of_a_cluster_is_moved() {
    what_changes_is_told(cluster().await, async |servers, key| {
        let Replicated::Cluster(cluster) = servers else { panic!("it is one") };
        cluster.move_slot_of(key).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_is_killed_is_replaced_behind_sentinels() {
    a_primary_that_is_killed(Replicated::behind_sentinels().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_hangs_is_replaced_behind_sentinels_and_brings_nothing_back() {
    a_primary_that_hangs_and_comes_back(Replicated::behind_sentinels().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_in_order_is_followed_behind_sentinels() {
    a_failover_in_order(Replicated::behind_sentinels().await).await;
}

async fn cluster() -> Replicated {
    fixtures::suit_ids_by(keys::suit_on_a_cluster);
    Replicated::as_cluster().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_is_killed_is_replaced_in_a_cluster() {
    a_primary_that_is_killed(cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_hangs_is_replaced_in_a_cluster_and_brings_nothing_back() {
    a_primary_that_hangs_and_comes_back(cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failover_in_order_is_followed_in_a_cluster() {
    a_failover_in_order(cluster().await).await;
}

/// A slot that is moved with all that is in it costs nobody an answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slot_is_moved_while_its_sessions_are_used_and_nobody_notices() {
    let servers = cluster().await;
    let stores = stores(&servers.url()).await;
    let crowd = Crowd::of(&stores).await;
    let first = &crowd.sessions[0];
    for _ in 0..40 {
        create_this(&stores, &fixtures::session(&first.user_id)).await;
    }
    let Replicated::Cluster(cluster) = &servers else { panic!("it is one") };
    for _ in 0..3 {
        cluster.move_slot_of(&session_key_on(&servers, &first.id)).await;
        stores.sessions().user_changed(&first.user_id, UserVersion(9)).await.unwrap();
        assert_eq!(stores.sessions().list(&first.user_id).await.unwrap().len(), 41);
    }
    assert_eq!(crowd.failures(), 0);
    let ended = stores.sessions().delete_before_epoch(&first.user_id, epoch(1), None, Ending::LoggedOut).await.unwrap();
    assert_eq!(ended, 41);
    let sessions = crowd.sessions.clone();
    drop(crowd);
    all_goes_on(&stores, &sessions[1..]).await;
}

/// One third of the sessions can't be looked for, and the others as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_one_server_of_a_cluster_hangs_the_others_are_asked_as_ever() {
    let mut servers = cluster().await;
    let stores = stores(&servers.url()).await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(create(&stores).await);
    }
    let key = session_key_on(&servers, &sessions[0].id);
    let hung = servers.url_of(&key).await;
    let mut elsewhere = Vec::new();
    for session in &sessions[1..] {
        if servers.url_of(&session_key_on(&servers, &session.id)).await != hung {
            elsewhere.push(session);
        }
    }
    assert!(elsewhere.len() > 1, "all of them are on one server");
    servers.primary_of(&key).await.freeze();
    let waiting: Vec<_> = (0..100)
        .map(|_| (stores.sessions(), sessions[0].id))
        .map(|(store, id)| tokio::spawn(async move { store.find(&id).await }))
        .collect();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1200) {
        for session in &elsewhere {
            let asked = Instant::now();
            assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
            assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
        }
        stores.ping().await.unwrap();
    }
    for answer in waiting {
        assert_eq!(answer.await.unwrap().unwrap_err().kind, StoreErrorKind::Unavailable);
    }
    servers.primary_of(&key).await.thaw();
}

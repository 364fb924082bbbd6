//! Stores that go away under load, and come back: real processes, taken away in each of the ways there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use markt_test_support::stores::{OwnPostgres, OwnRedis, Relay, server_address, through};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::redis::redis;
use crate::server::{Deployment, Server};
use crate::setup::Setup;

/// Two seconds are promised, both for the answer and for the return. Twice as many: the machine may be busy.
const SOON: Duration = Duration::from_secs(4);

/// How many requests go on all the while, each after the one before it.
const CROWD: usize = 16;

/// How a store goes away.
#[derive(Clone, Copy)]
enum Outage {
    /// In order, as for an update.
    Stopped,
    /// By `kill -9`.
    Killed,
    /// By SIGSTOP: it takes connections, and answers nothing.
    Frozen,
    /// It answers, but too late.
    Slow,
}

enum Process {
    Redis(OwnRedis),
    Postgres(OwnPostgres),
}

/// A store that can be taken away.
struct Store {
    process: Process,
    relay: Relay,
    outage: Outage,
}

impl Store {
    /// A Redis that forgets nothing.
    async fn redis(outage: Outage) -> Self {
        let own = OwnRedis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await;
        Self::of(outage, own.url(), Process::Redis(own)).await
    }

    async fn postgres(outage: Outage) -> Self {
        let own = OwnPostgres::start().await;
        Self::of(outage, own.url(), Process::Postgres(own)).await
    }

    async fn of(outage: Outage, url: String, process: Process) -> Self {
        Self { process, relay: Relay::to(server_address(&url)).await, outage }
    }

    /// A server over it, which has nothing else to keep sessions in.
    async fn server(&self) -> Server {
        let (setup, key, url) = match &self.process {
            Process::Redis(own) => (Setup::of(Deployment::Full).await, "MARKT_REDIS_URL", own.url()),
            Process::Postgres(own) => (Setup::of(Deployment::Embedded).await, "MARKT_DATABASE_URL", own.url()),
        };
        let url = if matches!(self.outage, Outage::Slow) { through(&url, self.relay.address()) } else { url };
        setup.with(key, url).start().await
    }

    /// What readiness calls it.
    const fn name(&self) -> &'static str {
        match self.process {
            Process::Redis(_) => "redis",
            Process::Postgres(_) => "database",
        }
    }

    fn take_away(&mut self) {
        match (self.outage, &mut self.process) {
            (Outage::Stopped, Process::Redis(own)) => own.stop(),
            (Outage::Stopped, Process::Postgres(own)) => own.stop(),
            (Outage::Killed, Process::Redis(own)) => own.kill(),
            (Outage::Killed, Process::Postgres(own)) => own.kill(),
            (Outage::Frozen, Process::Redis(own)) => own.freeze(),
            (Outage::Frozen, Process::Postgres(own)) => own.freeze(),
            (Outage::Slow, _) => self.relay.slow_down(Duration::from_secs(5)),
        }
    }

    async fn bring_back(&mut self) {
        match (self.outage, &mut self.process) {
            (Outage::Stopped | Outage::Killed, Process::Redis(own)) => own.restart().await,
            (Outage::Stopped | Outage::Killed, Process::Postgres(own)) => own.restart().await,
            (Outage::Frozen, Process::Redis(own)) => own.thaw(),
            (Outage::Frozen, Process::Postgres(own)) => own.thaw(),
            (Outage::Slow, _) => self.relay.thaw(),
        }
    }
}

/// Clients that ask for their profile again and again, and accept no other answer than that or a 503 soon.
pub struct Crowd {
    goes_on: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Crowd {
    pub fn of(client: &Client) -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        let clients = (0..CROWD).map(|_| {
            let (client, goes_on) = (client.clone(), Arc::clone(&goes_on));
            async move {
                while goes_on.load(Ordering::Relaxed) {
                    if !is_there(&client).await {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
        Self { clients: clients.collect(), goes_on }
    }

    pub async fn leave(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        self.clients.join_all().await;
    }
}

/// Whether the profile is there; if not, it must be for the store's sake, and told soon.
pub async fn is_there(client: &Client) -> bool {
    let started = Instant::now();
    let answer = client.get("/users/profile").await;
    assert!(started.elapsed() < SOON, "{:?}: {answer:?}", started.elapsed());
    if answer.status == StatusCode::OK {
        return true;
    }
    answer.assert_store_unavailable();
    false
}

async fn readiness(server: &Server) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/health/ready", server.admin_url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn is_endured(mut store: Store) {
    let server = store.server().await;
    let (mine, other) = (server.secret_of("buyer1@markt.com").await, server.secret_of("buyer1@markt.com").await);
    let (client, stranger) = (server.with_cookie(&mine), server.without_cookies());
    let crowd = Crowd::of(&client);
    assert!(is_there(&client).await);

    store.take_away();
    // What is in memory may be served for a moment, and no longer.
    let started = Instant::now();
    while is_there(&client).await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    // Unless all but the first few are told without asking the store, this takes much longer than one of them may.
    let started = Instant::now();
    for _ in 0..30 {
        assert!(!is_there(&client).await);
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let started = Instant::now();
    for _ in 0..30 {
        stranger.get("/users/profile").await.assert_error(401, "not_authenticated");
    }
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    server.without_cookies().log_in("buyer1@markt.com", crate::server::PASSWORD).await.assert_store_unavailable();
    client.post_nothing("/users/logout").await.assert_store_unavailable();
    let (status, body) = readiness(&server).await;
    assert_eq!((status, &body["checks"][store.name()]), (503, &"unavailable".into()), "{body}");
    // For long enough that connections are given up on.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!is_there(&client).await);

    store.bring_back().await;
    let back = Instant::now();
    while !is_there(&client).await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("back after {:?}", back.elapsed());
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    crowd.leave().await;
    let all: JoinSet<_> =
        (0..64).map(|_| client.clone()).map(|client| async move { is_there(&client).await }).collect();
    assert!(all.join_all().await.iter().all(|&is_there| is_there));
    assert_eq!(readiness(&server).await.0, 200);
    client.post_nothing("/users/logout").await.assert_status(204);
    server.assert_dead(&mine).await;
    server.assert_alive(&other, "buyer1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_stopped_is_endured() {
    is_endured(Store::redis(Outage::Stopped).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_is_endured() {
    is_endured(Store::redis(Outage::Killed).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_frozen_is_endured() {
    is_endured(Store::redis(Outage::Frozen).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_slow_is_endured() {
    is_endured(Store::redis(Outage::Slow).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_stopped_is_endured() {
    is_endured(Store::postgres(Outage::Stopped).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_killed_is_endured() {
    is_endured(Store::postgres(Outage::Killed).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_frozen_is_endured() {
    is_endured(Store::postgres(Outage::Frozen).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_slow_is_endured() {
    is_endured(Store::postgres(Outage::Slow).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_a_session_ask_redis_nothing() {
    let own = OwnRedis::start().await;
    let server = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", own.url()).start().await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let asked = async || {
        let statistics = redis(&own.url(), &["INFO", "commandstats"]).await;
        // The question itself is a command, too.
        let is_ours = |line: &&str| !line.starts_with("cmdstat_info:");
        statistics.lines().filter(is_ours).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let before = asked().await;
    for client in [server.without_cookies(), server.with_cookie("garbage"), server.with_bearer("garbage")] {
        for path in ["/users/profile", "/session", "/users/sessions", "/sessions/verify"] {
            client.get(path).await.assert_error(401, "not_authenticated");
        }
        client.post_nothing("/users/logout").await.assert_error(401, "not_authenticated");
    }
    assert_eq!(asked().await, before);
    server.assert_alive(&secret, "buyer1").await;
    assert_ne!(asked().await, before, "what is counted must count");
}

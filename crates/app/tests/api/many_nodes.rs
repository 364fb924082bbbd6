//! Several nodes over one PostgreSQL and one Redis, each of which answers from memory: what ends on one has ended on all.

use std::time::{Duration, Instant};

use markt_test_support::stores::OwnRedis;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::process::Process;
use crate::redis::redis;
use crate::server::{Deployment, Server};
use crate::setup::Setup;

const EMAIL: &str = "both1@markt.com";

/// Longer than a node may answer from memory without a proof that nothing changed, with a margin for a busy machine.
const STALE: Duration = Duration::from_secs(3);

async fn setup() -> (OwnRedis, Setup) {
    let own = OwnRedis::start().await;
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", own.url());
    (own, setup)
}

/// How many sessions this Redis was asked for.
async fn lookups(own: &OwnRedis) -> u64 {
    let stats = redis(&own.url(), &["INFO", "commandstats"]).await;
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    calls.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// Has the node answer from memory: asks until Redis isn't asked any more.
async fn warm_up(node: &Server, own: &OwnRedis, secret: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let before = lookups(own).await;
        for _ in 0..20 {
            node.assert_alive(secret, "both1").await;
        }
        if lookups(own).await == before {
            return;
        }
        assert!(Instant::now() < deadline, "Redis is still asked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_in_use_costs_redis_nothing_and_what_ends_elsewhere_is_dead_within_moments() {
    let (own, setup) = setup().await;
    let node = setup.start().await;
    let other = node.twin().await;
    for _ in 0..20 {
        let secret = node.secret_of(EMAIL).await;
        warm_up(&other, &own, &secret).await;
        node.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
        other.assert_dead_soon(&secret).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_agree_on_who_is_logged_in() {
    let (_own, setup) = setup().await;
    let node = setup.clone().start().await;
    let other = Process::serve(&setup);
    let secret = node.secret_of(EMAIL).await;
    let there = Client::to(&other.url, false).with_header("cookie", format!("markt_session={secret}"));
    for _ in 0..50 {
        there.get("/users/profile").await.assert_status(200);
    }
    node.with_cookie(&secret).post_nothing("/users/logout?everywhere=true").await.assert_status(204);
    let deadline = Instant::now() + STALE;
    while there.get("/users/profile").await.status == StatusCode::OK {
        assert!(Instant::now() < deadline, "still let in");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    there.get("/users/profile").await.assert_error(401, "session_revoked");
    other.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_redis_does_not_answer_serves_from_memory_for_a_moment_and_then_says_so() {
    let (mut own, setup) = setup().await;
    // Long enough that a busy machine doesn't use it up before the first request.
    let node = setup.with("MARKT_SESSION__NEAR_CACHE__MAX_STALENESS", "5s").start().await;
    let stale = Duration::from_secs(5) + STALE;
    let secret = node.secret_of(EMAIL).await;
    warm_up(&node, &own, &secret).await;
    own.freeze();
    let client = node.with_cookie(&secret);
    assert_eq!(client.get("/users/profile").await.status, StatusCode::OK, "it is in memory");
    let frozen = Instant::now();
    let refusal = loop {
        let answer = client.get("/users/profile").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        assert!(frozen.elapsed() < stale, "{:?}", frozen.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    refusal.assert_store_unavailable();
    own.thaw();
    let back = Instant::now();
    while client.get("/users/profile").await.status != StatusCode::OK {
        assert!(back.elapsed() < STALE, "{:?}", back.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_nothing_any_more_asks_redis_and_stays_right() {
    let (own, setup) = setup().await;
    let node = setup.start().await;
    let other = node.twin().await;
    let (ended, lives) = (node.secret_of(EMAIL).await, node.secret_of(EMAIL).await);
    for secret in [&ended, &lives] {
        warm_up(&other, &own, secret).await;
    }
    // Only the connections that changes are told over: a client that asked for that has the flag t.
    let goes_on = tokio::spawn({
        let url = own.url();
        async move {
            loop {
                let clients = redis(&url, &["CLIENT", "LIST"]).await;
                for line in clients.lines().filter(|line| line.contains(" flags=t ")) {
                    let id = line.strip_prefix("id=").and_then(|rest| rest.split(' ').next()).unwrap();
                    redis(&url, &["CLIENT", "KILL", "ID", id]).await;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    node.with_cookie(&ended).post_nothing("/users/logout").await.assert_status(204);
    other.assert_dead_soon(&ended).await;
    for _ in 0..20 {
        other.assert_alive(&lives, "both1").await;
    }
    goes_on.abort();
    warm_up(&other, &own, &lives).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logouts_that_race_with_uses_on_every_node_leave_nothing_alive() {
    let (_own, setup) = setup().await;
    let nodes = [setup.clone().start().await, setup.start().await];
    for round in 0..15 {
        let secret = nodes[0].secret_of(EMAIL).await;
        let mut uses = JoinSet::new();
        for use_of in 0..16 {
            let client = nodes[use_of % 2].with_cookie(&secret);
            uses.spawn(async move {
                for _ in 0..10 {
                    let status = client.get("/users/profile").await.status;
                    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status), "{status}");
                }
            });
        }
        let everywhere = if round % 2 == 0 { "/users/logout" } else { "/users/logout?everywhere=true" };
        nodes[round % 2].with_cookie(&secret).post_nothing(everywhere).await.assert_status(204);
        uses.join_all().await;
        for node in &nodes {
            node.assert_dead_soon(&secret).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_measures_how_long_a_revocation_takes() {
    let (_own, setup) = setup().await;
    let node = setup.start().await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let metrics = reqwest::get(format!("{}/metrics", node.admin_url)).await.unwrap();
        assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = metrics.text().await.unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("markt_revocation_seconds_count "));
        if count.unwrap().parse::<u64>().unwrap() >= 2 {
            return;
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

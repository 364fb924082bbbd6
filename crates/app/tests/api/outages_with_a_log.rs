//! A Redis that is killed while users log in: who was told that they are logged in, are so when it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use markt_test_support::stores::OwnRedis;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

/// How long users log in before Redis is killed.
const A_WHILE: Duration = Duration::from_secs(4);

/// What `appendfsync everysec` may lose: a second of writes; one more while the disk is still busy with those before,
/// since Redis puts the next ones off for so long.
const LOST_AT_MOST: Duration = Duration::from_secs(2);

/// A login that was acknowledged: the session's secret, and when.
type Login = (String, Instant);

async fn log_in_until(stop: Arc<AtomicBool>, client: Client, email: &'static str) -> Vec<Login> {
    let mut logins = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client.log_in(email, PASSWORD).await;
        if answer.status == StatusCode::OK {
            logins.push((answer.session_cookie().value, Instant::now()));
        } else {
            answer.assert_store_unavailable();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    logins
}

/// Kills a Redis with this `appendfsync` while users log in, starts it again, and returns the logins that were
/// acknowledged, and when it was killed.
async fn killed_under_logins(appendfsync: &str) -> (Server, OwnRedis, Vec<Login>, Instant) {
    let mut own = OwnRedis::start_with(&["--appendonly", "yes", "--appendfsync", appendfsync]).await;
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", own.url());
    let server = setup.with("MARKT_SESSION__MAX_PER_USER", "100000").start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let emails = ["buyer1@markt.com", "seller1@markt.com", "both1@markt.com", "buyer1@markt.com"];
    let logins = emails.map(|email| log_in_until(Arc::clone(&stop), server.without_cookies(), email));
    let users: JoinSet<_> = logins.into_iter().collect();
    tokio::time::sleep(A_WHILE).await;
    let killed = Instant::now();
    own.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let logins: Vec<_> = users.join_all().await.into_iter().flatten().collect();
    own.restart().await;
    (server, own, logins, killed)
}

/// Makes sure that these sessions are alive, once Redis is found to be back.
async fn assert_all_are_alive(server: &Server, logins: impl Iterator<Item = &Login>) {
    let mut alive = 0;
    for (secret, at) in logins {
        let client = server.with_cookie(secret);
        let mut answer = client.get("/users/profile").await;
        while answer.status != StatusCode::OK {
            // A session that is lost would be a 401.
            answer.assert_store_unavailable();
            assert!(at.elapsed() < Duration::from_secs(60), "{answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = client.get("/users/profile").await;
        }
        alive += 1;
    }
    println!("{alive} alive");
    assert!(alive > 10, "{alive}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_sync_at_each_write_every_login_that_was_acknowledged_outlives_a_kill() {
    let (server, _own, logins, _) = killed_under_logins("always").await;
    assert_all_are_alive(&server, logins.iter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_sync_each_second_every_login_but_the_last_outlives_a_kill() {
    let (server, _own, logins, killed) = killed_under_logins("everysec").await;
    let safe = logins.iter().filter(|(_, at)| *at + LOST_AT_MOST < killed);
    assert_all_are_alive(&server, safe).await;
}

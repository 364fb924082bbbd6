//! Redis behind Sentinels and as a cluster: a server of it dies while clients are logged in on two nodes, and they never
//! notice more than a 503 that passes.

use std::time::{Duration, Instant};

use markt_domain::session::SessionSecret;
use markt_test_support::stores::{Replicated, redis_command};
use reqwest::StatusCode;

use crate::outages_endured::{Crowd, is_there};
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

const USERS: [&str; 3] = ["buyer1", "seller1", "both1"];

/// How long after another server took over everything is as before: twice what is promised.
const SOON: Duration = Duration::from_secs(4);

/// How the server goes on which a session is.
#[derive(Clone, Copy)]
enum End {
    /// By `kill -9`.
    Killed,
    /// By SIGSTOP; it comes back once another has taken over.
    Frozen,
    /// In order, as for an update.
    Replaced,
}

impl End {
    /// Has it go, and another take over.
    async fn of(self, servers: &mut Replicated, key: &str) {
        let primary = servers.primary_of(key).await;
        let port = primary.port();
        match self {
            Self::Killed => primary.kill(),
            Self::Frozen => primary.freeze(),
            Self::Replaced => return servers.fail_over(key).await,
        }
        servers.wait_for_another_than(port, key).await;
        match self {
            Self::Killed => servers.on_port(port).restart().await,
            Self::Frozen | Self::Replaced => servers.on_port(port).thaw(),
        }
    }
}

/// The key of the session that this secret opens.
fn key_of(secret: &str, servers: &Replicated) -> String {
    let id = SessionSecret::parse(secret).unwrap().id().to_string();
    match servers {
        Replicated::Sentinels(_) => format!("session:{id}"),
        Replicated::Cluster(_) => format!("session:{{{}}}{id}", &id[..3]),
    }
}

async fn logged_in(node: &Server, servers: &Replicated) -> Vec<(&'static str, String)> {
    let mut secrets = Vec::new();
    for name in USERS {
        let secret = node.secret_of(&format!("{name}@markt.com")).await;
        servers.wait_until_replicated(&key_of(&secret, servers)).await;
        secrets.push((name, secret));
    }
    secrets
}

/// Logs in until the session is where it will stay: a primary that is being replaced takes logins that are lost with it.
async fn lasting_login(node: &Server, servers: &mut Replicated, name: &str) -> String {
    let began = Instant::now();
    loop {
        let answer = node.without_cookies().log_in(&format!("{name}@markt.com"), PASSWORD).await;
        if answer.status == StatusCode::OK {
            let secret = answer.session_cookie().value;
            let key = key_of(&secret, servers);
            if redis_command(&servers.url_of(&key).await, &["EXISTS", &key]).await == "1" {
                return secret;
            }
        } else {
            answer.assert_store_unavailable();
        }
        assert!(began.elapsed() < SOON, "no login lasts after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn is_survived(mut servers: Replicated, end: End) {
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", servers.url());
    let node = setup.start().await;
    let other = node.twin().await;
    let secrets = logged_in(&node, &servers).await;
    let mut crowds = Vec::new();
    for (_, secret) in &secrets {
        for node in [&node, &other] {
            crowds.push(Crowd::of(&node.with_cookie(secret)));
        }
    }
    for round in 0..2 {
        let (name, secret) = &secrets[round];
        let key = key_of(secret, &servers);
        end.of(&mut servers, &key).await;
        let back = Instant::now();
        for node in [&node, &other] {
            for (_, secret) in &secrets {
                while !is_there(&node.with_cookie(secret)).await {
                    assert!(back.elapsed() < SOON, "not back after {:?}", back.elapsed());
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        println!("back after {:?}", back.elapsed());
        // What ends on one node from now on, has ended on the other.
        let ended = lasting_login(&node, &mut servers, name).await;
        other.assert_alive(&ended, name).await;
        node.with_cookie(&ended).post_nothing("/users/logout").await.assert_status(204);
        other.assert_dead_soon(&ended).await;
        servers.wait_until_whole().await;
        for (name, secret) in &secrets {
            node.assert_alive(secret, name).await;
            servers.wait_until_replicated(&key_of(secret, &servers)).await;
        }
    }
    for crowd in crowds {
        crowd.leave().await;
    }
    for (_, secret) in &secrets {
        node.with_cookie(secret).post_nothing("/users/logout?everywhere=true").await.assert_status(204);
        other.assert_dead_soon(secret).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_primary_behind_sentinels_is_survived() {
    is_survived(Replicated::behind_sentinels().await, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_behind_sentinels_that_hangs_is_survived() {
    is_survived(Replicated::behind_sentinels().await, End::Frozen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_behind_sentinels_is_survived() {
    is_survived(Replicated::behind_sentinels().await, End::Replaced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_server_of_a_cluster_is_survived() {
    is_survived(Replicated::as_cluster().await, End::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_a_cluster_that_hangs_is_survived() {
    is_survived(Replicated::as_cluster().await, End::Frozen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_in_a_cluster_is_survived() {
    is_survived(Replicated::as_cluster().await, End::Replaced).await;
}

/// On a cluster, too, a session that is used is answered from memory, and is dead on every node once it was ended on one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_on_one_node_over_a_cluster_has_ended_on_all_while_a_slot_is_moved() {
    let servers = Replicated::as_cluster().await;
    let Replicated::Cluster(cluster) = &servers else { panic!("it is one") };
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", servers.url());
    let node = setup.start().await;
    let other = node.twin().await;
    for round in 0..6 {
        let secrets = logged_in(&node, &servers).await;
        for (name, secret) in &secrets {
            for _ in 0..20 {
                other.assert_alive(secret, name).await;
            }
        }
        if round % 2 == 1 {
            cluster.move_slot_of(&key_of(&secrets[0].1, &servers)).await;
            for (name, secret) in &secrets {
                other.assert_alive(secret, name).await;
            }
        }
        for (_, secret) in &secrets {
            node.with_cookie(secret).post_nothing("/users/logout").await.assert_status(204);
            other.assert_dead_soon(secret).await;
        }
    }
}

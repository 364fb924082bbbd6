//! A flood of logins: who would wait for long is turned away at once, and nobody else notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::process::Process;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

on_both_deployments!(
    logins_beyond_the_queue_are_turned_away_at_once_and_profiles_are_served_meanwhile,
    logins_that_would_wait_for_longer_than_two_seconds_are_turned_away_although_the_queue_has_room,
);

const EMAIL: &str = "buyer1@markt.com";

/// Many times more than what can be hashed in the two seconds that anybody is let wait.
const FLOOD: usize = 40;

/// A server that makes one hash after another, each of which takes a good while.
async fn slow_server(deployment: Deployment, iterations: &str, max_queued: &str) -> Server {
    let setup = Setup::of(deployment).await;
    let setup = setup.with("MARKT_PASSWORD__MEMORY_KIB", "19456").with("MARKT_PASSWORD__ITERATIONS", iterations);
    let setup = setup.with("MARKT_PASSWORD__MAX_CONCURRENT", "1").with("MARKT_PASSWORD__MAX_QUEUED", max_queued);
    setup.start().await
}

/// So many logins at once, each from a connection of its own: what came of them, and after how long.
async fn flood(client: impl Fn() -> Client, count: usize) -> Vec<(Answer, Duration)> {
    let all_ready = Arc::new(Barrier::new(count));
    let mut logins = JoinSet::new();
    for _ in 0..count {
        let (client, all_ready) = (client(), Arc::clone(&all_ready));
        logins.spawn(async move {
            all_ready.wait().await;
            let begun = Instant::now();
            (client.log_in(EMAIL, PASSWORD).await, begun.elapsed())
        });
    }
    logins.join_all().await
}

/// Makes sure that each one was logged in or turned away, and that who was turned away was told so before others had
/// waited for their turn. Says how many were logged in.
#[track_caller]
fn assert_some_turned_away_at_once(answers: &[(Answer, Duration)]) -> usize {
    let (logged_in, turned_away): (Vec<_>, Vec<_>) =
        answers.iter().partition(|(answer, _)| answer.status == StatusCode::OK);
    for (answer, _) in &turned_away {
        assert_turned_away(answer);
    }
    let slowest = |answers: &[&(Answer, Duration)]| answers.iter().map(|(_, taken)| *taken).max();
    let (login, refusal) = (slowest(&logged_in), slowest(&turned_away));
    assert!(refusal.is_some() && refusal < login, "refused after {refusal:?}, logged in after {login:?}");
    logged_in.len()
}

#[track_caller]
fn assert_turned_away(answer: &Answer) {
    answer.assert_error(503, "overloaded");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    assert!(!answer.sets_cookie(), "{answer:?}");
}

async fn logins_beyond_the_queue_are_turned_away_at_once_and_profiles_are_served_meanwhile(deployment: Deployment) {
    // A hash takes some 100 ms, so that four wait for less than two seconds.
    let server = slow_server(deployment, "16", "4").await;
    let secret = server.secret_of("seller1@markt.com").await;
    let mut served = 0;
    let profiles = async {
        let client = server.with_cookie(&secret);
        loop {
            let answer = client.get("/users/profile").await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            served += 1;
        }
    };
    let answers = tokio::select! {
        answers = flood(|| server.without_cookies(), FLOOD) => answers,
        () = profiles => unreachable!("it goes on and on"),
    };
    let logged_in = assert_some_turned_away_at_once(&answers);
    assert!((1..FLOOD / 2).contains(&logged_in), "{logged_in} logged in");
    assert!(served > logged_in, "{served} profiles were served while {logged_in} logged in");
    server.logged_in(EMAIL).await;
    server.assert_alive(&secret, "seller1").await;
}

async fn logins_that_would_wait_for_longer_than_two_seconds_are_turned_away_although_the_queue_has_room(
    deployment: Deployment,
) {
    let server = slow_server(deployment, "40", "256").await;
    let answers = flood(|| server.without_cookies(), FLOOD).await;
    let logged_in = assert_some_turned_away_at_once(&answers);
    assert!((1..FLOOD / 2).contains(&logged_in), "{logged_in} logged in");
    server.logged_in(EMAIL).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_takes_less_than_200_mib() {
    // Two threads, as on the machine that the bound is meant for; the costs are those of the defaults.
    let setup = Setup::of(Deployment::Embedded).await;
    let setup = setup.with("MARKT_PASSWORD__MEMORY_KIB", "19456").with("MARKT_PASSWORD__ITERATIONS", "2");
    let setup = setup.with("MARKT_PASSWORD__MAX_CONCURRENT", "2").start().await.stop().await;
    let process = Process::serve(&setup);
    let mut logged_in = 0;
    for _ in 0..3 {
        for (answer, _) in flood(|| Client::to(&process.url, false), 64).await {
            match answer.status {
                StatusCode::OK => logged_in += 1,
                _ => assert_turned_away(&answer),
            }
        }
    }
    assert!(logged_in > 0);
    let peak = peak_memory(process.id());
    assert!(peak < 200 * 1024, "{peak} KiB");
    process.terminate();
}

/// The most memory that a process has ever had in use at once, in KiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

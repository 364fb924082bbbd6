//! Four nodes behind a real haproxy on one Redis, one of which is killed every few seconds: nobody is logged out, no session
//! is lost, and all that could be asked of another node is answered.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use markt_test_support::haproxy::Haproxy;
use markt_test_support::stores::OwnRedis;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answer::Answer;
use crate::client::Client;
use crate::rolling_restart::{NAMES, Node, configuration, free_port};
use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;
use crate::shapes::registration;

/// Sets how many seconds it goes on for: 300 for the record. A node is killed a fifteenth of that after the one before.
const VARIABLE: &str = "TEST_KILLED_NODES_SECONDS";

/// How long otherwise.
const SHORT: u64 = 30;

/// How many log in, look around and log out, again and again.
const VISITORS: usize = 6;

/// How many stay logged in all the time.
const KEEPERS: usize = 6;

/// Longer than a node may answer from memory without having been told what changed.
const SOON: Duration = Duration::from_secs(2);

/// What haproxy says of a node that died with a request, or that it can't reach.
const GATEWAY_TROUBLE: [StatusCode; 2] = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];

/// What all clients go by, and what became of their requests.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    answered: AtomicU64,
    visits: AtomicU64,
    /// Requests that change something, which died with a node: nobody can send those again but the client.
    lost: AtomicU64,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.enough.load(Ordering::Relaxed)
    }

    /// Asks for something that a login is needed for.
    async fn look(&self, client: &Client, path: &str) -> Answer {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        self.answered.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// Has something changed, again if a node died with the request. The last answer, and whether it was the first.
    async fn change(&self, request: impl Fn() -> RequestBuilder) -> (Answer, bool) {
        let mut is_first = true;
        loop {
            if let Some(answer) = answer_to(request()).await {
                self.answered.fetch_add(1, Ordering::Relaxed);
                return (answer, is_first);
            }
            self.lost.fetch_add(1, Ordering::Relaxed);
            is_first = false;
        }
    }

    async fn log_in(&self, client: &Client, name: &str) {
        let login = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let (answer, _) = self.change(|| client.request(Method::POST, "/users/login").json(&login)).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }

    /// Waits until the other nodes have been told of the change, too.
    async fn until_seen(&self, client: &Client, number: &str) {
        let changed = Instant::now();
        while self.look(client, "/users/profile").await.json()["phone_number"] != number {
            assert!(changed.elapsed() < SOON, "not seen after {SOON:?}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Logs in, looks around, changes something and logs out, again and again.
    async fn visit(&self, url: &str, name: &str) {
        while self.goes_on() {
            let client = Client::to(url, true);
            self.log_in(&client, name).await;
            for path in ["/users/profile", "/session", "/users/profile", "/users/sessions", "/users/profile"] {
                sleep(Duration::from_millis(10)).await;
                self.look(&client, path).await;
            }
            let number = format!("+3161234{:04}", self.visits.load(Ordering::Relaxed) % 10_000);
            let change = json!({ "phone_number": number });
            let (answer, _) = self.change(|| client.request(Method::PATCH, "/users/profile").json(&change)).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            self.until_seen(&client, &number).await;
            let (answer, is_first) = self.change(|| client.request(Method::POST, "/users/logout")).await;
            // The one before may have been carried out.
            let expected =
                answer.status == StatusCode::NO_CONTENT || !is_first && answer.status == StatusCode::UNAUTHORIZED;
            assert!(expected, "{answer:?}");
            self.visits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Logs in once, and is logged in all the time.
    async fn keep(&self, url: &str, name: &str) {
        let client = Client::to(url, true);
        self.log_in(&client, name).await;
        while self.goes_on() {
            assert_eq!(self.look(&client, "/users/profile").await.json()["username"], name);
            sleep(Duration::from_millis(5)).await;
        }
        self.look(&client, "/session").await;
    }
}

/// What a node answers; nothing if it died with the request. Of that haproxy says so, or, if it had used the connection to
/// the node before, breaks its own.
async fn answer_to(request: RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    let is_haproxys = !headers.contains_key("x-request-id");
    if is_haproxys && GATEWAY_TROUBLE.contains(&status) {
        return None;
    }
    let text = response.text().await.ok()?;
    Some(Answer { status, headers, text })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_nodes_one_after_the_other_is_killed_and_nobody_is_logged_out() {
    let seconds = env::var(VARIABLE).map_or(SHORT, |seconds| seconds.parse().unwrap());
    let own = OwnRedis::start().await;
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", own.url());
    let setup = setup.with("MARKT_AUTH__REQUIRE_VERIFIED_EMAIL", "false");
    let nodes: Vec<_> = NAMES.iter().map(|_| Node::of(&setup)).collect();
    let mut processes = Vec::new();
    for node in &nodes {
        processes.push(Some(node.start().await));
    }
    let port = free_port();
    let haproxy = Haproxy::start(|socket| configuration(socket, port, &nodes)).await;
    let url = format!("http://127.0.0.1:{port}");

    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for number in 0..VISITORS + KEEPERS {
        let (name, url, load) = (format!("client_{number}"), url.clone(), Arc::clone(&load));
        let answer = Client::to(&url, false).post("/users/register", registration(&name)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        clients.spawn(async move {
            if number < VISITORS { load.visit(&url, &name).await } else { load.keep(&url, &name).await }
        });
    }
    let (started, mut kills) = (Instant::now(), 0);
    let pause = Duration::from_secs(seconds) / 15;
    while started.elapsed() < Duration::from_secs(seconds) {
        tokio::select! {
            () = sleep(pause) => {}
            Some(ended) = clients.join_next() => panic!("a client failed: {ended:?}"),
        }
        let number = kills % nodes.len();
        // By SIGKILL.
        drop(processes[number].take());
        kills += 1;
        processes[number] = Some(nodes[number].start().await);
        haproxy.wait_until_up(NAMES[number]).await;
    }
    load.enough.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let [answered, visits, lost] =
        [&load.answered, &load.visits, &load.lost].map(|count| count.load(Ordering::Relaxed));
    println!("{kills} kills in {seconds} s: {answered} requests answered, {visits} visits, {lost} changes lost");
    // At most those that were under way.
    assert!(lost <= u64::try_from(kills * VISITORS).unwrap(), "{lost} changes were lost by {kills} kills");
    assert!(kills > 3 && visits > 20, "{kills} kills, {visits} visits");
    for backend in haproxy.backends().await {
        assert!(backend.up && backend.sessions > 50, "{backend:?}");
    }
}

//! Two nodes behind a real haproxy are replaced one by one, and no client notices.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use markt_domain::ports::entropy::Entropy as _;
use markt_test_support::entropy::MachineEntropy;
use markt_test_support::haproxy::Haproxy;
use reqwest::StatusCode;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::client::Client;
use crate::process::Process;
use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;
use crate::shapes::registration;

/// What operators are told to use.
const RECIPE: &str = include_str!("../../../../docs/operations/haproxy.cfg");

/// What each client waits between two requests, in milliseconds: some hardly leave their connections idle, others do.
const PAUSES: [u64; 6] = [5, 5, 10, 20, 300, 700];

/// A node on addresses that it keeps.
pub struct Node {
    setup: Setup,
    ports: [u16; 2],
}

impl Node {
    pub fn of(setup: &Setup) -> Self {
        let ports = [free_port(), free_port()];
        let [public, admin] = ports.map(|port| format!("127.0.0.1:{port}"));
        Self { setup: setup.clone().with("MARKT_BIND", public).with("MARKT_ADMIN_BIND", admin), ports }
    }

    pub async fn start(&self) -> Process {
        let setup = self.setup.clone();
        spawn_blocking(move || Process::serve(&setup)).await.unwrap()
    }
}

/// A port that is free, below those that the system hands out: so nobody gets it while its node is away.
pub fn free_port() -> u16 {
    loop {
        let mut bytes = [0; 2];
        MachineEntropy.fill(&mut bytes);
        let port = 10_000 + u16::from_be_bytes(bytes) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// What servers are called, the first two as in the recipe.
pub const NAMES: [&str; 4] = ["one", "two", "three", "four"];

/// The recipe, for these nodes, of which there are two at least.
pub fn configuration(socket: &str, port: u16, nodes: &[Node]) -> String {
    let mut servers = nodes.iter().zip(NAMES).map(|(node, name)| {
        let [public, admin] = node.ports;
        format!("server {name} 127.0.0.1:{public} port {admin}")
    });
    let changes = [
        ("/run/haproxy/admin.sock", socket.to_owned()),
        ("0.0.0.0:80\n", format!("127.0.0.1:{port}\n")),
        ("server one 10.0.0.11:8000", servers.next().unwrap()),
        ("server two 10.0.0.12:8000", servers.collect::<Vec<_>>().join("\n    ")),
    ];
    changes.iter().fold(RECIPE.to_owned(), |recipe, (theirs, ours)| {
        assert_eq!(recipe.matches(theirs).count(), 1, "{theirs}");
        recipe.replace(theirs, ours)
    })
}

/// The same, without the retries that would hide a loss.
fn without_retries(configuration: &str) -> String {
    assert_eq!(configuration.matches("retries 3").count(), 1);
    configuration.replace("retries 3", "retries 0")
}

/// What all clients go by.
#[derive(Default)]
struct Load {
    /// How often somebody logged in, looked around and logged out.
    visits: AtomicUsize,
    enough: AtomicBool,
}

impl Load {
    /// Logs in, asks for the profile a few times and logs out, until it is enough. Each answer must be the right one.
    async fn run(&self, url: &str, name: &str, pause: Duration) {
        let client = Client::to(url, true);
        while !self.enough.load(Ordering::Relaxed) {
            let answer = client.log_in(&format!("{name}@example.com"), PASSWORD).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            for _ in 0..5 {
                if self.enough.load(Ordering::Relaxed) {
                    break;
                }
                sleep(pause).await;
                let answer = client.get("/users/profile").await;
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                assert_eq!(answer.json()["username"], name);
            }
            let answer = client.post_nothing("/users/logout").await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
            self.visits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until there were many more visits.
    async fn goes_on(&self) {
        let before = self.visits.load(Ordering::Relaxed);
        while self.visits.load(Ordering::Relaxed) < before + 10 {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn assert_goes_on(load: &Load, clients: &mut JoinSet<()>) {
    tokio::select! {
        () = load.goes_on() => {}
        Some(ended) = clients.join_next() => panic!("a client failed: {ended:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_replaced_one_by_one_and_no_request_is_lost() {
    // The drain is production's. Whoever registers may log in at once.
    let setup = Setup::of(Deployment::Full).await.with("MARKT_HTTP__DRAIN", "5s");
    let setup = setup.with("MARKT_AUTH__REQUIRE_VERIFIED_EMAIL", "false");
    let nodes = [Node::of(&setup), Node::of(&setup)];
    let mut processes = [nodes[0].start().await, nodes[1].start().await].map(Some);
    let port = free_port();
    let haproxy = Haproxy::start(|socket| without_retries(&configuration(socket, port, &nodes))).await;
    let url = format!("http://127.0.0.1:{port}");

    let load = Arc::new(Load::default());
    let mut clients = JoinSet::new();
    for (n, pause) in PAUSES.into_iter().enumerate() {
        let (name, url, load) = (format!("client_{n}"), url.clone(), Arc::clone(&load));
        let answer = Client::to(&url, false).post("/users/register", registration(&name)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        clients.spawn(async move { load.run(&url, &name, Duration::from_millis(pause)).await });
    }
    assert_goes_on(&load, &mut clients).await;
    for (n, name) in ["one", "two"].into_iter().enumerate() {
        let old = processes[n].take().unwrap();
        spawn_blocking(move || old.terminate()).await.unwrap();
        assert_goes_on(&load, &mut clients).await;
        processes[n] = Some(nodes[n].start().await);
        haproxy.wait_until_up(name).await;
        assert_goes_on(&load, &mut clients).await;
    }
    load.enough.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    for backend in haproxy.backends().await {
        assert!(backend.up && backend.sessions > 50, "{backend:?}");
    }
}

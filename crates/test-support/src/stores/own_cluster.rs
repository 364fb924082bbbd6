//! A Redis Cluster of a test's own.

use super::own_redis::wait_until_replicated;
use super::redis_command::{A_MOMENT, redis_command, try_redis_command};
use super::{OwnRedis, until};
use crate::programs::free_port;

/// How many primaries there are, each with a replica.
const SHARDS: usize = 3;

/// How many slots there are.
const SLOTS: usize = 16_384;

/// After so many milliseconds of silence a node is taken for dead.
const NODE_TIMEOUT: &str = "1500";

/// Three primaries and a replica of each, on free ports, which die with this value.
pub struct OwnCluster {
    nodes: Vec<OwnRedis>,
}

/// A node as the others know it.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    port: u16,
    is_primary: bool,
    is_well: bool,
    slots: Vec<(usize, usize)>,
}

impl OwnCluster {
    /// Starts them, and waits until each replica could take over.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with these arguments for each server besides.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 * SHARDS {
            let bus = free_port().unwrap().to_string();
            let mut all = vec!["--cluster-enabled", "yes", "--cluster-port", &bus];
            all.extend(["--cluster-node-timeout", NODE_TIMEOUT, "--cluster-require-full-coverage", "no"]);
            all.extend(["--repl-diskless-sync-delay", "0"]);
            all.extend(arguments);
            nodes.push(OwnRedis::start_with(&all).await);
            buses.push(bus);
        }
        let cluster = Self { nodes };
        cluster.form(&buses).await;
        cluster
    }

    async fn form(&self, buses: &[String]) {
        let first = &self.nodes[0];
        for (number, node) in self.nodes.iter().enumerate() {
            let epoch = (number + 1).to_string();
            redis_command(&node.url(), &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if number < SHARDS {
                let [from, to] = [number, number + 1].map(|number| SLOTS * number / SHARDS);
                let range = [from.to_string(), (to - 1).to_string()];
                redis_command(&node.url(), &["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await;
            }
            let port = node.port().to_string();
            redis_command(&first.url(), &["CLUSTER", "MEET", "127.0.0.1", &port, &buses[number]]).await;
        }
        for node in &self.nodes {
            until("all know all", async || known_to(node).await.is_some_and(|all| all.len() == 2 * SHARDS)).await;
        }
        for (number, replica) in self.nodes.iter().enumerate().skip(SHARDS) {
            let primary = redis_command(&self.nodes[number - SHARDS].url(), &["CLUSTER", "MYID"]).await;
            redis_command(&replica.url(), &["CLUSTER", "REPLICATE", &primary]).await;
        }
        self.wait_until_whole().await;
    }

    /// The URL by which a client finds all of them, of which it names two.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{}?node=127.0.0.1:{}", self.nodes[0].port(), self.nodes[1].port())
    }

    /// The URLs of those that are primaries.
    pub async fn primaries(&self) -> Vec<String> {
        let known = self.known().await.into_iter().filter(|node| !node.slots.is_empty());
        known.map(|node| url_of(node.port)).collect()
    }

    /// The primary that this key belongs to.
    pub async fn primary_of(&mut self, key: &str) -> &mut OwnRedis {
        let port = self.port_of(key).await;
        self.on_port(port)
    }

    /// Has this key's replica take over while both are well, and waits until it has.
    pub async fn fail_over(&self, key: &str) {
        let primary = self.port_of(key).await;
        let replica = self.replica_of(primary).await;
        redis_command(&url_of(replica), &["CLUSTER", "FAILOVER"]).await;
        self.wait_for_another_than(primary, key).await;
    }

    /// Waits until the key belongs to another server than the one on this port.
    pub async fn wait_for_another_than(&self, port: u16, key: &str) {
        until("another primary has the key", async || self.port_of(key).await != port).await;
    }

    /// Moves the key's slot, with all that is in it, to another primary, as `redis-cli --cluster reshard` does.
    pub async fn move_slot_of(&self, key: &str) {
        let slot = redis_command(&self.nodes[0].url(), &["CLUSTER", "KEYSLOT", key]).await;
        let source = self.port_of(key).await;
        let known = self.known().await;
        let from = known.iter().find(|node| node.port == source).expect("it is known");
        let to = known.iter().find(|node| !node.slots.is_empty() && node.port != source).expect("there are others");
        redis_command(&url_of(to.port), &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id]).await;
        redis_command(&url_of(from.port), &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id]).await;
        let target = to.port.to_string();
        loop {
            let keys = redis_command(&url_of(from.port), &["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).await;
            let keys: Vec<&str> = keys.lines().collect();
            if keys.is_empty() {
                break;
            }
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &target, "", "0", "5000", "KEYS"];
            migrate.extend(keys);
            redis_command(&url_of(from.port), &migrate).await;
        }
        for node in [to, from] {
            redis_command(&url_of(node.port), &["CLUSTER", "SETSLOT", &slot, "NODE", &to.id]).await;
        }
        self.wait_for_another_than(source, key).await;
    }

    /// The server on this port.
    pub(super) fn on_port(&mut self, port: u16) -> &mut OwnRedis {
        self.nodes.iter_mut().find(|node| node.port() == port).expect("one of these")
    }

    /// Waits until all are well and each primary has a replica that is in step.
    pub async fn wait_until_whole(&self) {
        for node in &self.nodes {
            until("the cluster is whole", async || {
                let (state, known) = (state_of(node).await, known_to(node).await.unwrap_or_default());
                let primaries = known.iter().filter(|node| node.is_primary && !node.slots.is_empty()).count();
                let replicas = known.iter().filter(|node| !node.is_primary).count();
                state && known.iter().all(|node| node.is_well) && (primaries, replicas) == (SHARDS, SHARDS)
            })
            .await;
        }
        for primary in self.primaries().await {
            until("each replica is in step", async || {
                redis_command(&primary, &["INFO", "replication"]).await.contains("state=online")
            })
            .await;
        }
    }

    /// Waits until the key's replica has all that was written so far.
    pub async fn wait_until_replicated(&self, key: &str) {
        wait_until_replicated(&url_of(self.port_of(key).await)).await;
    }

    async fn port_of(&self, key: &str) -> u16 {
        let known = self.known().await;
        let mut slot = None;
        for node in &self.nodes {
            if slot.is_none() {
                slot = ask(node, &["CLUSTER", "KEYSLOT", key]).await;
            }
        }
        let slot: usize = slot.and_then(|slot| slot.parse().ok()).expect("a slot");
        let has_it = |node: &&Known| node.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot));
        known.iter().find(has_it).map_or(0, |node| node.port)
    }

    async fn replica_of(&self, primary: u16) -> u16 {
        let replicas = redis_command(&url_of(primary), &["INFO", "replication"]).await;
        let replica = replicas.lines().find_map(|line| line.strip_prefix("slave0:ip=127.0.0.1,port="));
        replica.and_then(|rest| rest.split(',').next()?.parse().ok()).expect("a replica")
    }

    /// The nodes as the one knows them that knows of the most failovers.
    async fn known(&self) -> Vec<Known> {
        let mut best = (0, Vec::new());
        for node in &self.nodes {
            let Some(info) = ask(node, &["CLUSTER", "INFO"]).await else { continue };
            let epoch = info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"));
            let epoch: u64 = epoch.and_then(|epoch| epoch.parse().ok()).unwrap_or_default();
            if let Some(known) = known_to(node).await
                && epoch >= best.0
            {
                best = (epoch, known);
            }
        }
        best.1
    }
}

async fn state_of(node: &OwnRedis) -> bool {
    ask(node, &["CLUSTER", "INFO"]).await.is_some_and(|info| info.contains("cluster_state:ok"))
}

/// What it answers, if it does so at once.
async fn ask(node: &OwnRedis, command: &[&str]) -> Option<String> {
    tokio::time::timeout(A_MOMENT, try_redis_command(&node.url(), command)).await.ok()?.ok()
}

/// All nodes, as this one knows them; nothing if it doesn't answer.
async fn known_to(node: &OwnRedis) -> Option<Vec<Known>> {
    let table = ask(node, &["CLUSTER", "NODES"]).await?;
    table.split('\n').filter(|line| !line.trim().is_empty()).map(known).collect()
}

/// Reads `id ip:port@bus flags primary ping pong epoch link slots…`.
fn known(line: &str) -> Option<Known> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, address, flags, _, _, _, _, link, slots @ ..] = &words[..] else { return None };
    let port = address.split('@').next()?.rsplit(':').next()?.parse().ok()?;
    let range = |slots: &&str| {
        let (from, to) = slots.split_once('-').unwrap_or((slots, slots));
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    Some(Known {
        id: (*id).to_owned(),
        port,
        is_primary: flags.contains("master"),
        is_well: !flags.contains("fail") && !flags.contains("handshake") && *link == "connected",
        slots: slots.iter().filter_map(range).collect(),
    })
}

fn url_of(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

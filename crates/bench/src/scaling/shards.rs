//! A Redis Cluster of the benchmark's own: three servers, with nothing in them, nothing on disk and no replicas.

use std::path::Path;
use std::time::Duration;

use fred::interfaces::ClientLike as _;
use fred::types::{ClusterHash, CustomCommand, FromValue};
use fred::util::redis_keyslot;
use tokio::time::{Instant, sleep};

use crate::cli::Error;
use crate::redis::Redis;

const SERVERS: usize = 3;
const SLOTS: usize = 16_384;
const FORMATION_LIMIT: Duration = Duration::from_secs(60);

/// How many digits of a session's id are its tag: `crates/redis/src/keys.rs`.
const TAG_DIGITS: usize = 3;

pub(super) struct Cluster {
    pub(super) shards: Vec<Redis>,
}

impl Cluster {
    pub(super) async fn start(name: &str, folder: &Path) -> Result<Self, Error> {
        let mut shards = Vec::new();
        for number in 0..SERVERS {
            let state = format!("{}-{number}.conf", name.replace(' ', "-"));
            let arguments = ["--cluster-enabled", "yes", "--cluster-config-file", &state];
            shards.push(Redis::start_with(&format!("Redis {number}, {name}"), folder, &arguments).await?);
        }
        let cluster = Self { shards };
        for (number, shard) in cluster.shards.iter().enumerate() {
            let range = slots_of(number);
            let (first, last) = (range.start.to_string(), (range.end - 1).to_string());
            let () = command(shard, "CLUSTER", &["SET-CONFIG-EPOCH", &(number + 1).to_string()]).await?;
            let () = command(shard, "CLUSTER", &["ADDSLOTSRANGE", &first, &last]).await?;
            let port = shard.url().rsplit(':').next().ok_or("a URL has no port")?;
            let () = command(&cluster.shards[0], "CLUSTER", &["MEET", "127.0.0.1", port]).await?;
        }
        let deadline = Instant::now() + FORMATION_LIMIT;
        for shard in &cluster.shards {
            loop {
                let info: String = command(shard, "CLUSTER", &["INFO"]).await?;
                if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(format!("the cluster isn't formed after {FORMATION_LIMIT:?}: {info}").into());
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(cluster)
    }

    pub(super) fn url(&self) -> String {
        self.shards[0].url().replace("redis://", "redis-cluster://")
    }

    pub(super) async fn used_memory(&self) -> Result<Vec<u64>, Error> {
        let mut used = Vec::new();
        for shard in &self.shards {
            used.push(shard.used_memory().await?);
        }
        Ok(used)
    }
}

fn slots_of(number: usize) -> std::ops::Range<usize> {
    SLOTS * number / SERVERS..SLOTS * (number + 1) / SERVERS
}

/// The tags whose sessions this server has.
pub(super) fn tags_of(number: usize) -> Vec<String> {
    let all = (0..1_u32 << (4 * TAG_DIGITS)).map(|tag| format!("{tag:03x}"));
    all.filter(|tag| slots_of(number).contains(&usize::from(redis_keyslot(tag.as_bytes())))).collect()
}

pub(super) async fn command<T: FromValue>(redis: &Redis, name: &'static str, words: &[&str]) -> Result<T, Error> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    Ok(redis.client().custom(CustomCommand::new_static(name, ClusterHash::Random, false), words).await?)
}

//! A Redis of a test's own with a replica, watched by Sentinels.

use super::redis_command::{redis_command, try_redis_command};
use super::{OwnRedis, until};

/// What the Sentinels call the primary.
const SERVICE: &str = "m";

/// A primary, a replica and three Sentinels, on free ports, which die with this value.
///
/// Sentinels take a primary for dead that says nothing for a second.
pub struct OwnSentinels {
    servers: Vec<OwnRedis>,
    sentinels: Vec<OwnRedis>,
}

impl OwnSentinels {
    /// Starts them, and waits until the Sentinels could have the replica take over.
    pub async fn start() -> Self {
        let primary = OwnRedis::start_with(&["--repl-diskless-sync-delay", "0"]).await;
        let port = primary.port().to_string();
        let replica = OwnRedis::start_with(&["--replicaof", "127.0.0.1", &port]).await;
        until("the replica is in step", async || {
            redis_command(&replica.url(), &["INFO", "replication"]).await.contains("master_link_status:up")
        })
        .await;
        let configuration = format!(
            "sentinel monitor {SERVICE} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {SERVICE} 1000\n\
             sentinel failover-timeout {SERVICE} 3000\n"
        );
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(OwnRedis::start_sentinel(&configuration).await);
        }
        let sentinels = Self { servers: vec![primary, replica], sentinels };
        sentinels.wait_until_whole().await;
        sentinels
    }

    /// The URL by which a client finds the primary.
    #[must_use]
    pub fn url(&self) -> String {
        Self::url_by(&self.addresses())
    }

    /// Where the Sentinels are, as `host:port`.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port())).collect()
    }

    /// The same URL for a client that reaches the Sentinels at these addresses.
    #[must_use]
    pub fn url_by(addresses: &[String]) -> String {
        let [first, others @ ..] = addresses else { panic!("there are Sentinels") };
        let others: String = others.iter().map(|other| format!("&node={other}")).collect();
        format!("redis-sentinel://{first}?sentinelServiceName={SERVICE}{others}")
    }

    /// The server that the Sentinels name as the primary.
    pub async fn primary(&mut self) -> &mut OwnRedis {
        let port = self.primary_port().await;
        self.on_port(port)
    }

    /// The server on this port.
    pub(super) fn on_port(&mut self, port: u16) -> &mut OwnRedis {
        self.servers.iter_mut().find(|server| server.port() == port).expect("one of these")
    }

    /// Has the Sentinels make the replica the primary while both are well, and waits until they have.
    pub async fn fail_over(&self) {
        let before = self.primary_port().await;
        // They take only a replica that they have heard of lately, and give up what takes too long: on a busy machine, it
        // takes more than once.
        until("there is a failover", async || {
            let _ = try_redis_command(&self.sentinels[0].url(), &["SENTINEL", "FAILOVER", SERVICE]).await;
            self.primary_port().await != before
        })
        .await;
    }

    /// Waits until the Sentinels name another server than the one on this port.
    pub async fn wait_for_another_than(&self, port: u16) {
        until("there is another primary", async || self.primary_port().await != port).await;
    }

    /// Waits until there is a primary with a replica that is in step, and all Sentinels know it.
    pub async fn wait_until_whole(&self) {
        for sentinel in &self.sentinels {
            until("the Sentinels know all", async || {
                let known = redis_command(&sentinel.url(), &["INFO", "sentinel"]).await;
                known.contains("status=ok,") && known.contains("slaves=1,sentinels=3")
            })
            .await;
        }
        until("the replica is in step", async || {
            let url = format!("redis://127.0.0.1:{}", self.primary_port().await);
            let replication = try_redis_command(&url, &["INFO", "replication"]).await.unwrap_or_default();
            replication.contains("role:master") && replication.contains("state=online")
        })
        .await;
    }

    /// Waits until the replica has all that was written so far.
    pub async fn wait_until_replicated(&self) {
        super::own_redis::wait_until_replicated(&format!("redis://127.0.0.1:{}", self.primary_port().await)).await;
    }

    async fn primary_port(&self) -> u16 {
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
        let address = redis_command(&self.sentinels[0].url(), &command).await;
        address.lines().nth(1).and_then(|port| port.parse().ok()).expect("Sentinels name a port")
    }
}

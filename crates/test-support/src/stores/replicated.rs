//! Redis servers of a test's own, of which one may die.

use super::{OwnCluster, OwnRedis, OwnSentinels};

/// Servers with replicas, in one of the two ways in which those take over by themselves.
pub enum Replicated {
    /// A primary and a replica, watched by Sentinels.
    Sentinels(OwnSentinels),
    /// Primaries that share the keys, each with a replica.
    Cluster(OwnCluster),
}

impl Replicated {
    /// Starts a primary and a replica, watched by Sentinels.
    pub async fn behind_sentinels() -> Self {
        Self::Sentinels(OwnSentinels::start().await)
    }

    /// Starts a cluster.
    pub async fn as_cluster() -> Self {
        Self::Cluster(OwnCluster::start().await)
    }

    /// The URL by which a client finds them.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Sentinels(servers) => servers.url(),
            Self::Cluster(servers) => servers.url(),
        }
    }

    /// The URL of the server that this key belongs to.
    pub async fn url_of(&mut self, key: &str) -> String {
        self.primary_of(key).await.url()
    }

    /// The server that this key belongs to.
    pub async fn primary_of(&mut self, key: &str) -> &mut OwnRedis {
        match self {
            Self::Sentinels(servers) => servers.primary().await,
            Self::Cluster(servers) => servers.primary_of(key).await,
        }
    }

    /// The server on this port.
    pub fn on_port(&mut self, port: u16) -> &mut OwnRedis {
        match self {
            Self::Sentinels(servers) => servers.on_port(port),
            Self::Cluster(servers) => servers.on_port(port),
        }
    }

    /// Has the replica of this key's server take over while both are well, and waits until it has.
    pub async fn fail_over(&self, key: &str) {
        match self {
            Self::Sentinels(servers) => servers.fail_over().await,
            Self::Cluster(servers) => servers.fail_over(key).await,
        }
    }

    /// Waits until this key belongs to another server than the one on this port.
    pub async fn wait_for_another_than(&self, port: u16, key: &str) {
        match self {
            Self::Sentinels(servers) => servers.wait_for_another_than(port).await,
            Self::Cluster(servers) => servers.wait_for_another_than(port, key).await,
        }
    }

    /// Waits until the replica of this key's server has all that was written so far.
    pub async fn wait_until_replicated(&self, key: &str) {
        match self {
            Self::Sentinels(servers) => servers.wait_until_replicated().await,
            Self::Cluster(servers) => servers.wait_until_replicated(key).await,
        }
    }

    /// Waits until all servers are well, and each primary has a replica.
    pub async fn wait_until_whole(&self) {
        match self {
            Self::Sentinels(servers) => servers.wait_until_whole().await,
            Self::Cluster(servers) => servers.wait_until_whole().await,
        }
    }
}

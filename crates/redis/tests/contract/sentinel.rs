//! A Redis behind Sentinel: the stores follow it to the new primary.

use std::time::{Duration, Instant};

use markt_domain::ports::session_store::SessionStore as _;
use markt_domain::session::Ending;
use markt_domain::user::UserVersion;
use markt_test_support::fixtures;

use crate::raw::Raw;
use crate::{MANY, create, stores};
use markt_test_support::stores::OwnRedis;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_failover_the_sessions_are_found_at_the_new_primary() {
    let primary = OwnRedis::start().await;
    let port = primary.port().to_string();
    let replica = OwnRedis::start_with(&["--replicaof", "127.0.0.1", &port]).await;
    let sentinel = Sentinel::start(primary.port()).await;
    let raw = sentinel.until_it_knows_the_replica().await;
    let url = format!("redis-sentinel://127.0.0.1:{}?sentinelServiceName=m", sentinel.0.port());
    let stores = stores(&url).await;
    let session = create(&stores).await;
    let new_primary = Raw::connect(&replica.url()).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !new_primary.exists(&format!("session:{}", session.id)).await {
        assert!(Instant::now() < deadline, "the session isn't replicated");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Sentinel takes only a replica that it has heard of in the last seconds: on a busy machine, not the first time.
    while raw.try_send::<(), 3>(["SENTINEL", "FAILOVER", "m"]).await.is_err() {
        assert!(Instant::now() < deadline, "Sentinel makes no failover");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let other = fixtures::session(&session.user_id);
    while !new_primary.exists(&format!("session:{}", other.id)).await {
        assert!(Instant::now() < deadline, "no session gets to the new primary");
        let _ = stores.sessions().delete(&other.id, Ending::LoggedOut).await;
        let _ = stores.sessions().create(&other, UserVersion(1), MANY, &[]).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(stores.sessions().find(&session.id).await.unwrap().is_some());
}

struct Sentinel(OwnRedis);

impl Sentinel {
    async fn start(primary: u16) -> Self {
        let configuration = format!(
            "sentinel monitor m 127.0.0.1 {primary} 1\nsentinel down-after-milliseconds m 1000\n\
             sentinel failover-timeout m 10000\n"
        );
        Self(OwnRedis::start_sentinel(&configuration).await)
    }

    async fn until_it_knows_the_replica(&self) -> Raw {
        let deadline = Instant::now() + Duration::from_secs(30);
        let raw = Raw::connect(&self.0.url()).await;
        loop {
            let masters: String = raw.send(["INFO", "sentinel"]).await;
            if masters.contains("status=ok") && masters.contains("slaves=1") {
                return raw;
            }
            assert!(Instant::now() < deadline, "{masters}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

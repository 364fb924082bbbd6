//! A store that is away logs nobody out.

use std::time::Duration;

use markt_test_support::stores::{Relay, server_address, through};
use reqwest::StatusCode;

use super::{LIFETIME, adopted, adopting, is_there, plant, profile, signed};
use crate::server::Server;

/// Asks until the store is there again.
async fn adopted_in_the_end(server: &Server, old: &str) -> String {
    for _ in 0..200 {
        let answer = profile(server, old).await;
        if answer.status == StatusCode::OK {
            return adopted(&answer);
        }
        answer.assert_store_unavailable();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the session is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_logged_out_because_a_store_is_away() {
    for variable in ["MARKT_REDIS_URL", "MARKT_DATABASE_URL"] {
        let setup = adopting().await;
        let url = if variable == "MARKT_REDIS_URL" { setup.redis_url() } else { setup.database_url().to_owned() };
        let relay = Relay::to(server_address(&url)).await;
        let server = setup.with(variable, through(&url, relay.address())).start().await;
        let old = plant(&server.setup, "plain", LIFETIME).await;
        relay.cut().await;
        for old in [&old, &signed("plain")] {
            profile(&server, old).await.assert_store_unavailable();
        }
        assert!(is_there(&server.setup, &old).await);
        relay.restore().await;
        for old in [&old, &signed("plain")] {
            let secret = adopted_in_the_end(&server, old).await;
            server.assert_alive(&secret, "ann").await;
        }
    }
}

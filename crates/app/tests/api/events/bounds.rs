//! Streams are few, take no memory for who is slow, and end when the server does.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Follower, PATIENCE, alone, ask};
use crate::on_both_deployments;
use crate::server::{Deployment, Server, public_id};
use crate::setup::Setup;

/// As many streams as there may be.
const PLACES: usize = 16;

/// More than the buffers between two programs hold.
const MANY: usize = 60_000;

on_both_deployments!(
    streams_end_in_order_before_the_server_does,
    a_stream_too_many_waits_for_the_end_of_another,
    who_is_too_slow_is_cut_off_and_misses_nothing,
);

async fn streams_end_in_order_before_the_server_does(deployment: Deployment) {
    let setup = Setup::of(deployment).await.limited().await.with("MARKT_HTTP__DRAIN", "3s");
    let server = setup.start().await;
    let admin_url = server.admin_url.clone();
    let mut follower = Follower::of(&server, None).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    let stopping = Instant::now();
    let stopped = tokio::spawn(server.stop());
    while follower.read().await {}
    assert!(stopping.elapsed() < Duration::from_secs(2), "{:?}", stopping.elapsed());
    // During the drain the node serves, but not those who have to go elsewhere.
    let refused = ask(&admin_url, Some(&follower.last_id)).await;
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap())
    );
    let server = stopped.await.unwrap().start().await;
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
    let mut follower = Follower::of(&server, Some(&follower.last_id)).await;
    follower.next_of("session_ended", &public_id(&secret)).await;
}

async fn a_stream_too_many_waits_for_the_end_of_another(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut followers = Vec::new();
    for _ in 0..PLACES {
        followers.push(Follower::of(&server, None).await);
    }
    let refused = ask(&server.admin_url, None).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let health = reqwest::get(format!("{}/health/live", server.admin_url)).await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    drop(followers.pop());
    let deadline = Instant::now() + PATIENCE;
    while ask(&server.admin_url, None).await.status() != StatusCode::OK {
        assert!(Instant::now() < deadline, "the place isn't free again");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Puts many ends into the trail, past the server.
async fn end_many(server: &Server, deployment: Deployment) {
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})");
    let key = match deployment {
        Deployment::Embedded => "randomblob(16)",
        Deployment::Full => "decode(md5(i::text), 'hex')",
    };
    let session = "'6d4e1ad1dd43b4c1d1e1cc5cd7a9e53cd0b4d6b6ad3a7a2a3a84b3a9a9f0c0de'";
    server
        .setup
        .execute_sql(&format!(
            "INSERT INTO auth_audit (key, at, event, user_id, session_id, ending, count)
             {numbers} SELECT {key}, 1700000000000 + i, 'logged_out', 'USR_00000000', {session}, 'logged_out', 1 FROM n"
        ))
        .await;
}

async fn who_is_too_slow_is_cut_off_and_misses_nothing(deployment: Deployment) {
    let setup = Setup::of(deployment).await.limited().await.with("MARKT_HTTP__REQUEST_TIMEOUT", "1s");
    let server = setup.start().await;
    let mut slow = TcpStream::connect(server.admin_url.strip_prefix("http://").unwrap()).await.unwrap();
    slow.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut begun = Vec::new();
    while !String::from_utf8_lossy(&begun).contains("id: ") {
        slow.read_buf(&mut begun).await.unwrap();
    }
    end_many(&server, deployment).await;
    // It reads nothing for longer than it may; meanwhile others are told.
    let mut other = Follower::of(&server, None).await;
    sleep(Duration::from_secs(4)).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
    other.next_of("session_ended", &public_id(&secret)).await;
    let mut rest = Vec::new();
    // Cut off: the end may be an error.
    let _ = timeout(PATIENCE, slow.read_to_end(&mut rest)).await.unwrap();
    let text = String::from_utf8_lossy(&begun).into_owned() + &String::from_utf8_lossy(&rest);
    let told = text.matches("event: session_ended").count();
    assert!(told < MANY, "nothing was too much");
    // As a client does: what isn't whole doesn't count.
    let whole = &text[..text.rfind("\n\n").unwrap()];
    let told = whole.matches("data: {").count();
    let last_id = whole.rsplit("id: ").next().unwrap().split('\n').next().unwrap();
    let mut again = Follower::of(&server, Some(last_id)).await;
    for _ in told..MANY {
        assert_eq!(again.next().await.data["user_id"], "USR_00000000");
    }
    again.next_of("session_ended", &public_id(&secret)).await;
}

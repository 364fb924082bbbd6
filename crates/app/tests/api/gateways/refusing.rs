//! Who isn't logged in is told so, and nobody is told so in vain.

use std::time::{Duration, Instant};

use http::Method;
use markt_test_support::stores::OwnRedis;
use reqwest::StatusCode;
use tokio::task::spawn_blocking;

use super::fixture::{Guarded, Kind, behind_gateway, log_in};
use crate::answer::Answer;
use crate::client::Client;
use crate::process::Process;
use crate::server::{Deployment, FRONT_END};
use crate::setup::Setup;
use crate::shapes::registration;

through_each_gateway!(
    who_is_not_logged_in_is_refused_by_401,
    two_sessions_at_once_are_a_bad_request,
    a_frozen_store_gives_503_and_not_401,
    a_frozen_or_stopped_service_gives_503_and_not_401,
);

async fn get(client: &Client) -> Answer {
    Answer::of(client.request_at_root(Method::GET, "/orders")).await
}

/// Makes sure that nobody is let in for now, nor told to log in.
#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    assert!(!answer.sets_cookie(), "{answer:?}");
}

async fn who_is_not_logged_in_is_refused_by_401(kind: Kind) {
    let server = behind_gateway(Setup::of(Deployment::Embedded).await).await;
    let guarded = Guarded::by(kind, &server.url).await;
    let (secret, _) = log_in(&server, "buyer1").await;
    guarded.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
    for client in [guarded.without_cookies(), guarded.with_cookie(&secret), guarded.with_cookie("nonsense")] {
        let client = client.with_header("origin", FRONT_END).with_header("x-auth-user-id", "USR_00000000");
        let answer = get(&client).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
        let body = answer.json();
        assert_eq!((&body["status"], &body["code"]), (&"error".into(), &401.into()), "{answer:?}");
        assert_eq!(body["request_id"], answer.header("x-request-id"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        // A front end of another origin may read it.
        assert_eq!(answer.header("access-control-allow-origin"), FRONT_END, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), "true", "{answer:?}");
        let post = Answer::of(client.request_at_root(Method::POST, "/orders").body("x".repeat(100_000))).await;
        assert_eq!(post.status, StatusCode::UNAUTHORIZED, "{post:?}");
    }
    let stranger = guarded.without_cookies().with_header("origin", "https://evil.example");
    assert_eq!(get(&stranger).await.header("access-control-allow-origin"), "");
}

async fn two_sessions_at_once_are_a_bad_request(kind: Kind) {
    let server = behind_gateway(Setup::of(Deployment::Embedded).await).await;
    let guarded = Guarded::by(kind, &server.url).await;
    let [one, two] = [log_in(&server, "buyer1").await.0, log_in(&server, "seller1").await.0];
    let answer = get(&guarded.with_cookie(&one).with_header("authorization", format!("Bearer {two}"))).await;
    answer.assert_status(400);
    assert_eq!(answer.header("retry-after"), "", "{answer:?}");
}

async fn a_frozen_store_gives_503_and_not_401(kind: Kind) {
    let mut own = OwnRedis::start().await;
    let setup = Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", own.url());
    let server = behind_gateway(setup.with("MARKT_SESSION__NEAR_CACHE__ENABLED", "false")).await;
    let guarded = Guarded::by(kind, &server.url).await;
    let client = guarded.with_cookie(&log_in(&server, "buyer1").await.0);
    assert_eq!(get(&client).await.status, StatusCode::OK);
    own.freeze();
    for _ in 0..3 {
        assert_unavailable(&get(&client).await);
    }
    own.thaw();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = get(&client).await;
        if answer.status == StatusCode::OK {
            break;
        }
        assert_unavailable(&answer);
        assert!(Instant::now() < deadline, "still {answer:?}");
    }
}

async fn a_frozen_or_stopped_service_gives_503_and_not_401(kind: Kind) {
    // No time is waited for a load balancer here, and the process needs no proxies to be trusted.
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__DRAIN", "0s");
    let started = setup.clone();
    let service = spawn_blocking(move || Process::serve(&started)).await.unwrap();
    let guarded = Guarded::by(kind, &service.url).await;
    let client = guarded.browser();
    client.post("/users/register", registration("ann")).await.assert_status(201);
    assert_eq!(get(&client).await.status, StatusCode::OK);
    let send = |signal: &str| {
        let told = std::process::Command::new("kill").args(["-s", signal, &service.id().to_string()]).status();
        assert!(told.unwrap().success());
    };
    if kind != Kind::Traefik {
        send("STOP");
        // The process may go on for a moment after that.
        let mut frozen = get(&client).await;
        for _ in 0..10 {
            if frozen.status != StatusCode::OK {
                break;
            }
            frozen = get(&client).await;
        }
        send("CONT");
        assert_unavailable(&frozen);
    }
    spawn_blocking(move || service.terminate()).await.unwrap();
    let stopped = get(&client).await;
    if kind == Kind::Traefik {
        // As the guide says; and it waits for half a minute for one that is frozen.
        assert_eq!(stopped.status, StatusCode::INTERNAL_SERVER_ERROR, "{stopped:?}");
    } else {
        assert_unavailable(&stopped);
    }
}

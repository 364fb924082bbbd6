//! What a collector of traces is sent, by OTLP.

use std::time::Duration;

use markt_test_support::collector::{Collector, Received, Span};
use markt_test_support::stores::{Relay, server_address, through};
use reqwest::StatusCode;
use serde_json::Value;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::process::Process;
use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;

on_both_deployments!(
    a_login_is_seen_whole,
    what_the_service_does_by_itself_is_not_traced,
    a_collector_that_is_away_keeps_nobody_waiting
);

const EMAIL: &str = "both1@markt.com";

/// A caller's trace, and the span in it that the request is a part of.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

async fn tracing_to(collector: &Collector, setup: Setup) -> (Setup, Process) {
    let setup = setup.with("MARKT_TELEMETRY__OTLP_ENDPOINT", collector.url());
    setup.clone().start().await.stop().await;
    let process = Process::serve(&setup);
    (setup, process)
}

fn client(process: &Process) -> Client {
    Client::to(&process.url, true).with_header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
}

/// Ends the service. Returns its log, and what it has sent by then.
async fn end(process: Process, collector: &Collector) -> (String, Received) {
    let log = tokio::task::spawn_blocking(|| process.terminate()).await.unwrap();
    (log, collector.received())
}

/// The one span with this name.
#[track_caller]
fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

async fn a_login_is_seen_whole(deployment: Deployment) {
    let collector = Collector::start().await;
    let (setup, process) = tracing_to(&collector, Setup::of(deployment).await).await;
    let answer = client(&process).log_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let (log, received) = end(process, &collector).await;

    let spans = &received.spans;
    let root = named(spans, "POST /api/v1/users/login");
    assert_eq!((root.kind.as_str(), root.parent.as_str()), ("Server", CALLER), "{root:?}");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/users/login"),
        ("http.response.status_code", "200"),
        ("url.path", "/api/v1/users/login"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(root.attribute(name), value, "{name} of {root:?}");
    }
    assert_eq!(received.resource["service.name"], "markt-auth");
    assert_eq!(answer.headers["traceparent"], format!("00-{TRACE}-{}-01", root.id));

    assert!(spans.iter().all(|span| span.trace == TRACE && !span.is_error), "{spans:#?}");
    for span in spans.iter().filter(|span| span.id != root.id) {
        let parent = spans.iter().find(|other| other.id == span.parent);
        let parent = parent.unwrap_or_else(|| panic!("{span:?} stands alone in {spans:#?}"));
        assert!(parent.time.0 <= span.time.0, "{span:?} began before {parent:?}");
        // SQLx's thread for SQLite enters a step, too, and leaves it at some time.
        assert!(deployment == Deployment::Embedded || span.time.1 <= parent.time.1, "{span:?} outlasts {parent:?}");
    }
    let within = |name: &str, step: &str| {
        let step = named(spans, step);
        let found = spans.iter().find(|span| span.parent == step.id && span.name == name);
        let found = found.unwrap_or_else(|| panic!("no {name} within {step:?}: {spans:#?}"));
        assert_eq!(found.kind, "Client", "{found:?}");
        found.clone()
    };
    assert_eq!(named(spans, "verify password").parent, root.id);
    let look = within("SELECT users", "find user by e-mail address");
    assert_eq!((look.attribute("db.operation.name"), look.attribute("db.collection.name")), ("SELECT", "users"));
    assert!(look.attribute("db.query.text").starts_with("SELECT "), "{look:?}");
    match deployment {
        Deployment::Embedded => {
            assert_eq!(look.attribute("db.system.name"), "sqlite");
            for statement in ["INSERT auth_sessions", "COMMIT"] {
                within(statement, "create session");
            }
        }
        Deployment::Full => {
            assert_eq!(look.attribute("db.system.name"), "postgresql");
            let (host, port) = (look.attribute("server.address"), look.attribute("server.port"));
            assert_eq!(format!("{host}:{port}"), server_address(setup.database_url()));
            let script = within("EVALSHA", "create session");
            assert_eq!(script.attribute("db.system.name"), "redis");
            assert_eq!(script.attribute("db.stored_procedure.name").len(), 40, "{script:?}");
        }
    }
    assert!(!received.text.contains(EMAIL), "what is looked for stands in the trace: {}", received.text);

    let event = log.lines().find(|line| line.contains(r#""login_succeeded""#)).unwrap_or_else(|| panic!("{log}"));
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!((&event["trace_id"], &event["span_id"]), (&TRACE.into(), &root.id.clone().into()), "{event}");
    assert_eq!(event["request_id"], root.attribute("markt.request_id"));
}

async fn what_the_service_does_by_itself_is_not_traced(deployment: Deployment) {
    let collector = Collector::start().await;
    let (_setup, process) = tracing_to(&collector, Setup::of(deployment).await).await;
    let client = Client::to(&process.url, true);
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    // Heartbeats, probes and the audit trail have their turn.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.get("/users/profile").await.status, StatusCode::OK);
    let (_log, received) = end(process, &collector).await;
    let roots: Vec<_> = received.spans.iter().filter(|span| span.parent.is_empty()).collect();
    let names: Vec<_> = roots.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["POST /api/v1/users/login", "GET /api/v1/users/profile"]);
    assert_ne!(roots[0].trace, roots[1].trace, "each request without a trace has one of its own");
}

async fn a_collector_that_is_away_keeps_nobody_waiting(deployment: Deployment) {
    let collector = Collector::start().await;
    let setup = Setup::of(deployment).await.with("OTEL_BSP_SCHEDULE_DELAY", "50");
    let (_setup, mut process) = tracing_to(&collector, setup).await;
    drop(collector);
    let client = Client::to(&process.url, true);
    assert_eq!(client.log_in(EMAIL, PASSWORD).await.status, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(client.get("/users/profile").await.status, StatusCode::OK);
    }
    let log = tokio::task::spawn_blocking(|| {
        process.tell_to_end();
        process.wait_for("ended");
        process.wait_for_end()
    });
    let log = log.await.unwrap();
    assert!(log.contains("BatchSpanProcessor.ExportError"), "it is told: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_says_which_store_was_away() {
    let collector = Collector::start().await;
    let setup = Setup::of(Deployment::Full).await;
    let relay = Relay::to(server_address(setup.database_url())).await;
    let url = through(setup.database_url(), relay.address());
    let (_setup, process) = tracing_to(&collector, setup.with("MARKT_DATABASE_URL", url)).await;
    relay.cut().await;
    client(&process).log_in(EMAIL, PASSWORD).await.assert_error(503, "store_unavailable");
    relay.restore().await;
    let (_log, received) = end(process, &collector).await;
    for name in ["POST /api/v1/users/login", "find user by e-mail address"] {
        let span = named(&received.spans, name);
        assert!(span.is_error, "{span:?}");
        assert_eq!(span.attribute("error.type"), "store_unavailable", "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_no_error_and_what_leads_nowhere_is_not_repeated() {
    let collector = Collector::start().await;
    let (_setup, process) = tracing_to(&collector, Setup::of(Deployment::Embedded).await).await;
    let client = Client::to(&process.url, true).with_header("traceparent", "00-nonsense");
    client.log_in(EMAIL, "Password124").await.assert_error(401, "invalid_credentials");
    client.get("/users/both1-Password123?code=123456").await.assert_error(404, "not_found");
    let (_log, received) = end(process, &collector).await;
    let refused = named(&received.spans, "POST /api/v1/users/login");
    assert_eq!((refused.is_error, refused.attribute("error.type")), (false, "invalid_credentials"));
    let nowhere = named(&received.spans, "GET");
    assert_eq!((nowhere.attribute("http.response.status_code"), nowhere.attribute("url.path")), ("404", ""));
    assert!(!received.text.contains("both1-Password123") && !received.text.contains("123456"), "{}", received.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_collector_nothing_speaks_of_traces() {
    let setup = Setup::of(Deployment::Embedded).await;
    setup.clone().start().await.stop().await;
    let process = Process::serve(&setup);
    let answer: Answer = client(&process).log_in(EMAIL, PASSWORD).await;
    assert!(!answer.headers.contains_key("traceparent"), "{answer:?}");
    let log = tokio::task::spawn_blocking(|| process.terminate()).await.unwrap();
    assert!(log.contains("login_succeeded") && !log.contains("trace_id"), "{log}");
}

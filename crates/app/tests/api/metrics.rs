//! What the admin listener shows at `/metrics`, after a little of everything.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;

use crate::on_both_deployments;
use crate::server::{Deployment, PASSWORD, Server};
use crate::setup::Setup;

on_both_deployments!(
    what_happens_is_counted_once,
    nothing_that_is_shown_is_missing_from_the_documentation_nor_the_other_way_round,
    no_label_holds_who_somebody_is,
    a_refusal_is_counted_by_the_limit_that_was_reached,
);

const EMAIL: &str = "both1@markt.com";

/// What `docs/operations/monitoring/metrics.md` lists, and is there only where it happened, or comes from Prometheus.
const NOT_ALWAYS: [&str; 6] = [
    "markt_legacy_token_requests_total",
    "markt_rate_limit_refusals_total",
    "markt_revocation_seconds",
    "markt_store_errors_total",
    "probe_success",
    "up",
];

/// The metrics in their text form.
async fn metrics(server: &Server) -> String {
    let answer = reqwest::get(format!("{}/metrics", server.admin_url)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

/// The value in the line that begins with this, zero if there is none.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// A little of everything.
async fn live(server: &Server) {
    server.client().log_in(EMAIL, "Unmistakable2Wrong").await.assert_error(401, "invalid_credentials");
    let (first, second) = (server.secret_of(EMAIL).await, server.secret_of(EMAIL).await);
    for _ in 0..3 {
        server.assert_alive(&first, "both1").await;
    }
    server.client().get("/users/profile").await.assert_error(401, "not_authenticated");
    server.with_cookie("A".repeat(43).as_str()).get("/users/profile").await.assert_error(401, "not_authenticated");
    server.client().get("/nowhere").await.assert_error(404, "not_found");
    assert_eq!(server.with_cookie(&first).delete("/users/sessions").await.json(), json!({"revoked": 1}));
    server.assert_dead_soon(&second).await;
    assert_eq!(server.with_cookie(&first).post_nothing("/users/logout").await.status, StatusCode::NO_CONTENT);
}

async fn what_happens_is_counted_once(deployment: Deployment) {
    let server = Setup::of(deployment).await.start().await;
    live(&server).await;
    let text = metrics(&server).await;
    for (series, expected) in [
        ("markt_logins_total{result=\"succeeded\"}", 2.0),
        ("markt_logins_total{result=\"invalid_credentials\"}", 1.0),
        ("markt_sessions_started_total{by=\"login\"}", 2.0),
        ("markt_sessions_ended_total{reason=\"revoked_by_user\"}", 1.0),
        ("markt_sessions_ended_total{reason=\"logged_out\"}", 1.0),
        ("markt_audit_events_total{event=\"login_failed\"}", 1.0),
        ("markt_audit_events_lost_total", 0.0),
        ("markt_authentications_total{source=\"none\",result=\"not_authenticated\"}", 1.0),
        ("markt_near_cache_usable", 1.0),
        (
            "markt_http_request_duration_seconds_count{method=\"DELETE\",route=\"/api/v1/users/sessions\",status=\"200\"}",
            1.0,
        ),
        ("markt_http_request_duration_seconds_count{method=\"GET\",route=\"other\",status=\"404\"}", 1.0),
    ] {
        assert!((value(&text, series) - expected).abs() < 0.5, "{series} should be {expected}: {text}");
    }
    let store = if deployment == Deployment::Full { "redis" } else { "database" };
    for series in [
        format!("markt_authentications_total{{source=\"{store}\",result=\"succeeded\"}}"),
        format!("markt_authentications_total{{source=\"{store}\",result=\"not_authenticated\"}}"),
        "markt_authentications_total{source=\"near_cache\",result=\"succeeded\"}".to_owned(),
        format!("markt_store_operation_duration_seconds_count{{store=\"{store}\",operation=\"find session\"}}"),
        "markt_near_cache_lookups_total{result=\"hit\"}".to_owned(),
        "markt_near_cache_lookups_total{result=\"miss\"}".to_owned(),
        "markt_password_hash_duration_seconds_count".to_owned(),
        "process_cpu_seconds_total".to_owned(),
        "process_resident_memory_bytes".to_owned(),
    ] {
        assert!(value(&text, &series) > 0.0, "no {series}: {text}");
    }
}

async fn nothing_that_is_shown_is_missing_from_the_documentation_nor_the_other_way_round(deployment: Deployment) {
    let server = Setup::of(deployment).await.start().await;
    live(&server).await;
    let text = metrics(&server).await;
    let shown: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let shown: BTreeSet<_> = shown
        .into_iter()
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    let document = include_str!("../../../../docs/operations/monitoring/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(name, _)| name.to_owned()).collect();
    let undocumented: Vec<_> = shown.difference(&documented).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
    let missing = documented.difference(&shown).filter(|name| !NOT_ALWAYS.contains(&name.as_str()));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}

async fn no_label_holds_who_somebody_is(deployment: Deployment) {
    let server = Setup::of(deployment).await.start().await;
    let secret = server.secret_of(EMAIL).await;
    let path = format!("/users/sessions/{}", crate::server::public_id(&secret));
    assert_eq!(server.with_cookie(&secret).delete(&path).await.status, StatusCode::NO_CONTENT);
    server.client().log_in(EMAIL, PASSWORD).await;
    let text = metrics(&server).await;
    for identity in [EMAIL, "both1", "USR_", "127.0.0.1", &secret, &crate::server::public_id(&secret)] {
        assert!(!text.contains(identity), "{identity} in {text}");
    }
    let series = "markt_http_request_duration_seconds_count{method=\"DELETE\",route=\"/api/v1/users/sessions/{id}\",status=\"204\"}";
    assert!(value(&text, series) > 0.0, "{text}");
}

async fn a_refusal_is_counted_by_the_limit_that_was_reached(deployment: Deployment) {
    for (per_account, per_ip, reached) in [
        ("1/15m", "off", "login_per_account"),
        ("1/15m", "5/15m", "login_per_account"),
        ("off", "1/15m", "login_per_ip"),
        ("5/15m", "1/15m", "login_per_ip"),
    ] {
        let setup = Setup::of(deployment).await.limited().await.with("MARKT_LIMITS__CODES_PER_ACCOUNT", "1/15m");
        let setup = setup.with("MARKT_LIMITS__LOGIN_PER_ACCOUNT", per_account);
        let server = setup.with("MARKT_LIMITS__LOGIN_PER_IP", per_ip).start().await;
        for expected in [(401, "invalid_credentials"), (429, "too_many_requests"), (429, "too_many_requests")] {
            let answer = server.client().log_in("nobody@example.com", PASSWORD).await;
            answer.assert_error(expected.0, expected.1);
        }
        let text = metrics(&server).await;
        let refusals: Vec<_> =
            text.lines().filter(|line| line.starts_with("markt_rate_limit_refusals_total{")).collect();
        assert_eq!(refusals, [format!("markt_rate_limit_refusals_total{{limit=\"{reached}\"}} 2")]);
        for expected in [202, 429] {
            let answer = server.client().post("/users/password-reset", json!({"email": EMAIL})).await;
            assert_eq!(answer.status, expected);
        }
        let series = "markt_rate_limit_refusals_total{limit=\"codes_per_account\"}";
        assert!((value(&metrics(&server).await, series) - 1.0).abs() < 0.5);
    }
}

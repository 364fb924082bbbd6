//! `markt-auth doctor` on set-ups that are broken in all the ways that set-ups are.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use markt_auth::wiring;
use markt_test_support::smtp::{SmtpServer, free_port};
use markt_test_support::stores::OwnRedis;
use serde_json::Value;

use crate::on_both_deployments;
use crate::process::{self, Process};
use crate::redis::redis;
use crate::server::Deployment;
use crate::setup::Setup;

on_both_deployments!(
    a_service_that_runs_has_no_errors,
    a_schema_that_is_behind_is_an_error_in_production_and_left_as_it_is,
    what_stops_the_start_is_told_at_once_and_without_secrets,
);

/// What must never be read.
const SECRET: &str = "Unmistakable-hunter2";

/// What the doctor found.
struct Examined {
    json: Value,
    code: i32,
}

impl Examined {
    /// The finding with this id.
    #[track_caller]
    fn finding(&self, id: &str) -> &Value {
        let findings = self.json["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {:#}", self.json))
    }

    #[track_caller]
    fn assert(&self, severity: &str, id: &str) {
        assert_eq!(self.finding(id)["severity"], severity, "{:#}", self.json);
    }

    fn ids(&self, severity: &str) -> Vec<&str> {
        let findings = self.json["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["severity"] == severity)
            .map(|finding| finding["id"].as_str().unwrap())
            .collect()
    }
}

/// Everything that a run printed.
fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn examine(setup: &Setup, arguments: &[&str]) -> Examined {
    let output = process::run(setup, &[&["doctor", "--json"], arguments].concat()).await;
    let text = printed(&output);
    assert!(!text.contains(SECRET), "{text}");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
    let examined = Examined { json, code: output.status.code().unwrap() };
    let is_bad = examined.json["errors"] != 0 || examined.json["origin"]["login"] == "no";
    assert_eq!(examined.code, i32::from(is_bad), "{:#}", examined.json);
    examined
}

/// The whole set-up over a Redis of its own, which was started with these arguments.
async fn over(redis: &OwnRedis) -> Setup {
    Setup::of(Deployment::Full).await.with("MARKT_REDIS_URL", redis.url())
}

async fn a_service_that_runs_has_no_errors(deployment: Deployment) {
    let setup = Setup::of(deployment).await;
    let process = Process::serve(&setup);
    let admin = process.admin_url.trim_start_matches("http://").to_owned();
    let setup = setup.with("MARKT_ADMIN_BIND", admin);
    let examined = examine(&setup, &[]).await;
    assert_eq!((examined.ids("error"), examined.code), (Vec::new(), 0), "{:#}", examined.json);
    for id in ["service", "database", "database-schema", "mail-folder", "configuration"] {
        examined.assert("ok", id);
    }
    if deployment == Deployment::Full {
        for id in ["redis", "redis-tracking", "redis-permissions", "redis-clock-off", "database-clock-off"] {
            examined.assert("ok", id);
        }
    }
    let text = printed(&process::run(&setup, &["doctor"]).await);
    assert!(text.trim_end().ends_with("as it should be."), "{text}");
    assert!(text.contains("hint     password-cost-low"), "{text}");
}

async fn a_schema_that_is_behind_is_an_error_in_production_and_left_as_it_is(deployment: Deployment) {
    let server = SmtpServer::start();
    let setup = Setup::of(deployment).await;
    examine(&setup, &[]).await.assert(
        "hint",
        match deployment {
            Deployment::Embedded => "database-absent",
            Deployment::Full => "database-schema-behind",
        },
    );
    let production = setup.in_production(&server.url()).with("MARKT_ALLOW_EMBEDDED", "true");
    for _ in 0..2 {
        let examined = examine(&production, &[]).await;
        examined.assert("error", "database-schema-behind");
        assert_eq!(examined.finding("database-schema-behind")["change"][0]["value"], "markt-auth migrate");
    }
    wiring::migrate(&production.config()).await.unwrap();
    let examined = examine(&production, &[]).await;
    examined.assert("ok", "database-schema");
    examined.assert("ok", "smtp");
    examined.assert("warning", "mail-from-unreal");
    assert!(server.messages().is_empty());
}

async fn what_stops_the_start_is_told_at_once_and_without_secrets(deployment: Deployment) {
    let setup = Setup::of(deployment)
        .await
        .with("MARKT_ENV", "production")
        .with("MARKT_CORS__ALLOWED_ORIGINS", "https://app.example.com/,*")
        .with("MARKT_COOKIE__SECURE", "false")
        .with("MARKT_COOKIE__SAME_SITE", "None")
        .with("MARKT_SESSION__IDLE_TIMEOUT", "soon")
        .with("MARKT_JWT__SECERT", SECRET)
        .with("MARKT_JWT__SECRET", SECRET)
        .with("MARKT_JWT__ALGORITHM", "HS256")
        .with("MARKT_AUTH__MODE", "dual")
        .with("MARKT_JWT__LEGACY__SECRET", SECRET)
        .with("MARKT_MAIL__SMTP_URL", format!("smtp://ann:{SECRET}@127.0.0.1:{}", free_port()))
        .with("MARKT_TELEMETRY__OTLP_ENDPOINT", format!("http://ann:{SECRET}@127.0.0.1:{}", free_port()));
    let examined = examine(&setup, &[]).await;
    for id in [
        "cors-trailing-slash",
        "cors-wildcard",
        "config-bad-value",
        "config-unknown-key",
        "insecure-cookie-in-production",
        "samesite-none-without-secure",
        "jwt-secret-short",
        "smtp-unreachable",
    ] {
        examined.assert("error", id);
    }
    examined.assert("warning", "otlp-unreachable");
    // Of keys that can't be read there is nothing to say.
    assert!(!examined.json.to_string().contains("session-lifetimes"), "{:#}", examined.json);
    for arguments in [&["doctor"][..], &["doctor", "--origin", "https://app.example.com"]] {
        let output = process::run(&setup, arguments).await;
        assert!(!printed(&output).contains(SECRET), "{}", printed(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_loses_sessions_is_found() {
    let own = OwnRedis::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]).await;
    let examined = examine(&over(&own).await, &[]).await;
    examined.assert("error", "redis-evicts");
    examined.assert("warning", "redis-not-persistent");
    let change = &examined.finding("redis-evicts")["change"][0];
    assert_eq!(
        (&change["in"], &change["key"], &change["value"]),
        (&"redis".into(), &"maxmemory-policy".into(), &"noeviction".into())
    );

    redis(&own.url(), &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    redis(&own.url(), &["CONFIG", "SET", "appendonly", "yes"]).await;
    let examined = examine(&over(&own).await, &[]).await;
    examined.assert("ok", "redis-eviction");
    examined.assert("hint", "redis-appendfsync-everysec");
    assert_eq!(examined.code, 0, "{:#}", examined.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_no_writes_is_found() {
    let primary = OwnRedis::start().await;
    let port = primary.port().to_string();
    let replica = OwnRedis::start_with(&["--replicaof", "127.0.0.1", &port]).await;
    examine(&over(&replica).await, &[]).await.assert("error", "redis-replica");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_acl_of_redis_forbids_is_found_and_what_is_told_to_grant_mends_it() {
    let own = OwnRedis::start_with(&["--appendonly", "yes"]).await;
    let password = format!(">{SECRET}");
    let mut rule =
        vec!["ACL", "SETUSER", "ann", "on", &password, "~session:*", "+@all", "-evalsha", "-client|tracking"];
    redis(&own.url(), &rule).await;
    let url = own.url().replace("redis://", &format!("redis://ann:{SECRET}@"));
    let setup = over(&own).await.with("MARKT_REDIS_URL", url);
    let examined = examine(&setup, &[]).await;
    examined.assert("error", "redis-acl");
    examined.assert("warning", "redis-tracking-refused");
    let granted = |id: &str| examined.finding(id)["change"][0]["value"].as_str().unwrap().to_owned();
    let granted = format!("{} {}", granted("redis-acl"), granted("redis-tracking-refused"));
    rule.truncate(3);
    rule.extend(granted.split(' '));
    redis(&own.url(), &rule).await;
    let examined = examine(&setup, &[]).await;
    examined.assert("ok", "redis-permissions");
    examined.assert("ok", "redis-tracking");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_are_not_to_be_had_are_findings_and_no_secret_is_told() {
    let mut own = OwnRedis::start_with(&["--requirepass", "another"]).await;
    let url = own.url().replace("redis://", &format!("redis://:{SECRET}@"));
    let setup = over(&own)
        .await
        .with("MARKT_REDIS_URL", url)
        .with("MARKT_DATABASE_URL", format!("postgres://ann:{SECRET}@127.0.0.1:{}/markt", free_port()));
    let examined = examine(&setup, &[]).await;
    examined.assert("error", "redis-login-refused");
    examined.assert("error", "database-unreachable");
    own.freeze();
    examine(&setup, &[]).await.assert("error", "redis-unreachable");
    own.kill();
    examine(&setup, &[]).await.assert("error", "redis-unreachable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_refuses_the_password_is_found() {
    let server = SmtpServer::start_with_credentials("ann", "another");
    let url = format!("smtp://ann:{SECRET}@{}", server.url().rsplit(['/', '@']).next().unwrap());
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_MAIL__TRANSPORT", "smtp");
    let setup = setup.with("MARKT_MAIL__SMTP_URL", url);
    examine(&setup, &[]).await.assert("error", "smtp-login-refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_on_the_machine_can_read_or_the_service_cannot_write_is_found() {
    let setup = Setup::of(Deployment::Embedded).await;
    let path = |name: &str| setup.folder().join(name);
    let allow = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    std::fs::write(path("markt-auth.toml"), format!("[jwt]\nsecret = '{SECRET}'\n")).unwrap();
    std::fs::write(path("key.pem"), "no key").unwrap();
    let broken = setup
        .clone()
        .with("MARKT_AUTH__MODE", "jwt")
        .with("MARKT_JWT__PRIVATE_KEY_FILE", path("key.pem").display().to_string())
        .with("MARKT_MAIL__DIR", path("key.pem").join("outbox").display().to_string());
    for (mode, readable) in [(0o644, true), (0o600, false)] {
        for name in ["markt-auth.toml", "key.pem"] {
            allow(&path(name), mode);
        }
        let examined = examine(&broken, &[]).await;
        assert_eq!(examined.ids("warning").contains(&"secret-file-readable"), readable, "{:#}", examined.json);
        examined.assert("error", "jwt-key-unusable");
        examined.assert("error", "mail-folder-not-writable");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_not_ready_is_found() {
    let mut own = OwnRedis::start().await;
    let setup = over(&own).await;
    let process = Process::serve(&setup);
    own.kill();
    let setup = setup.with("MARKT_ADMIN_BIND", process.admin_url.trim_start_matches("http://"));
    let examined = examine(&setup, &[]).await;
    examined.assert("error", "service-not-ready");
    assert!(examined.finding("service-not-ready")["what"].as_str().unwrap().contains("redis"), "{:#}", examined.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_not_trusted_is_found_once_it_has_passed_something_on() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_SESSION__BINDING__IP", "exact");
    let process = Process::serve(&setup);
    let setup = setup.with("MARKT_ADMIN_BIND", process.admin_url.trim_start_matches("http://"));
    let examined = examine(&setup, &[]).await;
    examined.assert("ok", "trusted-proxies");
    let login = reqwest::Client::new().post(format!("{}/api/v1/users/login", process.url)).body("{}");
    login.header("content-type", "application/json").header("x-forwarded-for", "198.51.100.7").send().await.unwrap();
    let examined = examine(&setup, &[]).await;
    examined.assert("error", "proxy-not-trusted");
    examined.assert("error", "binding-ip-of-proxy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_an_origin_is_what_the_service_does() {
    let setup = Setup::of(Deployment::Embedded).await;
    let process = Process::serve(&setup);
    let login = reqwest::Client::new();
    for (origin, works) in [("http://127.0.0.1:3000", true), ("http://127.0.0.1:5173", false)] {
        let examined = examine(&setup, &["--origin", origin, "--service", &process.url]).await;
        assert_eq!(examined.json["origin"]["login"], if works { "yes" } else { "no" }, "{:#}", examined.json);
        let request = login.post(format!("{}/api/v1/users/login", process.url)).header("origin", origin);
        let answer = request.header("sec-fetch-site", "same-site").body("{}").send().await.unwrap();
        assert_eq!(answer.status() != 403, works);
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), works);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_line_says_whether_a_login_from_the_origin_works() {
    let setup = Setup::of(Deployment::Embedded).await.with("MARKT_BIND", "127.0.0.1:8000");
    for (origin, code, last) in [
        ("http://localhost:3000", 0, "Login from http://localhost:3000 works, as far as browsers are concerned."),
        (
            "https://app.example.com",
            1,
            "Login from https://app.example.com doesn't work: preflight, cross-origin-rule, stored-on-fetch, sent-on-fetch.",
        ),
    ] {
        let output = process::run(&setup, &["doctor", "--origin", origin]).await;
        assert_eq!(printed(&output).lines().last(), Some(last));
        assert_eq!(output.status.code(), Some(code));
    }
    for arguments in [&["doctor", "--origin", "nonsense"][..], &["doctor", "--service", "*"], &["doctor", "--all"]] {
        assert_eq!(process::run(&setup, arguments).await.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_is_all_that_is_told() {
    let setup = Setup::of(Deployment::Embedded).await;
    std::fs::write(setup.folder().join("markt-auth.toml"), format!("secret = '{SECRET}\n")).unwrap();
    let examined = examine(&setup, &[]).await;
    assert_eq!((examined.ids("error"), examined.code), (vec!["config-file-unreadable"], 1));
}

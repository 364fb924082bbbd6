//! All that the service says to operators - log, metrics, traces, command line - after a little of everything: nothing
//! in it opens anything.

use std::collections::BTreeSet;

use markt_test_support::collector::Collector;
use reqwest::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::client::Client;
use crate::on_both_deployments;
use crate::process::{self, Process};
use crate::server::{Deployment, Server, public_id};
use crate::setup::Setup;
use crate::shapes::{registration, with};
use crate::tokens::{LEGACY_SECRET, Tokens, by_either, by_tokens, legacy_token};

on_both_deployments!(sessions_leave_nothing_that_opens_them, tokens_leave_nothing_that_opens_anything);

const EMAIL: &str = "ann_lee@example.com";
const FIRST: &str = "Unmistakable1Password";
const SECOND: &str = "Unmistakable2Password";
const TYPED_IN_VAIN: &str = "Unmistakable3Password";
const OF_THE_MAIL_SERVER: &str = "Unmistakable4Password";

/// A service in a process of its own that says all it can.
struct Observed {
    server: Server,
    process: Process,
    collector: Collector,
    /// What opens something, or did.
    secrets: BTreeSet<String>,
}

impl Observed {
    async fn start(setup: Setup) -> Self {
        let collector = Collector::start().await;
        let setup = setup
            .with("MARKT_TELEMETRY__LOG_LEVEL", "trace")
            .with("MARKT_TELEMETRY__OTLP_ENDPOINT", collector.url())
            .with("MARKT_MAIL__SMTP_URL", format!("smtp://ann:{OF_THE_MAIL_SERVER}@127.0.0.1:1"));
        let server = setup.start().await;
        let process = Process::serve(&server.setup);
        let secrets = [FIRST, SECOND, TYPED_IN_VAIN, OF_THE_MAIL_SERVER].map(str::to_owned).into();
        Self { server, process, collector, secrets }
    }

    fn client(&self) -> Client {
        Client::to(&self.process.url, false)
    }

    fn bearer(&self, secret: &str) -> Client {
        self.client().with_header("authorization", format!("Bearer {secret}"))
    }

    /// Keeps the session's secret that this answer hands out.
    fn session(&mut self, answer: &Answer) -> String {
        assert!(answer.status.is_success(), "{answer:?}");
        let secret = answer.session_cookie().value;
        self.secrets.insert(secret.clone());
        secret
    }

    /// The same with tokens.
    fn tokens(&mut self, answer: &Answer) -> Tokens {
        let tokens = Tokens::of(answer);
        self.secrets.extend([tokens.access.clone(), tokens.refresh.clone()]);
        tokens
    }

    async fn code(&mut self, mails: usize) -> String {
        let code = self.server.mailed_code(EMAIL, mails).await;
        self.secrets.insert(code.clone());
        code
    }

    /// What an operator is told by these commands, of the session with this id too, and of what is opened by this.
    async fn told(&self, id: &str, secret: &str) -> String {
        let mut told = String::new();
        for arguments in [
            &["sessions", "list"][..],
            &["sessions", "list", "--json"],
            &["sessions", "show", id],
            &["sessions", "show", id, "--json"],
            &["sessions", "stats"],
            &["sessions", "watch", "--since", "1h", "--no-follow"],
            &["users", "show", EMAIL],
            &["config"],
            &["config", "--json"],
            &["doctor"],
            &["doctor", "--json"],
        ] {
            let output = process::run(&self.server.setup, arguments).await;
            for bytes in [output.stdout, output.stderr] {
                told.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
        let by_secret = ["sessions", "show", "--secret-stdin"];
        let output = process::run_with_input(&self.server.setup, &by_secret, secret).await;
        told + std::str::from_utf8(&output.stdout).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
    }

    /// Makes sure that each output says something, and nothing that opens anything.
    async fn assert_silent(self, id: &str, secret: &str) {
        let told = self.told(id, secret).await;
        let metrics = reqwest::get(format!("{}/metrics", self.process.admin_url)).await.unwrap().text().await.unwrap();
        let process = self.process;
        let log = tokio::task::spawn_blocking(|| process.terminate()).await.unwrap();
        let traces = self.collector.received().text;
        for (output, text, word) in [
            ("the command line", told, id),
            ("metrics", metrics, "markt_logins_total"),
            ("the log", log, "login_succeeded"),
            ("traces", traces, "POST /api/v1/users/login"),
        ] {
            assert!(text.contains(word), "{word} isn't in {output}: {text}");
            // Six digits may well stand in a longer number.
            let words: BTreeSet<_> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            for secret in &self.secrets {
                let stands = if secret.len() == 6 { words.contains(secret.as_str()) } else { text.contains(secret) };
                assert!(!stands, "{secret} stands in {output}: {text}");
            }
        }
    }
}

async fn sessions_leave_nothing_that_opens_them(deployment: Deployment) {
    let mut service = Observed::start(by_either(deployment).await).await;
    service.secrets.insert(LEGACY_SECRET.to_owned());
    let registered = service.client().post("/users/register", with(registration("ann_lee"), "password", FIRST)).await;
    let first = service.session(&registered);
    let body = json!({"email": EMAIL, "verification_code": service.code(1).await});
    assert_eq!(service.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    service.client().log_in(EMAIL, TYPED_IN_VAIN).await.assert_error(401, "invalid_credentials");
    service.client().log_in(&format!("{TYPED_IN_VAIN}@example.com"), FIRST).await.assert_status(401);
    let in_vain = json!({ "password": TYPED_IN_VAIN });
    service.bearer(&first).post("/users/reauthenticate", in_vain).await.assert_status(403);
    let again = service.bearer(&first).post("/users/reauthenticate", json!({ "password": FIRST })).await;
    let second = service.session(&again);
    let body = json!({"current_password": FIRST, "new_password": SECOND});
    let changed = service.bearer(&second).post("/users/password", body).await;
    let third = service.session(&changed);
    service.client().post("/users/password-reset", json!({ "email": EMAIL })).await.assert_status(202);
    let body = json!({"email": EMAIL, "code": service.code(2).await, "new_password": FIRST});
    assert!(service.client().post("/users/password-reset/confirm", body).await.status.is_success());
    service.bearer(&third).get("/users/profile").await.assert_error(401, "session_revoked");

    let legacy = legacy_token(&service.server, "both1", json!({})).await;
    service.secrets.insert(legacy.clone());
    assert_eq!(service.bearer(&legacy).get("/users/profile").await.status, StatusCode::OK);
    let exchanged = service.bearer(&legacy).post_nothing("/auth/exchange").await;
    service.session(&exchanged);
    service.bearer(&legacy).post_nothing("/auth/exchange").await.assert_status(401);
    // Where none belongs.
    service.client().get(&format!("/users/{first}?token={legacy}")).await.assert_status(404);
    service.client().post_bytes("/users/login", format!("{{\"password\": \"{FIRST}\"")).await.assert_status(400);

    let login = service.client().log_in(EMAIL, FIRST).await;
    let session = service.session(&login);
    let switched = service.bearer(&session).post_nothing("/users/switch-role").await;
    assert!(!switched.status.is_server_error(), "{switched:?}");
    let login = service.client().log_in(EMAIL, FIRST).await;
    let session = service.session(&login);
    service.assert_silent(&public_id(&session), &session).await;
}

async fn tokens_leave_nothing_that_opens_anything(deployment: Deployment) {
    let mut service = Observed::start(by_tokens(deployment).await).await;
    let registered = service.client().post("/users/register", with(registration("ann_lee"), "password", FIRST)).await;
    service.tokens(&registered);
    let body = json!({"email": EMAIL, "verification_code": service.code(1).await});
    assert_eq!(service.client().post("/users/email-verification/verify", body).await.status, StatusCode::OK);
    let login = service.client().log_in(EMAIL, FIRST).await;
    let mut tokens = service.tokens(&login);
    let spent = tokens.refresh.clone();
    for _ in 0..2 {
        let refreshed = service.client().post("/auth/refresh", json!({ "refresh_token": tokens.refresh })).await;
        tokens = service.tokens(&refreshed);
    }
    assert_eq!(service.bearer(&tokens.access).get("/users/profile").await.status, StatusCode::OK);
    let odd = json!({ "refresh_token": format!("{spent}x") });
    service.client().post("/auth/refresh", odd).await.assert_status(401);
    service.bearer(&format!("{}x", tokens.access)).get("/users/profile").await.assert_status(401);
    let key = std::fs::read_to_string(service.server.setup.folder().join("jwt.pem")).unwrap();
    service.secrets.extend(key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));

    let sessions = service.bearer(&tokens.access).get("/users/sessions").await.json();
    let id = sessions["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{sessions}"));
    service.assert_silent(id, &tokens.refresh).await;
}

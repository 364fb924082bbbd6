//! A server of its own for each test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream;
use markt_auth::application::Application;
use markt_domain::session::SessionSecret;
use markt_test_support::clock::MovableClock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::setup::Setup;
use crate::shapes::registration;

/// The password of the demo accounts, and of those that tests register.
pub const PASSWORD: &str = "Password123";

/// An origin that may use the service in development.
pub const FRONT_END: &str = "http://localhost:3000";

/// Much longer than a server may answer from memory without having been told that nothing changed.
const SOON: Duration = Duration::from_secs(5);

/// Where a server keeps its users and sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// All in SQLite.
    Embedded,
    /// Users in PostgreSQL, sessions in Redis.
    Full,
}

/// Makes a test of each function for each deployment.
#[macro_export]
macro_rules! on_both_deployments {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::server::Deployment::Embedded).await;
            })+
        }
        mod full {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::server::Deployment::Full).await;
            })+
        }
    };
}

/// A server on free ports, with a database of its own, whose time the test moves.
pub struct Server {
    pub setup: Setup,
    pub url: String,
    pub admin_url: String,
    stop: oneshot::Sender<()>,
    running: Running,
}

/// Ends with its owner.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    /// A server with the defaults, but that hashes are cheap.
    pub async fn start(deployment: Deployment) -> Self {
        Setup::of(deployment).await.start().await
    }

    pub fn run(setup: Setup, application: Application) -> Self {
        let url = format!("http://{}", application.address().unwrap());
        let admin_url = format!("http://{}", application.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = Running(tokio::spawn(async move {
            application.run(stream::once(async { drop(stopped.await) })).await;
        }));
        Self { setup, url, admin_url, stop, running }
    }

    /// Ends the server as SIGTERM would, and waits for it.
    pub async fn stop(self) -> Setup {
        let Self { setup, stop, mut running, .. } = self;
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), &mut running.0).await.unwrap().unwrap();
        setup
    }

    /// Another server over the same stores, with the same clock.
    pub async fn twin(&self) -> Self {
        self.setup.clone().start().await
    }

    pub fn clock(&self) -> &Arc<MovableClock> {
        &self.setup.clock
    }

    /// The newest code that was mailed to this address; waits until there are as many mails to it as `count` says.
    pub async fn mailed_code(&self, email: &str, count: usize) -> String {
        for _ in 0..400 {
            let mails = self.setup.mails_to(email);
            if mails.len() >= count {
                return code_in(mails.last().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("there are no {count} mails to {email}");
    }

    /// A client without anything a browser sends, that keeps cookies.
    pub fn client(&self) -> Client {
        Client::of(self, true)
    }

    /// A client that keeps no cookies.
    pub fn without_cookies(&self) -> Client {
        Client::of(self, false)
    }

    /// A browser that shows a page of an allowed front end.
    pub fn browser(&self) -> Client {
        self.client().with_header("origin", FRONT_END)
    }

    /// A client that sends this secret as its cookie, and keeps no other.
    pub fn with_cookie(&self, secret: &str) -> Client {
        self.without_cookies().with_header("cookie", format!("markt_session={secret}"))
    }

    /// A client that sends this secret as an app does.
    pub fn with_bearer(&self, secret: &str) -> Client {
        self.without_cookies().with_header("authorization", format!("Bearer {secret}"))
    }

    /// A client that is logged in by its cookie.
    pub async fn logged_in(&self, email: &str) -> Client {
        let client = self.client();
        let answer = client.log_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        client
    }

    /// The secret of a new session.
    pub async fn secret_of(&self, email: &str) -> String {
        self.secret_with(json!({"email": email, "password": PASSWORD})).await
    }

    /// The secret of a new session, by a login with this body.
    pub async fn secret_with(&self, login: Value) -> String {
        let answer = self.without_cookies().post("/users/login", login).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.session_cookie().value
    }

    /// The secret of a new session that is kept in a cookie, as by a browser.
    pub async fn secret_in_cookie(&self, email: &str) -> String {
        let answer = self.without_cookies().with_header("x-session-transport", "cookie").log_in(email, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.session_cookie().value
    }

    /// The session that this secret opens, as its client sees it; looking at it doesn't use it.
    pub async fn session_of(&self, secret: &str) -> Value {
        let answer = self.with_cookie(secret).get("/session?touch=false").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// Registers a buyer of this name, not verified yet; returns the secret of the session.
    pub async fn register(&self, name: &str) -> String {
        let answer = self.without_cookies().post("/users/register", registration(name)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.session_cookie().value
    }

    /// Makes sure that this secret opens this user's session.
    pub async fn assert_alive(&self, secret: &str, username: &str) {
        let answer = self.with_cookie(secret).get("/users/profile").await;
        assert_eq!(answer.json()["username"], username, "{answer:?}");
    }

    /// Makes sure that the session of this secret was ended, and that its client is told so.
    pub async fn assert_dead(&self, secret: &str) {
        self.with_cookie(secret).get("/users/profile").await.assert_error(401, "session_revoked");
    }

    /// Makes sure that this server soon knows that the session of this secret was ended, by another process or past the
    /// service: until it has been told, it may answer from memory.
    pub async fn assert_dead_soon(&self, secret: &str) {
        self.until_not_let_in(secret).await;
        self.assert_dead(secret).await;
    }

    /// Waits until this server doesn't let this secret in any more.
    pub async fn until_not_let_in(&self, secret: &str) {
        let deadline = Instant::now() + SOON;
        while self.with_cookie(secret).get("/users/profile").await.status == StatusCode::OK {
            assert!(Instant::now() < deadline, "still let in");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes sure that the session of this secret ran out, and that its client is told so.
    pub async fn assert_expired(&self, secret: &str) {
        self.with_cookie(secret).get("/users/profile").await.assert_error(401, "session_expired");
    }

    /// Makes sure that this secret opens nothing, and that nothing is known of why.
    pub async fn assert_unknown(&self, secret: &str) {
        self.with_cookie(secret).get("/users/profile").await.assert_error(401, "not_authenticated");
    }
}

/// The public id of the session that this secret was handed out for.
pub fn public_id(secret: &str) -> String {
    SessionSecret::parse(secret).unwrap().id().to_string()
}

/// The code that stands in a mail.
pub fn code_in(mail: &str) -> String {
    let digits = mail.split(|c: char| !c.is_ascii_digit()).rfind(|part| part.len() == 6);
    digits.unwrap_or_else(|| panic!("there is no code in {mail}")).to_owned()
}

/// Another code, `step` further.
pub fn wrong_code(code: &str, step: u32) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + step) % 1_000_000)
}

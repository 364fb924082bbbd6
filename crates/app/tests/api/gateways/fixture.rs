//! A service, a backend that knows nobody, and a gateway in front of both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse as _;
use http::header::{HeaderMap, SET_COOKIE};
use http::{Method, StatusCode, Uri};
use markt_test_support::gateway::Gateway;
use markt_test_support::programs::free_port;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::answer::Answer;
use crate::client::Client;
use crate::server::{FRONT_END, PASSWORD, Server};
use crate::setup::Setup;

/// The addresses in the guide's files.
const SERVICE: &str = "10.0.0.11:8000";
const BACKEND: &str = "10.0.0.21:8080";

/// Much more than any of them needs to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What has to be around the guide's file, which is for a folder of files for many sites.
const NGINX: &str = "\
user root;
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include markt.conf;
}
";

const TRAEFIK: &str = "\
global: { checkNewVersion: false, sendAnonymousUsage: false }
entryPoints: { web: { address: '127.0.0.1:PORT' } }
providers: { file: { filename: dynamic.yml } }
";

/// What sessions here are bound to. Traefik would put in one of its own where there is none.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

/// A gateway in front of a backend, and of the service that it asks.
pub struct Guarded {
    _gateway: Gateway,
    backend: JoinHandle<()>,
    pub url: String,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.backend.abort();
    }
}

/// A service whose gateway may say whom a request is from.
pub async fn behind_gateway(setup: Setup) -> Server {
    setup.with("MARKT_HTTP__TRUSTED_PROXIES", "127.0.0.0/8").start().await
}

/// The secret of a new session of this user's, whose id is returned, too.
pub async fn log_in(server: &Server, name: &str) -> (String, String) {
    let client = server.without_cookies().with_header("user-agent", BROWSER);
    let login =
        client.with_header("x-session-transport", "cookie").log_in(&format!("{name}@markt.com"), PASSWORD).await;
    (login.session_cookie().value, login.json()["id"].as_str().unwrap().to_owned())
}

impl Guarded {
    /// By this gateway; it asks the service at this URL.
    pub async fn by(kind: Kind, service: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let backend = tokio::spawn(async { axum::serve(listener, Router::new().fallback(echo)).await.unwrap() });
        let service = service.strip_prefix("http://").unwrap();
        let gateway = start(kind, service, &address).await;
        let url = gateway.url();
        let guarded = Self { _gateway: gateway, backend, url };
        guarded.wait().await;
        guarded
    }

    /// Waits until it guards: Traefik listens before it has read what it is to do.
    async fn wait(&self) {
        let started = Instant::now();
        while Answer::of(self.without_cookies().request_at_root(Method::GET, "/")).await.status
            != StatusCode::UNAUTHORIZED
        {
            assert!(started.elapsed() < PATIENCE, "the gateway doesn't guard");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A client that sends this secret as its cookie, among others.
    pub fn with_cookie(&self, secret: &str) -> Client {
        let cookies = format!("theme=dark; markt_session={secret}; language=en");
        self.without_cookies().with_header("cookie", cookies)
    }

    pub fn without_cookies(&self) -> Client {
        Client::to(&self.url, false).with_header("user-agent", BROWSER)
    }

    /// A client that keeps its cookies.
    pub fn browser(&self) -> Client {
        Client::to(&self.url, true).with_header("user-agent", BROWSER).with_header("x-session-transport", "cookie")
    }
}

/// Says what it was sent. One path fails, by itself.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl axum::response::IntoResponse {
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &headers {
        said.entry(name.to_string()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let code = match uri.path() {
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR,
        "/closed" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::OK,
    };
    let heard = json!({"method": method.as_str(), "uri": uri.to_string(), "headers": said,
        "body": String::from_utf8_lossy(&body)});
    (code, [(SET_COOKIE, "basket=7")], axum::Json::<Value>(heard)).into_response()
}

/// A file of the guide.
macro_rules! guide {
    ($name:literal) => {
        include_str!(concat!("../../../../../docs/guides/forward-auth/", $name))
    };
}

/// The guide's file with other addresses, each of which has to be in it.
fn adapt(file: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(file.to_owned(), |file, (theirs, ours)| {
        assert!(file.contains(theirs), "{theirs}");
        file.replace(theirs, ours)
    })
}

/// How Envoy writes an address.
fn socket(address: &str) -> String {
    let (host, port) = address.split_once(':').unwrap();
    format!("{{ address: {host}, port_value: {port} }}")
}

async fn start(kind: Kind, service: &str, backend: &str) -> Gateway {
    let addresses = [(SERVICE, service), (BACKEND, backend)];
    match kind {
        Kind::Nginx => Gateway::start("nginx", |folder, port| nginx(&addresses, folder, port)).await,
        Kind::Caddy => Gateway::start("caddy", |folder, port| caddy(&addresses, folder, port)).await,
        Kind::Traefik => Gateway::start("traefik", |_, port| traefik(&addresses, port)).await,
        Kind::Envoy => Gateway::start("envoy", |_, port| envoy(service, backend, port)).await,
    }
}

type Prepared = (Vec<(&'static str, String)>, Vec<OsString>);

fn arguments(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn nginx(addresses: &[(&str, &str)], folder: &Path, port: u16) -> Prepared {
    let listen = format!("listen 127.0.0.1:{port}");
    let changes = [
        addresses,
        &[("listen 0.0.0.0:80", &listen), ("https://app.example.com", FRONT_END), ("timeout 12s", "timeout 3s")],
    ];
    let files = vec![("nginx.conf", NGINX.to_owned()), ("markt.conf", adapt(guide!("nginx.conf"), &changes.concat()))];
    (files, arguments(&["-p", &folder.display().to_string(), "-e", "stderr", "-c", "nginx.conf"]))
}

fn caddy(addresses: &[(&str, &str)], folder: &Path, port: u16) -> Prepared {
    let site = format!("{{\n\tadmin off\n\tstorage file_system {}\n}}\nhttp://:{port} {{", folder.display());
    let changes = [addresses, &[("http://:80 {", &site), ("timeout 12s", "timeout 3s")]];
    let files = vec![("Caddyfile", adapt(guide!("Caddyfile"), &changes.concat()))];
    (files, arguments(&["run", "--adapter", "caddyfile", "--config", "Caddyfile"]))
}

fn traefik(addresses: &[(&str, &str)], port: u16) -> Prepared {
    let files = vec![
        ("traefik.yml", TRAEFIK.replace("PORT", &port.to_string())),
        ("dynamic.yml", adapt(guide!("traefik.yml"), addresses)),
    ];
    (files, arguments(&["--configFile=traefik.yml"]))
}

fn envoy(service: &str, backend: &str, port: u16) -> Prepared {
    let own = socket(&format!("127.0.0.1:{}", free_port().unwrap()));
    let changes = [
        ("{ address: 0.0.0.0, port_value: 80 }", socket(&format!("127.0.0.1:{port}"))),
        ("{ address: 127.0.0.1, port_value: 8081 }", own),
        ("{ address: 10.0.0.11, port_value: 8000 }", socket(service)),
        ("{ address: 10.0.0.21, port_value: 8080 }", socket(backend)),
        ("timeout: 12s", "timeout: 3s".to_owned()),
    ];
    let changes = changes.iter().map(|(theirs, ours)| (*theirs, ours.as_str())).collect::<Vec<_>>();
    let files = vec![("envoy.yaml", adapt(guide!("envoy.yaml"), &changes))];
    (files, arguments(&["-c", "envoy.yaml", "--log-level", "warning", "--use-dynamic-base-id"]))
}

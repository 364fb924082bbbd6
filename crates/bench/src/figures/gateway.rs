//! Forward authentication: what it costs nginx to ask the service about each request, by the very file that the guide gives.
//!
//! The same nginx passes requests on to the same backend, once with the question and once without it.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::profile::{Lane, Turn, Turns, take_turn};
use crate::cli::Error;
use crate::database::Database;
use crate::http::Credential;
use crate::process::{Process, free_port};
use crate::redis::{Redis, on_path};
use crate::service::{Server, variables};
use crate::statistics::median;
use crate::table::Figure;
use crate::wrk::{Clients, Wrk};

/// The guide's file.
const SITE: &str = include_str!("../../../../docs/guides/forward-auth/nginx.conf");

/// What of it stands for what is different everywhere.
const LISTEN: &str = "listen 0.0.0.0:80";
const SERVICE: &str = "server 10.0.0.11:8000";
const BACKEND: &str = "server 10.0.0.21:8080";

/// What has it ask.
const QUESTION: &str = "auth_request /_verify;";

/// Where the backend is asked for something: anywhere but where the service itself is.
const PATH: &str = "/orders";

/// Around the guide's file. There is one process, whose CPU time can be told, and which ends when it is to.
const MAIN: &str = "\
user root;
daemon off;
master_process off;
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
    include site.conf;
}
";

/// An nginx that asks a service, and that service.
struct Guarded {
    nginx: Server,
    service: Server,
    turns: Turns,
    /// What each question costs the service.
    service_microseconds: Vec<f64>,
}

impl Guarded {
    async fn start(
        near_cache: &str,
        folder: &Path,
        stores: (&Database, &Redis),
        backend: &Server,
        clients: &Credential,
    ) -> Result<Self, Error> {
        let more = [
            ("MARKT_HTTP__TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
            ("MARKT_SESSION__NEAR_CACHE__ENABLED", (near_cache == "on").to_string()),
        ];
        let variables = variables(folder, stores.0.url(), stores.1.url(), &more);
        let service = Server::start(&format!("asked by nginx, near cache {near_cache}"), folder, &variables).await?;
        let name = format!("nginx, near cache {near_cache}");
        let nginx = nginx(&name, folder, &site(service.address, backend.address)?).await?;
        let mut connection = nginx.connect().await?;
        connection.get(PATH, &Credential::Cookie("theme=dark".into())).await?.expect(StatusCode::UNAUTHORIZED)?;
        connection.get(PATH, clients).await?.expect(StatusCode::OK)?;
        Ok(Self { nginx, service, turns: Turns(Vec::new()), service_microseconds: Vec::new() })
    }

    async fn take_turn(&mut self, wrk: &Wrk, clients: &Clients) -> Result<(Turn, f64), Error> {
        let before = self.service.process.cpu_time()?;
        let turn = take_turn(wrk, &mut Lane { server: &mut self.nginx, clients: clients.clone() }).await?;
        let used: Duration = self.service.process.cpu_time()? - before;
        Ok((turn, used.as_secs_f64() * 1e6 / turn.requests))
    }

    fn figures(&self, near_cache: &str, unguarded: &Turns) -> [Figure; 3] {
        let name = format!("nginx that asks, near cache {near_cache}, against nginx that doesn't");
        [
            self.turns.throughput(unguarded, &name, None),
            self.turns.cpu_time(unguarded, &name, None),
            Figure {
                name: format!("the service asked by nginx, near cache {near_cache}: CPU/request, µs"),
                value: median(&self.service_microseconds),
                details: String::new(),
                bar: None,
            },
        ]
    }
}

/// nginx that asks the service about each request, against nginx that doesn't.
pub(crate) async fn against_none(
    wrk: &Wrk,
    folder: &Path,
    stores: (&Database, &Redis),
    answer: &Path,
    credential: &Credential,
    rounds: usize,
) -> Result<Vec<Figure>, Error> {
    let backend = Server::reference("backend", folder, answer, &["backend"]).await?;
    let mut on = Guarded::start("on", folder, stores, &backend, credential).await?;
    let mut off = Guarded::start("off", folder, stores, &backend, credential).await?;
    let without = replaced(&site(on.service.address, backend.address)?, QUESTION, "")?;
    let mut without = nginx("nginx that doesn't ask", folder, &without).await?;
    let clients = Clients::One(credential.line());
    let mut unguarded = Turns(Vec::new());
    for round in 0..=rounds {
        let turn = take_turn(wrk, &mut Lane { server: &mut without, clients: clients.clone() }).await?;
        let mut asking = Vec::new();
        for guarded in [&mut on, &mut off] {
            asking.push(guarded.take_turn(wrk, &clients).await?);
        }
        // The first one doesn't count.
        if round > 0 {
            unguarded.0.push(turn);
            for (guarded, (turn, microseconds)) in [&mut on, &mut off].into_iter().zip(asking) {
                guarded.turns.0.push(turn);
                guarded.service_microseconds.push(microseconds);
            }
        }
    }
    Ok([on.figures("on", &unguarded), off.figures("off", &unguarded)].into_iter().flatten().collect())
}

/// The guide's file for this service and this backend.
fn site(service: SocketAddr, backend: SocketAddr) -> Result<String, Error> {
    let site = replaced(SITE, SERVICE, &format!("server {service}"))?;
    replaced(&site, BACKEND, &format!("server {backend}"))
}

fn replaced(site: &str, from: &str, to: &str) -> Result<String, Error> {
    if !site.contains(from) {
        return Err(format!("the guide's nginx.conf doesn't say `{from}`").into());
    }
    Ok(site.replace(from, to))
}

async fn nginx(name: &str, folder: &Path, site: &str) -> Result<Server, Error> {
    let program = on_path("nginx").ok_or("nginx is not on PATH: install it")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let own = folder.join(name);
    std::fs::create_dir(&own)?;
    std::fs::write(own.join("nginx.conf"), MAIN)?;
    std::fs::write(own.join("site.conf"), replaced(site, LISTEN, &format!("listen {address}"))?)?;
    let arguments =
        [OsStr::new("-p"), own.as_os_str(), "-e".as_ref(), "stderr".as_ref(), "-c".as_ref(), "nginx.conf".as_ref()];
    let mut process = Process::start(name, folder, program.as_os_str(), &arguments, &[])?;
    process.listening(address.port()).await?;
    Ok(Server { process, address, path: PATH, event: Value::Null })
}

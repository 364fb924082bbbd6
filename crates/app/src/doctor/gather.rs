//! Asks the machine, the stores and the running service what they are like: all at once, each in bounded time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::facts::{Facts, ReadableFile, ServiceFacts};
use crate::config::values::{AuthMode, MailTransport};
use crate::config::{Config, ConfigErrors};
use crate::wiring::{Surroundings, examination};

/// How long something that listens may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer of the admin listener that is read, in bytes.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// The counter of requests that came with a client's address from who isn't trusted.
const UNTRUSTED_FORWARDS: &str = "markt_http_untrusted_forwarded_requests_total";

type Answer<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What there is to be known. Where a key couldn't be read, nobody is asked what it names.
pub async fn gather(config: &Config, errors: &ConfigErrors, surroundings: &Surroundings) -> Facts {
    let is_known = |key: &str| !errors.0.iter().any(|error| error.key == key);
    let redis = async {
        let url = config.redis_url.as_ref().filter(|_| is_known("redis_url"))?;
        Some(examination::redis(url, config, surroundings).await)
    };
    let database = async {
        if is_known("database_url") {
            Some(examination::database(&config.database_url, surroundings).await)
        } else {
            None
        }
    };
    let by_server = config.mail.transport == MailTransport::Smtp && is_known("mail.transport");
    let mail_server = async {
        let url = config.mail.smtp_url.as_ref().filter(|_| by_server && is_known("mail.smtp_url"))?;
        Some(examination::mail_server(url).await)
    };
    let service = async { if is_known("admin_bind") { Some(ask_service(config.admin_bind).await) } else { None } };
    let traces = async { Some(ask_collector(config.telemetry.otlp_endpoint.as_ref()?).await) };
    let (redis, database, mail_server, service, traces) = tokio::join!(redis, database, mail_server, service, traces);
    let absent = database.as_ref().and_then(|database| database.as_ref().ok()?.absent.as_deref());
    let by_folder = config.mail.transport == MailTransport::File && is_known("mail.transport") && is_known("mail.dir");
    Facts {
        cores: std::thread::available_parallelism().map_or(0, |cores| cores.get().try_into().unwrap_or(u32::MAX)),
        database_folder: absent.map(|file| can_be_written(file.parent().unwrap_or(Path::new("")))),
        mail_folder: by_folder.then(|| can_be_written(&config.mail.dir)),
        // A missing key is told by the configuration's own checks.
        signing: if is_known("jwt.private_key_file") && is_known("jwt.secret") && is_known("auth.mode") {
            examination::signing(config, surroundings)
        } else {
            None
        },
        readable_files: readable_files(config),
        redis,
        database,
        mail_server,
        service,
        traces,
    }
}

/// Whether files can be made in a folder, which may have to be made first. What is made for that has no name, and is
/// gone at once.
fn can_be_written(folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(there).map(drop).map_err(|error| error.to_string())
}

/// The files with a secret in them that others than their owner and its group can read.
fn readable_files(config: &Config) -> Vec<ReadableFile> {
    const SECRETS: [&str; 5] = ["jwt.secret", "jwt.legacy.secret", "database_url", "redis_url", "mail.smtp_url"];
    let keys = [
        ("jwt.private_key_file", &config.jwt.own.private_key_file),
        ("jwt.legacy.private_key_file", &config.jwt.legacy.private_key_file),
    ];
    let with_tokens = config.auth.mode != AuthMode::Session;
    let keys = keys.into_iter().filter(|_| with_tokens).filter_map(|(key, path)| Some((key, path.clone()?)));
    let in_file = SECRETS.into_iter().filter_map(|key| {
        let shown = config.shown.iter().find(|shown| shown.key == key && shown.value.contains("***"))?;
        Some((key, Path::new(&shown.origin).to_owned()))
    });
    // A variable's name is hardly ever that of a file.
    let mut files: Vec<_> = keys
        .chain(in_file)
        .filter_map(|(key, path)| {
            let mode = mode(&path).filter(|mode| mode & 0o007 != 0)?;
            Some(ReadableFile { key, path, mode })
        })
        .collect();
    // Of several secrets in one file, one is enough.
    files.dedup_by(|one, other| one.path == other.path);
    files
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_file().then(|| metadata.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

/// What the admin listener of a running service says.
async fn ask_service(admin: SocketAddr) -> Result<ServiceFacts, String> {
    let asked = async {
        let (status, ready) = get(admin, "/health/ready").await?;
        let unavailable = (status != StatusCode::OK).then(|| unavailable(&ready));
        // One that has no metrics has no proxies to tell of.
        let metrics = get(admin, "/metrics").await.map(|(_, text)| text).unwrap_or_default();
        Ok(ServiceFacts { unavailable, untrusted_forwards: counted(&metrics, UNTRUSTED_FORWARDS) })
    };
    let answer: Answer<ServiceFacts> = timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err("no answer".into()));
    answer.map_err(|error| error.to_string())
}

/// What isn't there that the service needs.
fn unavailable(ready: &str) -> Vec<String> {
    let ready: Value = serde_json::from_str(ready).unwrap_or_default();
    let checks = ready["checks"].as_object().into_iter().flatten();
    checks.filter(|(_, status)| *status != "ok").map(|(name, _)| name.clone()).collect()
}

/// A counter's value, over all of its labels.
fn counted(metrics: &str, name: &str) -> Option<f64> {
    let values: Vec<f64> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{'])))
        .filter_map(|rest| rest.rsplit_once('}').map_or(rest, |(_, rest)| rest).split_whitespace().next()?.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// The status and the body that are answered with. Who listens on all addresses listens on this machine's own.
async fn get(address: SocketAddr, path: &str) -> Answer<(StatusCode, String)> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let stream = TcpStream::connect((ip, address.port())).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header(http::header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await?.to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Whether something listens at this URL.
async fn ask_collector(endpoint: &str) -> Result<(), String> {
    let url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    let host = url.host_str().ok_or("it names no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(4317);
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read_whether_it_has_labels_or_not() {
        let name = UNTRUSTED_FORWARDS;
        assert_eq!(counted(&format!("# TYPE {name} counter\n{name} 3\n"), name), Some(3.0));
        let labels = format!("{name}{{header=\"forwarded\"}} 2\n{name}{{header=\"x\"}} 5 1700000000\n");
        assert_eq!(counted(&labels, name), Some(7.0));
        assert_eq!(counted(&format!("{name}_else 3\n"), name), None);
    }

    #[test]
    fn what_a_service_lacks_is_read_from_its_readiness() {
        let ready = r#"{"status":"unavailable","checks":{"database":"ok","redis":"unavailable"}}"#;
        assert_eq!(unavailable(ready), ["redis"]);
        assert!(unavailable("no JSON").is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_can_be_written_if_the_one_above_can() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(can_be_written(&folder.path().join("a/b")), Ok(()));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(can_be_written(&folder.path().join("file/a")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! What is particular to Redis.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use markt_test_support::programs::on_path;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::Error;
use crate::local::Program;

const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Whether a server answers at this URL, and accepts the URL's password.
pub(crate) async fn ping(url: &str) -> Result<(), Error> {
    ask(url, &["PING"]).await.map(drop)
}

/// The folder that the server at this URL works in.
pub(crate) async fn folder(url: &str) -> Result<String, Error> {
    ask(url, &["CONFIG", "GET", "dir"]).await
}

/// Sends one command, after the password if the URL has one, and returns the last line of the answer.
async fn ask(url: &str, command: &[&str]) -> Result<String, Error> {
    let parsed = Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
    if parsed.scheme() != "redis" {
        return Err(format!("{url:?} doesn't begin with redis://").into());
    }
    let address = markt_test_support::stores::server_address(url);
    let answer = timeout(TIME_LIMIT, async {
        let mut connection = BufReader::new(TcpStream::connect(&address).await?);
        if let Some(password) = parsed.password() {
            let user = if parsed.username().is_empty() { "default" } else { parsed.username() };
            exchange(&mut connection, &["AUTH", user, password]).await?;
        }
        exchange(&mut connection, command).await
    });
    match answer.await {
        Ok(answer) => answer.map_err(|error| format!("{address}: {error}").into()),
        Err(_) => Err(format!("{address} didn't answer within {TIME_LIMIT:?}").into()),
    }
}

async fn exchange(connection: &mut BufReader<TcpStream>, command: &[&str]) -> Result<String, Error> {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    connection.write_all(request.as_bytes()).await?;
    let first = line(connection).await?;
    if let Some(error) = first.strip_prefix('-') {
        return Err(error.into());
    }
    let Some(length) = first.strip_prefix('*') else { return Ok(first) };
    let mut last = String::new();
    for _ in 0..length.parse::<usize>()? {
        last = bulk(connection).await?;
    }
    Ok(last)
}

async fn bulk(connection: &mut BufReader<TcpStream>) -> Result<String, Error> {
    let header = line(connection).await?;
    let length: usize = header.strip_prefix('$').ok_or("it doesn't speak Redis's protocol")?.parse()?;
    let mut text = vec![0; length + "\r\n".len()];
    connection.read_exact(&mut text).await?;
    text.truncate(length);
    Ok(String::from_utf8(text)?)
}

async fn line(connection: &mut BufReader<TcpStream>) -> Result<String, Error> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Err("it closed the connection".into());
    }
    Ok(line.trim_end().to_owned())
}

/// The server's program on this machine.
pub(crate) fn program() -> Option<Program> {
    Program::new(on_path("redis-server")?)
}

/// Runs it in this folder on this port: for this machine only, and in memory only.
pub(crate) fn server(program: &Path, folder: &Path, port: u16) -> Vec<OsString> {
    let port = port.to_string();
    let options = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"];
    let words = options.into_iter().map(OsString::from);
    std::iter::once(program.into()).chain(words).chain([folder.into()]).collect()
}

/// Where that server is.
pub(crate) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

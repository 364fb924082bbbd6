//! Requests that no HTTP client would send, byte by byte.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(20);

/// Sends these bytes, keeps its end open, and reads the first answer; nothing if the server closes without one.
pub async fn exchange(server: &Server, request: &[u8]) -> Option<Answer> {
    exchange_at(&server.url, request).await
}

/// The same, with the server at this URL.
pub async fn exchange_at(url: &str, request: &[u8]) -> Option<Answer> {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has read enough may answer and close before all is sent.
    let _sent = stream.write_all(request).await;
    timeout(PATIENCE, read(&mut stream)).await.unwrap_or_else(|_| {
        panic!("no answer to {}", String::from_utf8_lossy(&request[..request.len().min(2000)]));
    })
}

/// A request with these lines as its head, and a body.
pub fn request(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = lines.join("\r\n").into_bytes();
    bytes.extend(b"\r\n\r\n");
    bytes.extend(body);
    bytes
}

async fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes, false) {
            return Some(answer);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return parse(&bytes, true),
            Ok(_) => {}
        }
    }
}

/// The first answer in these bytes, if it is whole; without a length it is once nothing more comes.
pub fn parse(bytes: &[u8], closed: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    if head.starts_with("HTTP/1.1 100 ") {
        return parse(&bytes[end + 4..], closed);
    }
    let mut lines = head.split("\r\n");
    let status: StatusCode = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let body = &bytes[end + 4..];
    let length: Option<usize> = match headers.get("content-length") {
        Some(length) => Some(length.to_str().unwrap().parse().unwrap()),
        // RFC 9112, section 6.3: it has no body.
        None => (status == StatusCode::NO_CONTENT).then_some(0),
    };
    (closed || length.is_some_and(|length| body.len() >= length)).then(|| Answer {
        status,
        headers,
        text: String::from_utf8_lossy(body).into_owned(),
    })
}

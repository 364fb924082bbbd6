//! Commands to Redis, past the service.

use std::time::Duration;

use markt_test_support::stores::server_address;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What this Redis answers to a command: a text as it is, the items of an array one a line.
pub async fn redis(url: &str, command: &[&str]) -> String {
    let mut stream = TcpStream::connect(server_address(url)).await.unwrap();
    let words: String = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    // What follows tells that the answer before it is whole.
    let request = format!("*{}\r\n{words}*2\r\n$4\r\nECHO\r\n$8\r\nthis-end\r\n", command.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(b"$8\r\nthis-end\r\n") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "Redis closed the connection");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    assert!(!text.starts_with('-'), "{text}");
    let text = text.strip_suffix("$8\r\nthis-end\r\n").unwrap();
    let lines = text.split("\r\n").filter(|line| !line.starts_with(['$', '*']));
    lines
        .map(|line| line.strip_prefix(':').unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

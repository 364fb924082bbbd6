//! Commands to Redis, past whatever is tested.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server_address;

/// Longer than any command takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than a server that isn't frozen takes to say what it knows.
pub(super) const A_MOMENT: Duration = Duration::from_millis(500);

/// What this Redis answers to a command: a text as it is, the items of an array one a line.
///
/// # Panics
///
/// If Redis can't be reached, or answers with an error.
pub async fn redis_command(url: &str, command: &[&str]) -> String {
    try_redis_command(url, command).await.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The same, or why there is no such answer.
///
/// # Errors
///
/// If Redis can't be reached, or answers with an error.
pub async fn try_redis_command(url: &str, command: &[&str]) -> Result<String, String> {
    tokio::time::timeout(PATIENCE, exchange(url, command)).await.map_err(|elapsed| elapsed.to_string())?
}

async fn exchange(url: &str, command: &[&str]) -> Result<String, String> {
    let mut stream = TcpStream::connect(server_address(url)).await.map_err(|error| error.to_string())?;
    let words: String = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    let request = format!("*{}\r\n{words}", command.len());
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    loop {
        let mut texts = Vec::new();
        if read(&answer, &mut texts).is_some() {
            return if answer.starts_with(b"-") { Err(texts.concat()) } else { Ok(texts.join("\n")) };
        }
        if stream.read_buf(&mut answer).await.map_err(|error| error.to_string())? == 0 {
            return Err("the connection was closed".to_owned());
        }
    }
}

/// Reads an answer in RESP2, collects the texts and numbers in it but for empty ones, and returns what is left after it;
/// nothing if it isn't whole yet.
fn read<'a>(answer: &'a [u8], texts: &mut Vec<String>) -> Option<&'a [u8]> {
    let end = answer.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, mut rest) = (str::from_utf8(&answer[..end]).unwrap(), &answer[end + 2..]);
    let length: i64 = line[1..].parse().unwrap_or_default();
    let mut push = |text: &str| texts.extend((!text.is_empty()).then(|| text.to_owned()));
    match line.as_bytes()[0] {
        b'$' if length >= 0 => {
            let length = usize::try_from(length).unwrap();
            let text = rest.get(..length)?;
            rest = rest.get(length + 2..)?;
            push(str::from_utf8(text).unwrap());
        }
        b'*' => {
            for _ in 0..length {
                rest = read(rest, texts)?;
            }
        }
        b'$' => {}
        _ => push(&line[1..]),
    }
    Some(rest)
}

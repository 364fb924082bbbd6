//! Relays that count what passes through them: bytes of HTTP, statements to PostgreSQL.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::cli::Error;

/// A port of our own, whose connections all go on to one server. It is closed when this value goes.
pub(super) struct Relay {
    address: SocketAddr,
    passed: Arc<Passed>,
    accepting: JoinHandle<()>,
}

/// How soon a client is accepted again after one couldn't be.
const RETRY: Duration = Duration::from_millis(10);

/// What has passed so far.
#[derive(Default)]
struct Passed {
    to_server: AtomicU64,
    to_client: AtomicU64,
    statements: AtomicU64,
}

/// The bytes of both ways.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    pub(super) to_server: u64,
    pub(super) to_client: u64,
}

impl Relay {
    /// A relay to this server: `address:port`.
    pub(super) async fn to(server: String) -> Result<Self, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let passed = Arc::new(Passed::default());
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&passed)));
        Ok(Self { address, passed, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn bytes(&self) -> Bytes {
        let Passed { to_server, to_client, .. } = &*self.passed;
        Bytes { to_server: to_server.load(Ordering::Relaxed), to_client: to_client.load(Ordering::Relaxed) }
    }

    /// The statements that clients had PostgreSQL execute.
    pub(super) fn statements(&self) -> u64 {
        self.passed.statements.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, passed: Arc<Passed>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(RETRY).await;
            continue;
        };
        // A client that can't be passed on sees its connection close, and says so.
        let Ok(server) = TcpStream::connect(&server).await else { continue };
        let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(pass_requests(from_client, to_server, Arc::clone(&passed)));
        tokio::spawn(pass_answers(from_server, to_client, Arc::clone(&passed)));
    }
}

async fn pass_requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passed: Arc<Passed>) {
    let (mut buffer, mut frontend) = (vec![0; 64 * 1024], Frontend::default());
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        passed.to_server.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        passed.statements.fetch_add(frontend.statements(&buffer[..length]), Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

async fn pass_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passed: Arc<Passed>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        passed.to_client.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

/// What a client of PostgreSQL sends, read for its statements (PostgreSQL's documentation, "Message Formats"). Of what
/// isn't that protocol, nonsense comes out, which nobody asks for.
#[derive(Default)]
struct Frontend {
    /// Whether the start-up message, the only one without a type, has passed.
    has_started: bool,
    /// A message's type and length, as far as they have come.
    header: Vec<u8>,
    /// What is still to come of a message's body.
    body: usize,
}

impl Frontend {
    /// The statements among these bytes: `Execute`, and `Query`, which is how `BEGIN` and `COMMIT` are sent.
    fn statements(&mut self, mut bytes: &[u8]) -> u64 {
        let mut statements = 0;
        while !bytes.is_empty() {
            let skipped = self.body.min(bytes.len());
            self.body -= skipped;
            bytes = &bytes[skipped..];
            let Some((&byte, rest)) = bytes.split_first() else { break };
            self.header.push(byte);
            bytes = rest;
            let length = if self.has_started { self.header.get(1..5) } else { self.header.get(..4) };
            let Some(length) = length.and_then(|length| <[u8; 4]>::try_from(length).ok()) else { continue };
            // The length counts itself.
            self.body = usize::try_from(u32::from_be_bytes(length)).unwrap_or(0).saturating_sub(4);
            if self.has_started && matches!(self.header[0], b'E' | b'Q') {
                statements += 1;
            }
            self.has_started = true;
            self.header.clear();
        }
        statements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short body").to_be_bytes();
        kind.into_iter().chain(length).chain(body.iter().copied()).collect()
    }

    #[test]
    fn statements_are_counted_however_the_bytes_are_cut() {
        let stream = [
            message(None, b"\0\x03\0\0user\0Q\0\0"),
            message(Some(b'Q'), b"BEGIN\0"),
            message(Some(b'P'), b"EEE SELECT\0"),
            message(Some(b'B'), b""),
            message(Some(b'E'), b"\0\0\0\0\0"),
            message(Some(b'S'), b""),
        ]
        .concat();

        for size in 1..stream.len() {
            let mut frontend = Frontend::default();
            let counted: u64 = stream.chunks(size).map(|bytes| frontend.statements(bytes)).sum();
            assert_eq!(counted, 2, "in pieces of {size}");
        }
    }
}

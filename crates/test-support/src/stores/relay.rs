//! A TCP relay in front of a server, to take the server away without touching it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Passes bytes between a free loopback port and a server, until it is told not to.
///
/// [`cut`](Self::cut) is a server that has died: connections close, and new ones are refused.
/// [`freeze`](Self::freeze) is one that hangs: connections open and stay open, and nothing comes back.
/// [`slow_down`](Self::slow_down) is one that takes its time.
///
/// Needs a Tokio runtime, and ends with it or with this value.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    upstream: Arc<str>,
    pace: watch::Sender<Pace>,
    listening: Mutex<Option<Listening>>,
}

impl Relay {
    /// Starts a relay to this `host:port`.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub async fn to(upstream: impl Into<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            upstream: upstream.into().into(),
            pace: watch::Sender::new(Pace::Free),
            listening: Mutex::new(None),
        };
        relay.listen(listener);
        relay
    }

    /// Where to connect instead of to the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones. Both hold when this returns.
    pub async fn cut(&self) {
        let listening = self.listening().take();
        if let Some(Listening { stop, task }) = listening {
            // Dropped is as good as sent: the task waits for either.
            drop(stop);
            task.await.unwrap();
        }
    }

    /// Accepts connections again after a [`cut`](Self::cut); those that were cut stay closed.
    ///
    /// # Panics
    ///
    /// If another program has taken the port since.
    pub async fn restore(&self) {
        if self.listening().is_none() {
            self.listen(TcpListener::bind(self.address).await.unwrap());
        }
    }

    /// Keeps connections open, old ones and new, but passes nothing in either direction.
    pub fn freeze(&self) {
        self.pace.send_replace(Pace::Frozen);
    }

    /// Holds bytes up for so long, in each direction, before it passes them.
    pub fn slow_down(&self, delay: Duration) {
        self.pace.send_replace(Pace::Slow(delay));
    }

    /// Passes bytes again at once, beginning with those that were held back.
    pub fn thaw(&self) {
        self.pace.send_replace(Pace::Free);
    }

    fn listen(&self, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(&self.upstream), self.pace.subscribe(), stopped));
        *self.listening() = Some(Listening { stop, task });
    }

    fn listening(&self) -> std::sync::MutexGuard<'_, Option<Listening>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    Free,
    Slow(Duration),
    Frozen,
}

#[derive(Debug)]
struct Listening {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn accept(
    listener: TcpListener,
    upstream: Arc<str>,
    pace: watch::Receiver<Pace>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Ok((client, _)) = listener.accept() => {
                connections.spawn(relay(client, Arc::clone(&upstream), pace.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn relay(client: TcpStream, upstream: Arc<str>, pace: watch::Receiver<Pace>) {
    // A server that refuses us is one that the client sees close.
    let Ok(server) = TcpStream::connect(&*upstream).await else { return };
    // Both ends set this on their own sockets; without it here, the relay would add 40 ms to small exchanges.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let _ = tokio::join!(copy(from_client, to_server, pace.clone()), copy(from_server, to_client, pace));
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut pace: watch::Receiver<Pace>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if hold_up(&mut pace).await.is_err() {
            // The relay was dropped meanwhile.
            return Ok(());
        }
        if length == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Waits for as long as bytes are to be held up, which may change meanwhile.
async fn hold_up(pace: &mut watch::Receiver<Pace>) -> Result<(), watch::error::RecvError> {
    loop {
        let now = *pace.borrow_and_update();
        match now {
            Pace::Free => return Ok(()),
            Pace::Slow(delay) => match timeout(delay, pace.changed()).await {
                Ok(changed) => changed?,
                Err(_) => return Ok(()),
            },
            Pace::Frozen => pace.changed().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Long enough for bytes to cross the loopback interface, many times over.
    const A_WHILE: Duration = Duration::from_millis(200);

    async fn echo_server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn assert_echoes(stream: &mut TcpStream) {
        stream.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"ping");
    }

    #[tokio::test]
    async fn passes_bytes_both_ways() {
        let relay = Relay::to(echo_server().await).await;

        assert_echoes(&mut TcpStream::connect(relay.address()).await.unwrap()).await;
    }

    #[tokio::test]
    async fn cut_closes_connections_and_refuses_new_ones_until_restored() {
        let relay = Relay::to(echo_server().await).await;
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        assert_echoes(&mut stream).await;

        relay.cut().await;

        let read = timeout(Duration::from_secs(5), stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
        let refused = TcpStream::connect(relay.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        relay.restore().await;

        assert_echoes(&mut TcpStream::connect(relay.address()).await.unwrap()).await;
    }

    #[tokio::test]
    async fn freeze_holds_bytes_back_until_thawed() {
        let relay = Relay::to(echo_server().await).await;
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        assert_echoes(&mut stream).await;

        relay.freeze();
        let mut late = TcpStream::connect(relay.address()).await.unwrap();
        for stream in [&mut stream, &mut late] {
            stream.write_all(b"held").await.unwrap();
            timeout(A_WHILE, stream.read(&mut [0; 4])).await.unwrap_err();
        }

        relay.thaw();
        for stream in [&mut stream, &mut late] {
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"held");
            assert_echoes(stream).await;
        }
    }

    #[tokio::test]
    async fn slowed_down_it_passes_bytes_late_and_thawed_at_once() {
        let relay = Relay::to(echo_server().await).await;
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();

        relay.slow_down(A_WHILE);
        let started = Instant::now();
        assert_echoes(&mut stream).await;
        assert!(started.elapsed() >= A_WHILE * 2, "{:?}", started.elapsed());

        relay.slow_down(Duration::from_secs(60));
        stream.write_all(b"held").await.unwrap();
        timeout(A_WHILE, stream.read(&mut [0; 4])).await.unwrap_err();
        relay.thaw();
        timeout(Duration::from_secs(5), stream.read_exact(&mut [0; 4])).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn cut_ends_frozen_connections_too() {
        let relay = Relay::to(echo_server().await).await;
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        assert_echoes(&mut stream).await;
        relay.freeze();

        timeout(Duration::from_secs(5), relay.cut()).await.unwrap();

        let read = timeout(Duration::from_secs(5), stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
}

//! HTTP on a listener: how many connections there may be, how long each may keep the service waiting, and how all of
//! them end.

mod activity;
mod capacity;
mod connection;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tower_service::Service;

pub use activity::Limits;
pub use capacity::{ADMIN_CONNECTIONS, public_connections};
pub use connection::peer;

/// How long to wait before the next try where no connection can be accepted, as when the process has all the files
/// open that it may have.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often to say that there are as many connections as there may be.
const WARNING_PAUSE: Duration = Duration::from_secs(60);

/// How far the end of the service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is none in sight.
    Serving,
    /// Requests are served as before, but each answer is its connection's last.
    Draining,
    /// No connection is accepted any more, idle ones are closed, and requests under way are finished.
    Closing,
}

/// A listener, and what is served on it.
pub struct Server<S> {
    listener: TcpListener,
    service: S,
    limits: Limits,
    capacity: usize,
    connections: Gauge,
}

/// What is served: takes requests as axum has them, and doesn't fail.
pub trait Serve:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Serve for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S: Serve> Server<S> {
    /// Serves this on this listener, to as many connections at a time as `capacity` says. Each gets a clone.
    #[must_use]
    pub fn new(listener: TcpListener, service: S, limits: Limits, capacity: usize) -> Self {
        Self { listener, service, limits, capacity, connections: Gauge::default() }
    }

    /// The same, with its connections counted here.
    #[must_use]
    pub fn counted_by(self, connections: Gauge) -> Self {
        Self { connections, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system doesn't say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the stage is [`Stage::Closing`] and the last connection has ended. Dropped, it takes its connections
    /// with it.
    pub async fn serve(self, stage: watch::Receiver<Stage>) {
        let mut connections = JoinSet::new();
        let mut full = Full { warned: None };
        loop {
            tokio::select! {
                () = closing(stage.clone()) => break,
                Some(ended) = connections.join_next() => report(ended),
                (stream, peer) = accept(&self.listener), if connections.len() < self.capacity => {
                    let connection = connection::serve(stream, peer, self.service.clone(), self.limits, stage.clone());
                    connections.spawn(connection);
                    full.check(connections.len(), self.capacity);
                }
            }
            self.connections.set(i64::try_from(connections.len()).unwrap_or(i64::MAX));
        }
        drop(self.listener);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }
}

/// Done when the stage is [`Stage::Closing`].
async fn closing(mut stage: watch::Receiver<Stage>) {
    // An error means that nobody is left to say so, which is an end as well.
    let _closing = stage.wait_for(|stage| *stage == Stage::Closing).await;
}

/// The next connection, however long that takes: what hinders one doesn't end the service.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written at once and whole: to wait for more to send with them would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY not set");
                }
                return (stream, peer);
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the peer went away before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection failed");
    }
}

/// Says so when no further connection is accepted until another one ends, but not with each of them.
struct Full {
    warned: Option<Instant>,
}

impl Full {
    fn check(&mut self, connections: usize, capacity: usize) {
        if connections >= capacity && self.warned.is_none_or(|at| at.elapsed() >= WARNING_PAUSE) {
            self.warned = Some(Instant::now());
            tracing::warn!(connections, "as many connections as there may be: others wait until one ends");
        }
    }
}

#[cfg(test)]
mod tests;

//! One connection, from its first request to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task_local;

use super::activity::{Activity, Watched};
use super::{Limits, Serve, Stage, closing};

/// How large a head may be, in bytes; larger ones are 431. It bounds what a connection takes of memory, too: no more is
/// read ahead of a body.
const BUFFER: usize = 64 * 1024;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

task_local! {
    /// Whom the present connection is with.
    static PEER: SocketAddr;
}

/// Whom the connection is with that the present request came by.
pub fn peer() -> Option<SocketAddr> {
    PEER.try_with(|peer| *peer).ok()
}

/// Serves this peer until it leaves, keeps the service waiting, or is told to go.
pub(super) async fn serve<C>(
    stream: C,
    peer: SocketAddr,
    service: impl Serve,
    limits: Limits,
    stage: watch::Receiver<Stage>,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    PEER.scope(peer, converse(stream, peer, service, limits, stage)).await;
}

async fn converse<C>(stream: C, peer: SocketAddr, service: impl Serve, limits: Limits, stage: watch::Receiver<Stage>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send,
{
    let activity = Activity::default();
    // Requests of a connection come one after the other, so that nobody waits here. To copy the service for each would
    // cost more.
    let service = Mutex::new(service);
    let service = service_fn(|request: Request<Incoming>| {
        activity.handle();
        // An empty body takes no memory, unlike one that might have something to read.
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        let answer = service.lock().unwrap_or_else(PoisonError::into_inner).call(request);
        async {
            let mut answer = answer.await?;
            activity.answer();
            // What was too slow to be read isn't waited for any longer.
            if is_ending(&stage) || answer.status() == StatusCode::REQUEST_TIMEOUT {
                answer.headers_mut().insert(CONNECTION, CLOSE);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(http().serve_connection(TokioIo::new(Watched::new(stream, &activity)), service));
    let mut closing = pin!(closing(stage.clone()));
    let mut overdue = pin!(activity.overdue(limits));
    let mut told = false;
    loop {
        tokio::select! {
            // The connection first: what it has just done or received counts for the others.
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection broken off");
                }
                return;
            }
            () = closing.as_mut(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = overdue.as_mut() => {
                tracing::debug!(%peer, "cut off for keeping the service waiting");
                return;
            }
        }
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    // Its own timeout would count idle time as a head's, and would set a timer anew with each request.
    http.header_read_timeout(None).max_buf_size(BUFFER);
    http
}

/// Whether the service is on its way to its end. Asked with each request, so it takes no lock.
fn is_ending(stage: &watch::Receiver<Stage>) -> bool {
    // Nobody has looked at this receiver since it was made, which was while the stage was the first.
    stage.has_changed().unwrap_or(true)
}

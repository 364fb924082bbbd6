//! One connection, from its first request to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CONNECTION;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower_service::Service as _;

use super::activity::{Activity, Watched};
use super::{Limits, Stage, closing};

/// How large a head may be, in bytes; larger ones are 431. It bounds what a connection takes of memory, too: no more is
/// read ahead of a body.
const BUFFER: usize = 64 * 1024;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Serves this peer until it leaves, keeps the service waiting, or is told to go.
pub(super) async fn serve<S>(stream: S, peer: SocketAddr, router: Router, limits: Limits, stage: watch::Receiver<Stage>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let activity = Activity::default();
    let service = service_fn(|request| {
        activity.handle();
        let answer = router.clone().call(with_peer(request, peer));
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

/// The request as axum takes it, with the peer's address for [`crate::http`].
fn with_peer(mut request: Request<Incoming>, peer: SocketAddr) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(peer));
    // An empty body takes no memory, unlike one that might have something to read.
    request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) })
}

/// Whether the service is on its way to its end. Asked with each request, so it takes no lock.
fn is_ending(stage: &watch::Receiver<Stage>) -> bool {
    // Nobody has looked at this receiver since it was made, which was while the stage was the first.
    stage.has_changed().unwrap_or(true)
}

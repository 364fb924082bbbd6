//! What a connection is waiting for, and for how long it may.
//!
//! One timer per connection does for all that it may wait for, and isn't moved with each request, which would cost more
//! than the rest of this. It looks, when it fires, whether anything has happened since it was set, and is set earlier
//! only for a limit that is shorter than the one that it was set for. So a connection is cut off when it was kept
//! waiting for as long as its limit says, or for up to twice as long where it had been active before.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// How long a connection may be kept waiting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a whole head, from its first byte on; for the first one, from when the connection is accepted.
    pub head: Duration,
    /// For the handler, body included. It has a limit of its own, which is to come first: this cuts the connection off.
    pub handler: Duration,
    /// For the peer to take some more of an answer.
    pub answer: Duration,
    /// For another request.
    pub idle: Duration,
}

/// What a connection is at. Its own task alone changes it, so that no order between threads matters.
#[derive(Default)]
pub(super) struct Activity {
    /// A request is being handled.
    handling: AtomicBool,
    /// The last request was answered, and nothing of another one has come.
    idle: AtomicBool,
    /// The peer doesn't take what is written.
    blocked: AtomicBool,
    /// Something has happened that shows that it goes on.
    active: AtomicBool,
}

impl Activity {
    /// A request's head is there.
    pub(super) fn handle(&self) {
        self.idle.store(false, Relaxed);
        self.handling.store(true, Relaxed);
        self.step();
    }

    /// The answer is there, to be written.
    pub(super) fn answer(&self) {
        self.handling.store(false, Relaxed);
        self.idle.store(true, Relaxed);
        self.step();
    }

    fn received(&self) {
        // Only the first byte of a head is a step, or whoever sends byte by byte would never be late.
        if self.idle.load(Relaxed) {
            self.idle.store(false, Relaxed);
            self.step();
        }
    }

    fn written(&self, written: &Poll<io::Result<usize>>) {
        self.blocked.store(written.is_pending(), Relaxed);
        if written.is_ready() {
            self.step();
        }
    }

    fn step(&self) {
        self.active.store(true, Relaxed);
    }

    fn limit(&self, limits: &Limits) -> Duration {
        if self.handling.load(Relaxed) {
            limits.handler
        } else if self.blocked.load(Relaxed) {
            limits.answer
        } else if self.idle.load(Relaxed) {
            limits.idle
        } else {
            limits.head
        }
    }

    /// Done when the connection was kept waiting for longer than it may be. To be polled after the connection, whenever
    /// that is.
    pub(super) async fn overdue(&self, limits: Limits) {
        let mut set_for = self.limit(&limits);
        let mut timer = pin!(sleep(set_for));
        poll_fn(|context| {
            loop {
                let limit = self.limit(&limits);
                let fired = timer.as_mut().poll(context).is_ready();
                if fired && limit <= set_for && !self.active.load(Relaxed) {
                    return Poll::Ready(());
                }
                if !fired && limit >= set_for {
                    return Poll::Pending;
                }
                self.active.store(false, Relaxed);
                set_for = limit;
                timer.as_mut().reset(Instant::now() + limit);
            }
        })
        .await;
    }
}

/// A stream that notes in an [`Activity`] what comes and goes.
pub(super) struct Watched<'a, S> {
    stream: S,
    activity: &'a Activity,
}

impl<'a, S> Watched<'a, S> {
    pub(super) const fn new(stream: S, activity: &'a Activity) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.activity.written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

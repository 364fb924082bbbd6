//! `GET /api/v1/events` on the admin listener: what becomes of sessions, as server-sent events.
//!
//! A stream holds a place in the trail and nothing else. It reads on when the client has taken what was read before, so
//! that one who is slow fills no memory, and is cut off by the listener's limit; who comes back goes on from there.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use markt_domain::ports::StoreError;
use markt_domain::session_event::SessionEvent;
use markt_domain::use_cases::follow_sessions::{Bookmark, FollowSessions, Told};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How many streams there may be at a time.
const PLACES: usize = 16;

/// How often it is looked whether other nodes have written something.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a stream says that it is up to date.
const HEARTBEAT: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The streams, and what they share.
#[derive(Clone)]
pub struct EventStreams {
    follow: Arc<FollowSessions>,
    /// Changes when this process has written something.
    written: watch::Receiver<()>,
    stopping: watch::Sender<bool>,
    places: Arc<Semaphore>,
    open: Gauge,
    gaps: Counter,
}

impl EventStreams {
    /// Streams that look again when this process has `written` something, and every now and then for what others have.
    #[must_use]
    pub fn new(follow: FollowSessions, written: watch::Receiver<()>) -> Self {
        Self {
            follow: Arc::new(follow),
            written,
            stopping: watch::Sender::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            open: Gauge::default(),
            gaps: Counter::default(),
        }
    }

    /// Has what is counted shown among the metrics.
    pub fn register(&self, metrics: &mut Registry) {
        metrics.register("markt_event_streams", "Streams of session events that are open", self.open.clone());
        let help = "Times that a stream of session events told of a gap";
        metrics.register("markt_event_gaps", help, self.gaps.clone());
    }

    /// Ends all streams, and begins no more.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    async fn open(&self, headers: &HeaderMap) -> Result<Response, Response> {
        if *self.stopping.borrow() {
            return Err(unavailable("this node is about to end"));
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| unavailable("there are as many streams as there may be"))?;
        let begun = self.begin(headers.get(LAST_EVENT_ID)).await;
        let (bookmark, opening) = begun.map_err(|_| unavailable("the database can't be asked"))?;
        self.open.inc();
        let stream = EventStream {
            shared: self.clone(),
            written: self.written.clone(),
            stopping: self.stopping.subscribe(),
            bookmark,
            ready: Some(opening),
            heartbeat: Instant::now() + HEARTBEAT,
            is_ended: false,
            _place: place,
        };
        let chunks = stream::unfold(stream, |mut stream| async {
            let chunk = stream.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(chunk)), stream))
        });
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        ];
        Ok((headers, Body::from_stream(chunks)).into_response())
    }

    /// From where to go on, and what the stream begins with.
    async fn begin(&self, last: Option<&HeaderValue>) -> Result<(Bookmark, String), StoreError> {
        let last = last.filter(|last| !last.is_empty());
        let known = last.and_then(|last| last.to_str().ok()?.parse().ok());
        if let Some(bookmark) = known
            && self.follow.knows(&bookmark).await?
        {
            return Ok((bookmark, format!("retry: 1000\nid: {bookmark}\n\n")));
        }
        let bookmark = self.follow.end().await?;
        if last.is_none() {
            return Ok((bookmark, format!("retry: 1000\nid: {bookmark}\n\n")));
        }
        self.gaps.inc();
        let gap = event(&bookmark, "gap", &json!({ "reason": "unknown_id" }));
        Ok((bookmark, format!("retry: 1000\n{gap}")))
    }
}

/// What becomes of sessions, from the place that `Last-Event-ID` names, or from now on.
pub async fn events(State(streams): State<EventStreams>, headers: HeaderMap) -> Response {
    streams.open(&headers).await.unwrap_or_else(|refusal| refusal)
}

fn unavailable(why: &str) -> Response {
    let body = Json(json!({ "status": "unavailable", "message": why }));
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], body).into_response()
}

/// One stream. It takes a place as long as it is there.
struct EventStream {
    shared: EventStreams,
    written: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    bookmark: Bookmark,
    /// What is to be sent before anything is read.
    ready: Option<String>,
    heartbeat: Instant,
    is_ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.shared.open.dec();
    }
}

impl EventStream {
    /// What is to be sent next, once there is something.
    async fn next(&mut self) -> Option<String> {
        if self.is_ended {
            return None;
        }
        if let Some(ready) = self.ready.take() {
            return Some(ready);
        }
        loop {
            self.written.mark_unchanged();
            let page = self.shared.follow.after(&self.bookmark).await;
            let is_current = page.as_ref().is_ok_and(|page| page.is_last);
            match page {
                Ok(page) => {
                    self.bookmark = page.bookmark;
                    if !page.told.is_empty() {
                        return Some(self.write(&page.told));
                    }
                    if !page.is_last {
                        continue;
                    }
                }
                // The client hears nothing then, not even a heartbeat.
                Err(error) => tracing::debug!(%error, "session events can't be read"),
            }
            if is_current && Instant::now() >= self.heartbeat {
                self.heartbeat = Instant::now() + HEARTBEAT;
                return Some(format!("id: {}\n: up to date\n\n", self.bookmark));
            }
            if self.wait().await {
                self.is_ended = true;
                return Some(": this node is about to end\n\n".to_owned());
            }
        }
    }

    /// Waits until it is worth looking again. True if the stream is to end.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            // Whoever could say so being gone is an end as well.
            stopping = self.stopping.wait_for(|stopping| *stopping) => { drop(stopping); true }
            () = changed(&mut self.written) => false,
            () = sleep(PAUSE) => false,
            () = sleep_until(self.heartbeat), if self.heartbeat > Instant::now() => false,
        }
    }

    fn write(&self, told: &[Told]) -> String {
        let mut text = String::new();
        for Told { event: what, at, bookmark } in told {
            if *what == SessionEvent::Unknown {
                self.shared.gaps.inc();
            }
            let (name, mut data) = describe(what);
            data["at"] = at.to_string().into();
            text.push_str(&event(bookmark, name, &data));
        }
        text
    }
}

/// Done when this process has written something; never once it writes no more.
async fn changed(written: &mut watch::Receiver<()>) {
    if written.changed().await.is_err() {
        std::future::pending().await
    }
}

fn event(bookmark: &Bookmark, name: &str, data: &Value) -> String {
    format!("id: {bookmark}\nevent: {name}\ndata: {data}\n\n")
}

/// The event's name and data.
fn describe(event: &SessionEvent) -> (&'static str, Value) {
    match event {
        SessionEvent::Ended { session, user, ending } => (
            "session_ended",
            json!({
                "session_id": session.to_string(),
                "user_id": user.as_ref().map(|user| user.as_str()),
                "reason": ending.as_str(),
            }),
        ),
        SessionEvent::AllEnded { user, except, ending } => (
            "sessions_ended",
            json!({
                "user_id": user.as_str(),
                "except": except.map(|session| session.to_string()),
                "reason": ending.as_str(),
            }),
        ),
        SessionEvent::Replaced { session, successor, user } => (
            "session_replaced",
            json!({
                "session_id": session.to_string(),
                "successor": successor.to_string(),
                "user_id": user.as_ref().map(|user| user.as_str()),
            }),
        ),
        SessionEvent::Unknown => ("gap", json!({ "reason": "records_lost" })),
    }
}

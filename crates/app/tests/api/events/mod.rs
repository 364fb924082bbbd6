//! `GET /api/v1/events` on the admin listener: what becomes of sessions, for those who have let somebody in by one.

mod bounds;
mod gaps;
mod telling;

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use crate::server::Server;
use crate::setup::Setup;

/// Much more than anything here takes to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event as it was sent.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

/// A client that follows, as a gateway would.
struct Follower {
    response: Response,
    text: String,
    events: VecDeque<Event>,
    /// The last id that was sent, with an event or alone.
    last_id: String,
}

/// A server whose stores nobody else uses.
async fn alone(deployment: crate::server::Deployment) -> Server {
    Setup::of(deployment).await.limited().await.start().await
}

async fn ask(admin_url: &str, last_id: Option<&str>) -> Response {
    let request = reqwest::Client::new().get(format!("{admin_url}/api/v1/events"));
    let request = last_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
    request.send().await.unwrap()
}

impl Follower {
    /// Follows from now on, or from where the last one was.
    async fn of(server: &Server, last_id: Option<&str>) -> Self {
        let response = ask(&server.admin_url, last_id).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut follower = Self { response, text: String::new(), events: VecDeque::new(), last_id: String::new() };
        // The stream begins with its place, so that what happens from here on is told.
        while follower.last_id.is_empty() {
            assert!(follower.read().await, "the stream ended");
        }
        follower
    }

    /// Reads on. False at the end.
    async fn read(&mut self) -> bool {
        let chunk = timeout(PATIENCE, self.response.chunk()).await.unwrap().unwrap();
        let Some(chunk) = chunk else { return false };
        self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
            let (id, name, data) = (field("id: "), field("event: "), field("data: "));
            if !id.is_empty() {
                self.last_id.clone_from(&id);
            }
            if !name.is_empty() {
                self.events.push_back(Event { id, name, data: serde_json::from_str(&data).unwrap() });
            }
            self.text = rest.to_owned();
        }
        true
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            assert!(self.read().await, "the stream ended");
        }
    }

    /// The next event, which has to be of this name and of this session.
    async fn next_of(&mut self, name: &str, session: &str) -> Value {
        let event = self.next().await;
        assert_eq!((event.name.as_str(), event.data["session_id"].as_str()), (name, Some(session)), "{event:?}");
        event.data
    }
}

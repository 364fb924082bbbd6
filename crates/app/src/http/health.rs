//! The admin listener: whether the process lives, whether it can do its work, what it measures, and what becomes of sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use markt_domain::ports::StoreError;
use markt_domain::ports::entropy::Entropy;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use super::envelope::{RequestIds, identified};
use super::error::{ApiError, ErrorType};
use super::events::{EventStreams, events};
use super::openapi::BASE_PATH;

/// How long a store may take to say that it is there.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Something that the service can't work without.
#[async_trait]
pub trait Dependency: Send + Sync {
    /// What it is called in the answer: `redis`.
    fn name(&self) -> &'static str;

    /// Whether it answers.
    ///
    /// # Errors
    /// If it doesn't.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// What readiness depends on.
pub struct Readiness {
    dependencies: Vec<Box<dyn Dependency>>,
    stopping: AtomicBool,
}

impl Readiness {
    /// Ready while these answer.
    #[must_use]
    pub fn new(dependencies: Vec<Box<dyn Dependency>>) -> Self {
        Self { dependencies, stopping: AtomicBool::new(false) }
    }

    /// From now on the service is not ready any more, so that nobody sends it new work while it ends.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    async fn check(&self) -> (bool, Map<String, Value>) {
        let mut checks = Map::new();
        let mut ready = !self.stopping.load(Ordering::SeqCst);
        for dependency in &self.dependencies {
            let answers = matches!(tokio::time::timeout(PATIENCE, dependency.ping()).await, Ok(Ok(())));
            ready &= answers;
            checks.insert(dependency.name().into(), if answers { "ok" } else { "unavailable" }.into());
        }
        (ready, checks)
    }
}

/// The admin listener's routes. What it refuses has the API's body of errors, and each answer an id.
pub fn admin_router(
    readiness: Arc<Readiness>,
    metrics: Arc<Registry>,
    streams: EventStreams,
    entropy: &dyn Entropy,
) -> Router {
    let ids = Arc::new(RequestIds::draw(entropy));
    let metrics = get(move || async move { show(&metrics) });
    Router::new()
        .route("/metrics", metrics)
        .route("/health/live", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/health/ready", get(ready))
        .with_state(readiness)
        .merge(Router::new().route(&format!("{BASE_PATH}/events"), get(events)).with_state(streams))
        .fallback(|| async { ApiError::new(ErrorType::NotFound) })
        .method_not_allowed_fallback(|| async { ApiError::new(ErrorType::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(ids, identified))
}

/// The metrics in the text format of OpenMetrics.
fn show(metrics: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, metrics) {
        Ok(()) => {
            ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
        }
        Err(error) => ApiError::new(ErrorType::Internal).caused_by(error).into_response(),
    }
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    let (ready, checks) = readiness.check().await;
    let (code, status) = if ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (code, Json(json!({ "status": status, "checks": checks }))).into_response()
}

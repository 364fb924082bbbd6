//! `GET /status`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::App;
use crate::http::error::ErrorBody;
use crate::http::openapi::BASE_PATH;

/// What runs here.
#[derive(Serialize, ToSchema)]
pub struct StatusBody {
    #[schema(example = "ok")]
    status: &'static str,
    #[schema(example = "development")]
    environment: &'static str,
    #[schema(example = "0.1.0")]
    version: &'static str,
    #[schema(example = "session")]
    auth_mode: &'static str,
}

/// What runs here. Asks no store: whether the service can do its work is told by its health on the admin listener.
#[utoipa::path(
    get, path = "/status", context_path = BASE_PATH, tag = "service", operation_id = "status",
    responses(
        (status = 200, description = "It runs", body = StatusBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
    )
)]
pub async fn status(State(app): State<App>) -> Json<StatusBody> {
    Json(StatusBody {
        status: "ok",
        environment: app.environment.as_str(),
        version: env!("CARGO_PKG_VERSION"),
        auth_mode: app.auth_mode.as_str(),
    })
}

//! `GET /users/check-username`

use axum::Json;
use axum::extract::State;
use markt_domain::credentials::Username;
use markt_domain::use_cases::check_username::Availability;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::App;
use crate::http::body::QueryString;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::fields::{Fields, FromFields, username};
use crate::http::openapi::BASE_PATH;

/// The name that is asked about.
pub struct UsernameQuery(Username);

impl FromFields for UsernameQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.required("username", username).map(Self)
    }
}

/// Whether a username can be had.
#[derive(Serialize, ToSchema)]
pub struct AvailabilityBody {
    available: bool,
    #[schema(example = "Username available")]
    message: &'static str,
}

/// Whether a username can be had.
#[utoipa::path(
    get, path = "/users/check-username", context_path = BASE_PATH, tag = "users", operation_id = "check_username",
    params(("username" = String, Query, description = "The name", example = "ann_lee")),
    responses(
        (status = 200, description = "Whether it can be had", body = AvailabilityBody),
        (status = 408, description = "`request_timeout`", body = ErrorBody),
        (status = 422, description = "`validation_failed`: a name that can't be one", body = ErrorBody),
        (status = 503, description = "`store_unavailable`", body = ErrorBody),
    )
)]
pub async fn check_username(
    State(app): State<App>,
    QueryString(UsernameQuery(username)): QueryString<UsernameQuery>,
) -> Result<Json<AvailabilityBody>, ApiError> {
    let availability = app.check_username.execute(&username).await?;
    let message = match availability {
        Availability::Available => "Username available",
        Availability::Taken => "Username already taken",
        Availability::Reserved => "This username is reserved",
    };
    Ok(Json(AvailabilityBody { available: availability == Availability::Available, message }))
}

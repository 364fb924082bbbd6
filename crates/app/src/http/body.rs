//! Extractors for JSON bodies and query strings.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::App;
use super::error::{ApiError, ErrorType};
use super::fields::{Fields, FromFields};

/// A body of JSON whose fields are valid.
pub struct Json<T>(pub T);

impl<T: FromFields> FromRequest<App> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::new(ErrorType::UnsupportedMediaType));
        }
        let bytes = read(request.into_body(), app.body_limit).await?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            // The parser's own words tell where, and nothing of what is there.
            let place = format!("The body is not valid JSON (line {}, column {})", error.line(), error.column());
            ApiError::with_message(ErrorType::MalformedBody, place)
        })?;
        let Value::Object(values) = value else {
            let errors = Map::from_iter([("_schema".to_owned(), json!(["Invalid input type."]))]);
            return Err(ApiError::validation("json", errors));
        };
        Fields::read(values).map(Self).map_err(|errors| ApiError::validation("json", errors))
    }
}

fn is_json(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read(body: Body, limit: usize) -> Result<axum::body::Bytes, ApiError> {
    to_bytes(body, limit).await.map_err(|error| {
        let too_large =
            std::error::Error::source(&error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
        let error_type = if too_large { ErrorType::BodyTooLarge } else { ErrorType::BadRequest };
        ApiError::new(error_type).caused_by(error)
    })
}

/// A query string whose parameters are valid.
pub struct QueryString<T>(pub T);

impl<T: FromFields, S: Send + Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await.map_err(|error| {
            ApiError::with_message(ErrorType::BadRequest, "The query string can't be read").caused_by(error)
        })?;
        let values = pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Fields::read(values).map(Self).map_err(|errors| ApiError::validation("query", errors))
    }
}

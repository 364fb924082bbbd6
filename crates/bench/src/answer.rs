//! One answer of the service, as the plain servers give it again.

use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::cli::Error;

/// What was recorded: a 200.
#[derive(Serialize, Deserialize)]
pub(crate) struct Recorded {
    headers: Vec<(String, String)>,
    body: String,
}

impl Recorded {
    /// Records an answer, but for the headers that every server's HTTP library writes itself.
    pub(crate) fn new(headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        let kept = headers.iter().filter(|(name, _)| ![CONNECTION, CONTENT_LENGTH, DATE].contains(name));
        let headers = kept.map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())));
        Ok(Self { headers: headers.collect::<Result<_, Error>>()?, body: String::from_utf8(body.to_vec())? })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }
}

/// What is given again, at the least cost that axum can have.
pub(crate) struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let recorded: Recorded = serde_json::from_slice(&std::fs::read(path)?)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &recorded.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(Self { headers, body: recorded.body.into() })
    }

    pub(crate) fn give(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

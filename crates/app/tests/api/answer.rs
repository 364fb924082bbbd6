//! An answer, and what can be asked of it.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// A cookie that was set: its attributes have their names in lower case, and no value where they are flags.
#[derive(Debug)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    pub attributes: BTreeMap<String, String>,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    pub async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The header's value; nothing if it isn't there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The messages by field of a failed validation, below `json` or `query`.
    #[track_caller]
    pub fn errors(&self, location: &str) -> Value {
        self.assert_error(422, "validation_failed");
        let errors = self.json()["errors"].clone();
        assert!(errors.as_object().is_some_and(|errors| errors.keys().eq([location])), "{self:?}");
        errors[location].clone()
    }

    pub fn sets_cookie(&self) -> bool {
        self.headers.contains_key("set-cookie")
    }

    /// The one cookie that was set.
    #[track_caller]
    pub fn session_cookie(&self) -> SetCookie {
        let mut cookies = self.headers.get_all("set-cookie").iter();
        let cookie = cookies.next().unwrap_or_else(|| panic!("no cookie: {self:?}"));
        assert_eq!(cookies.next(), None, "{self:?}");
        let mut parts = cookie.to_str().unwrap().split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attribute = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.to_lowercase(), value.to_owned())
        };
        SetCookie { name: name.to_owned(), value: value.to_owned(), attributes: parts.map(attribute).collect() }
    }

    #[track_caller]
    pub fn assert_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
    }

    /// Makes sure that this is the error of this type, with a whole body.
    #[track_caller]
    pub fn assert_error(&self, status: u16, error_type: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], "error", "{self:?}");
        assert_eq!(body["code"], status, "{self:?}");
        assert_eq!(body["error_type"], error_type, "{self:?}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{self:?}");
    }

    /// Makes sure that a store is said to be away, for now.
    #[track_caller]
    pub fn assert_store_unavailable(&self) {
        self.assert_error(503, "store_unavailable");
        assert!(self.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{self:?}");
        assert_eq!(self.header("set-cookie"), "", "{self:?}");
    }
}

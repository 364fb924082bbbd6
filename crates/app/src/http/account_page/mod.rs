//! The account page: a login, who is logged in, the devices, the password. Served from the binary, and no part of the API.
//!
//! Its files are the same for everybody. What somebody sees on it, its script has asked the API for, as any client would.

use std::future::ready;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::App;
use super::error::{ApiError, ErrorType};
use crate::config::values::AuthMode;

/// Where the page is. Its other files are below that, and named by relative URLs, as the API is: a proxy may put all of
/// it below another path.
const PATH: &str = "/account";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page's files: below which path, what they are, and what is in them.
const FILES: [(&str, &str, &str); 7] = [
    ("", HTML, include_str!("account.html")),
    ("/account.css", CSS, include_str!("account.css")),
    ("/account.js", SCRIPT, include_str!("account.js")),
    ("/api.js", SCRIPT, include_str!("api.js")),
    ("/devices.js", SCRIPT, include_str!("devices.js")),
    ("/forms.js", SCRIPT, include_str!("forms.js")),
    ("/icon.svg", SVG, include_str!("icon.svg")),
];

/// Browsers ask each time whether what they have still holds, so that no old script runs beside a new page.
const ASK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// Nothing but the page's own files and the API of the same origin; nothing inline, and no text that becomes markup
/// (ASVS 3.4.3, 3.4.6). Forms are sent by the script, or not at all: a password never comes into a URL.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; \
     base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The page's routes. It keeps its session in a cookie, so there is none where the service works by tokens.
pub fn routes(mode: AuthMode) -> Router<App> {
    FILES.iter().fold(Router::new(), |router, &(below, content_type, content)| {
        let route = match mode {
            AuthMode::Session | AuthMode::Dual => serve(content_type, content),
            AuthMode::Jwt => get(|| async {
                let message = "There is no account page: it needs a cookie, and with auth.mode = jwt there is none";
                ApiError::with_message(ErrorType::NotFound, message)
            }),
        };
        router.route(&format!("{PATH}{below}"), route)
    })
}

fn serve(content_type: &'static str, content: &'static str) -> MethodRouter<App> {
    let etag = etag(content);
    get(move |headers: HeaderMap| ready(answer(&headers, content_type, content, &etag)))
}

fn answer(headers: &HeaderMap, content_type: &'static str, content: &'static str, etag: &HeaderValue) -> Response {
    let mut answer = if is_known(headers, etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, content_type)], Bytes::from_static(content.as_bytes())).into_response()
    };
    let headers = answer.headers_mut();
    headers.insert(ETAG, etag.clone());
    headers.insert(CACHE_CONTROL, ASK_FIRST);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// A strong validator: other content has another one, whatever the version.
fn etag(content: &str) -> HeaderValue {
    let digest = Sha256::digest(content);
    let digits: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("\"{digits}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has this content already (RFC 9110, 13.1.2). Proxies that compress make weak validators of strong
/// ones, which are as good here.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

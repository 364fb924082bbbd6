//! Which other sites may use the service: the CORS headers, and the refusal of forged requests.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::envelope::X_REQUEST_ID;
use super::transport::SESSION_TRANSPORT;
use crate::config::values::Origin;
use crate::telemetry::{TRACEPARENT, TRACESTATE};

/// How long browsers may remember what a preflight said.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// Answers preflights, and tells browsers which origins may read answers: exactly these, with credentials, never `*`.
/// `Vary` goes out with every answer, and so isn't written here.
pub fn cors(allowed: &[Origin]) -> CorsLayer {
    let origins = allowed.iter().filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            X_REQUEST_ID,
            HeaderName::from_static(SESSION_TRANSPORT),
            TRACEPARENT,
            TRACESTATE,
        ])
        .expose_headers([X_REQUEST_ID, RETRY_AFTER])
        .max_age(MAX_AGE)
        .vary([])
}

/// Whether another site's page had a browser send the request. The rule of Go's `http.CrossOriginProtection`
/// (<https://pkg.go.dev/net/http#CrossOriginProtection>); ASVS 3.5.1.
pub fn is_forged(method: &Method, uri: &Uri, headers: &HeaderMap, allowed: &[Origin]) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let header = |name| headers.get(name).map(HeaderValue::as_bytes).filter(|value: &&[u8]| !value.is_empty());
    let origin = header(ORIGIN);
    let trusted = || origin.is_some_and(|origin| allowed.iter().any(|allowed| allowed.as_str().as_bytes() == origin));
    match header(HeaderName::from_static("sec-fetch-site")) {
        Some(b"same-origin" | b"none") => false,
        Some(_) => !trusted(),
        None => origin.is_some_and(|origin| !is_own(origin, uri, headers)) && !trusted(),
    }
}

/// Whether the origin is the service's own, as far as a server behind proxies can tell: it knows its host, not whether
/// the browser came by TLS.
fn is_own(origin: &[u8], uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str().as_bytes()));
    let of_scheme = |scheme: &[u8]| origin.strip_prefix(scheme);
    let origin_host = of_scheme(b"https://").or_else(|| of_scheme(b"http://"));
    host.zip(origin_host).is_some_and(|(host, origin_host)| host.eq_ignore_ascii_case(origin_host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Value as _;

    fn forged(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let allowed = [Origin::parse("https://app.example.com").unwrap()];
        is_forged(&method, &Uri::from_static("/api/v1/users/login"), &headers, &allowed)
    }

    #[test]
    fn what_changes_nothing_passes() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(!forged(method, &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]));
        }
    }

    #[test]
    fn a_browser_says_itself_where_a_request_comes_from() {
        assert!(!forged(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(!forged(Method::POST, &[("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", "made-up"] {
            assert!(forged(Method::POST, &[("sec-fetch-site", site)]));
            assert!(forged(Method::DELETE, &[("sec-fetch-site", site), ("origin", "https://evil.example")]));
            assert!(!forged(Method::POST, &[("sec-fetch-site", site), ("origin", "https://app.example.com")]));
        }
    }

    #[test]
    fn an_older_browser_is_known_by_its_origin() {
        let own = ("host", "auth.example.com:8000");
        assert!(!forged(Method::POST, &[own, ("origin", "https://auth.example.com:8000")]));
        assert!(!forged(Method::POST, &[own, ("origin", "https://app.example.com")]));
        for origin in
            ["https://auth.example.com", "https://evil.example", "null", "https://app.example.com.evil.example"]
        {
            assert!(forged(Method::PATCH, &[own, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn what_no_browser_sent_passes() {
        assert!(!forged(Method::POST, &[("host", "auth.example.com")]));
    }

    #[test]
    fn an_empty_header_is_as_none() {
        assert!(!forged(Method::POST, &[("sec-fetch-site", "")]));
        assert!(!forged(Method::POST, &[("origin", "")]));
        assert!(!forged(Method::POST, &[("sec-fetch-site", ""), ("origin", "")]));
        assert!(forged(Method::POST, &[("sec-fetch-site", ""), ("origin", "https://evil.example")]));
        assert!(!forged(Method::POST, &[("sec-fetch-site", ""), ("origin", "https://app.example.com")]));
        assert!(forged(Method::POST, &[("sec-fetch-site", "cross-site"), ("origin", "")]));
    }
}

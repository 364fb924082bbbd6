//! How a client that logs in will keep its secret.

use http::HeaderMap;
use http::header::ORIGIN;
use markt_domain::session::Transport;

use crate::config::values::BearerPolicy;

/// The header by which a client says how it will keep its secret: `bearer` or `cookie`.
pub const SESSION_TRANSPORT: &str = "x-session-transport";

/// The transport that a login with these headers gets. Browsers send `Origin` or `Sec-Fetch-Site` with every request
/// that can log in, and scripts can't take them away: who sends neither is no browser.
pub fn transport(headers: &HeaderMap, policy: BearerPolicy) -> Transport {
    let said = headers.get(SESSION_TRANSPORT).and_then(|value| value.to_str().ok()).map(str::trim);
    let says = |transport: Transport| said.is_some_and(|said| said.eq_ignore_ascii_case(transport.as_str()));
    let browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    match policy {
        BearerPolicy::Off => Transport::Cookie,
        _ if says(Transport::Bearer) => Transport::Bearer,
        BearerPolicy::Auto if !browser && !says(Transport::Cookie) => Transport::Bearer,
        _ => Transport::Cookie,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(policy: BearerPolicy, headers: &[(&'static str, &'static str)]) -> Transport {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
            .collect();
        transport(&headers, policy)
    }

    #[test]
    fn a_browser_never_gets_the_secret_in_a_body_unless_it_says_so() {
        for header in [("origin", "https://app.example.com"), ("sec-fetch-site", "same-origin"), ("origin", "null")] {
            assert_eq!(chosen(BearerPolicy::Auto, &[header]), Transport::Cookie);
            assert_eq!(chosen(BearerPolicy::Auto, &[header, (SESSION_TRANSPORT, "Bearer")]), Transport::Bearer);
        }
    }

    #[test]
    fn who_cannot_be_a_browser_gets_it_by_itself() {
        assert_eq!(chosen(BearerPolicy::Auto, &[]), Transport::Bearer);
        assert_eq!(chosen(BearerPolicy::Auto, &[(SESSION_TRANSPORT, "cookie")]), Transport::Cookie);
        assert_eq!(chosen(BearerPolicy::Explicit, &[]), Transport::Cookie);
        assert_eq!(chosen(BearerPolicy::Explicit, &[(SESSION_TRANSPORT, "bearer")]), Transport::Bearer);
    }

    #[test]
    fn nobody_gets_it_where_that_is_off() {
        assert_eq!(chosen(BearerPolicy::Off, &[]), Transport::Cookie);
        assert_eq!(chosen(BearerPolicy::Off, &[(SESSION_TRANSPORT, "bearer")]), Transport::Cookie);
    }
}

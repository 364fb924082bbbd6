//! The secrets that a request brings.

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use markt_domain::session::SessionSecret;

use super::error::{ApiError, ErrorType};

/// The most secrets of one request that stores are asked about. A browser sends one, a client in transition two; the
/// rest is for cookies that somebody planted from a sibling domain: they mustn't hide the user's own.
const MAX_SECRETS: usize = 32;

/// The most tokens of one request that are looked at.
const MAX_TOKENS: usize = 2;

/// A request brings more secrets than stores are asked about.
pub struct TooManySecrets;

impl From<TooManySecrets> for ApiError {
    fn from(TooManySecrets: TooManySecrets) -> Self {
        let message = format!("The request brings more than {MAX_SECRETS} different session secrets");
        Self::with_message(ErrorType::BadRequest, message)
    }
}

/// The different secrets that a request brings, as many of them as stores are asked about, and its tokens.
pub struct Presented<'a> {
    /// The secrets: those from cookies first.
    pub secrets: Vec<SessionSecret>,
    /// How many of them came in cookies.
    pub from_cookies: usize,
    /// What it brings as bearer tokens that can't be secrets.
    pub tokens: Vec<&'a str>,
    /// Whether the request brings more than these.
    is_cut_short: bool,
}

impl Presented<'_> {
    /// All of the request's secrets, for who must not miss the one that counts.
    ///
    /// # Errors
    /// If there are more than stores are asked about.
    pub fn all(self) -> Result<Self, TooManySecrets> {
        if self.is_cut_short { Err(TooManySecrets) } else { Ok(self) }
    }
}

/// The different secrets in a request's cookies of this name and, if `bearer` are taken, in its `Authorization`. What
/// can't be a secret is passed over in cookies: it is no different from none.
pub fn presented<'a>(headers: &'a HeaderMap, cookie_name: &str, bearer: bool) -> Presented<'a> {
    // By bytes: what stands in other cookies need be no text.
    let from_cookies = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| pair.trim_ascii().strip_prefix(cookie_name.as_bytes())?.strip_prefix(b"="))
        .filter_map(|value| Some((std::str::from_utf8(unquoted(value)).ok()?, true)));
    let from_authorization = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .filter_map(bearer_token)
        .map(|token| (token, false));

    let mut presented = Presented { secrets: Vec::new(), from_cookies: 0, tokens: Vec::new(), is_cut_short: false };
    for (text, in_cookie) in from_cookies.chain(from_authorization) {
        let Ok(secret) = SessionSecret::parse(text) else {
            if !in_cookie && presented.tokens.len() < MAX_TOKENS && !presented.tokens.contains(&text) {
                presented.tokens.push(text);
            }
            continue;
        };
        let is_taken = in_cookie || bearer;
        if is_taken && !presented.secrets.contains(&secret) {
            if presented.secrets.len() == MAX_SECRETS {
                presented.is_cut_short = true;
                break;
            }
            presented.secrets.push(secret);
            presented.from_cookies += usize::from(in_cookie);
        }
    }
    presented
}

/// What a cookie's value says, which may stand in double quotes (RFC 6265, section 4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(http::HeaderName, &str)], bearer: bool) -> Option<Vec<String>> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let presented = presented(&headers, "markt_session", bearer).all().ok()?;
        Some(presented.secrets.iter().map(|secret| secret.expose().to_owned()).collect())
    }

    fn secret(letter: char) -> String {
        letter.to_string().repeat(43)
    }

    #[test]
    fn secrets_are_found_in_cookies_and_in_the_authorization() {
        let cookie = format!("a=b; markt_session={}; markt_session={}", secret('a'), secret('b'));
        let bearer = format!("bearer {}", secret('c'));
        let headers = [(COOKIE, cookie.as_str()), (AUTHORIZATION, bearer.as_str())];
        assert_eq!(found(&headers, true), Some(vec![secret('a'), secret('b'), secret('c')]));
        assert_eq!(found(&headers, false), Some(vec![secret('a'), secret('b')]));
    }

    #[test]
    fn a_cookies_value_may_stand_in_quotes() {
        let quoted = |value: &str| found(&[(COOKIE, &format!("a=b; markt_session={value}; c=\"d\""))], false);
        assert_eq!(quoted(&format!("\"{}\"", secret('a'))), Some(vec![secret('a')]));
        for odd in ["\"", "\"\"", "\"{}", "{}\"", "\"\"{}\"\"", "'{}'"] {
            assert_eq!(quoted(&odd.replace("{}", &secret('a'))), Some(vec![]), "{odd}");
        }
        let bearer = format!("Bearer \"{}\"", secret('a'));
        assert_eq!(found(&[(AUTHORIZATION, &bearer)], true), Some(vec![]));
    }

    #[test]
    fn the_same_secret_twice_is_one() {
        let cookie = format!("markt_session={}", secret('a'));
        let bearer = format!("Bearer {}", secret('a'));
        assert_eq!(
            found(&[(COOKIE, &cookie), (COOKIE, &cookie), (AUTHORIZATION, &bearer)], true),
            Some(vec![secret('a')])
        );
    }

    #[test]
    fn those_that_came_in_cookies_stand_first_and_are_counted() {
        let cookie = format!("markt_session={}; markt_session={0}", secret('b'));
        let bearer = format!("Bearer {}", secret('a'));
        let headers = [(AUTHORIZATION, bearer.as_str()), (COOKIE, cookie.as_str())];
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let presented = presented(&headers, "markt_session", true);
        assert_eq!((presented.secrets.len(), presented.from_cookies), (2, 1));
        assert_eq!(presented.secrets[0].expose(), secret('b'));
    }

    #[test]
    fn what_cannot_be_a_secret_is_passed_over() {
        let long = format!("markt_session={}", "a".repeat(8192));
        let other = format!("markt_sessions={}", secret('a'));
        let headers =
            [(COOKIE, long.as_str()), (COOKIE, "markt_session"), (COOKIE, &other), (AUTHORIZATION, "Basic YTpi")];
        assert_eq!(found(&headers, true), Some(vec![]));
    }

    #[test]
    fn another_cookie_that_is_no_text_hides_nothing() {
        let header = [b"city=Z\xfcrich; markt_session=".as_slice(), secret('a').as_bytes()].concat();
        let headers = HeaderMap::from_iter([(COOKIE, http::HeaderValue::from_bytes(&header).unwrap())]);
        assert_eq!(presented(&headers, "markt_session", true).secrets.len(), 1);
    }

    #[test]
    fn nobody_can_have_the_store_asked_for_many() {
        let cookies = |count| (0..count).map(|n| format!("markt_session={n:0>43}; ")).collect::<String>();
        let as_many_as_allowed = found(&[(COOKIE, &cookies(MAX_SECRETS).repeat(2))], true).unwrap();
        assert_eq!(as_many_as_allowed.len(), MAX_SECRETS);
        assert_eq!(found(&[(COOKIE, &cookies(MAX_SECRETS + 1))], true), None);
        let headers = HeaderMap::from_iter([(COOKIE, cookies(1000).parse().unwrap())]);
        let first = presented(&headers, "markt_session", true).secrets;
        assert_eq!(first.iter().map(SessionSecret::expose).collect::<Vec<_>>(), as_many_as_allowed);
    }
}

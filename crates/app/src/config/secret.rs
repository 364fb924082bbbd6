//! Configuration values that nobody may see.

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

/// A secret from the configuration. Never shown, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A URL that may hold a password. Shown without it.
#[derive(Clone)]
pub struct SecretUrl {
    full: Secret,
    shown: String,
    scheme: String,
}

impl SecretUrl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // What stands between `sqlite://` and `?` is a path, which no URL parser would take as one.
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return (!rest.is_empty()).then(|| Self::known(text));
        }
        let url = Url::parse(text).ok()?;
        let mut shown = url.clone();
        if url.password().is_some() {
            shown.set_password(Some("***")).ok()?;
        }
        if url.query_pairs().any(|(key, _)| key.to_ascii_lowercase().contains("password")) {
            shown.set_query(Some("***"));
        }
        Some(Self { full: Secret::new(text), shown: shown.to_string(), scheme: url.scheme().to_owned() })
    }

    /// A URL that holds no password.
    pub(super) fn known(text: &str) -> Self {
        let scheme = text.split(':').next().unwrap_or_default().to_owned();
        Self { full: Secret::new(text), shown: text.to_owned(), scheme }
    }

    /// The URL with all that is in it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.full.expose()
    }

    /// The URL's scheme: `postgres`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

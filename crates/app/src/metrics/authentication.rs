//! Who was let in, and by what.

use markt_domain::ports::authenticator::{AuthenticateError, Authenticated};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    source: &'static str,
    result: &'static str,
}

/// What an authentication came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Sessions in memory.
    NearCache,
    /// Sessions in Redis.
    Redis,
    /// Sessions in the database.
    Database,
    /// A token.
    Token,
    /// Nothing was presented.
    None,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NearCache => "near_cache",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Token => "token",
            Self::None => "none",
        }
    }
}

/// Counts authentications (`markt_authentications_total`).
#[derive(Clone)]
pub struct Authentications {
    counts: Family<Labels, Counter>,
    /// The commonest, which is not to be looked up.
    recalled: Counter,
    store: Source,
}

impl Authentications {
    /// Shown among these metrics; sessions that aren't in memory are in this store.
    pub fn register(metrics: &mut Registry, store: Source) -> Self {
        let counts = Family::<Labels, Counter>::default();
        metrics.register("markt_authentications", "Requests by what they were authenticated by", counts.clone());
        let labels = Labels { source: Source::NearCache.as_str(), result: "succeeded" };
        let recalled = counts.get_or_create(&labels).clone();
        Self { counts, recalled, store }
    }

    /// A caller who was known without asking anybody.
    pub fn recalled(&self, caller: &Authenticated) {
        if caller.secret.is_some() {
            self.recalled.inc();
        } else {
            self.count(Source::Token, "succeeded");
        }
    }

    /// What came of asking; something was presented, or not.
    pub fn asked(&self, is_anything_presented: bool, outcome: &Result<Authenticated, AuthenticateError>) {
        let source = match outcome {
            Ok(caller) if caller.secret.is_none() => Source::Token,
            Err(AuthenticateError::InvalidToken) => Source::Token,
            _ if is_anything_presented => self.store,
            _ => Source::None,
        };
        self.count(source, outcome.as_ref().err().map_or("succeeded", result));
    }

    fn count(&self, source: Source, result: &'static str) {
        self.counts.get_or_create(&Labels { source: source.as_str(), result }).inc();
    }
}

const fn result(error: &AuthenticateError) -> &'static str {
    match error {
        AuthenticateError::NotAuthenticated => "not_authenticated",
        AuthenticateError::SessionExpired => "session_expired",
        AuthenticateError::SessionRevoked => "session_revoked",
        AuthenticateError::InvalidToken => "invalid_token",
        AuthenticateError::AmbiguousCredentials => "ambiguous_credentials",
        AuthenticateError::Store(_) => "store_unavailable",
    }
}

//! Requests that still come with tokens: how an operator sees when these can be given up.

use std::sync::Arc;

use markt_domain::client::Client;
use markt_domain::ports::device_recognizer::DeviceRecognizer;
use markt_domain::ports::token_uses::TokenUses;
use markt_domain::tokens::Issuer;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The longest name of a client that is shown, in characters.
const MAX_CLIENT: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    /// What its user agent says that the client is, versions aside: `okhttp`, `Firefox on Linux`.
    client: String,
    /// Who issued the token: `own` or `legacy`.
    issuer: &'static str,
}

/// Counts requests that were let in by a token (`markt_legacy_token_requests_total`).
pub struct LegacyTokenRequests {
    recognizer: Arc<dyn DeviceRecognizer>,
    requests: Family<Labels, Counter>,
}

impl LegacyTokenRequests {
    /// None has come yet.
    #[must_use]
    pub fn new(recognizer: Arc<dyn DeviceRecognizer>) -> Self {
        Self { recognizer, requests: Family::default() }
    }

    /// Has the count shown among the metrics.
    pub fn register(&self, metrics: &mut Registry) {
        let help = "Requests let in by a token, by client and issuer";
        metrics.register("markt_legacy_token_requests", help, self.requests.clone());
    }
}

impl TokenUses for LegacyTokenRequests {
    fn count(&self, client: &Client, issuer: Issuer) {
        let client = self.recognizer.recognize(&client.user_agent).to_string().chars().take(MAX_CLIENT).collect();
        self.requests.get_or_create(&Labels { client, issuer: issuer.as_str() }).inc();
    }
}

//! What the doctor asks the adapters: what the stores and the mail server are like.

use std::error::Error as _;
use std::time::Duration;

pub use markt_mail::{MailFacts, MailTrouble};
pub use markt_redis::RedisFacts;
pub use markt_seaorm::{AdoptionFacts, ConnectError, ConnectionFacts, DatabaseFacts, TableFacts, UserFacts};

use super::{Surroundings, redis_options, token_signer};
use crate::cli::chain;
use crate::config::values::AuthMode;
use crate::config::{Config, SecretUrl};
use crate::doctor::facts::StoreTrouble;

/// How long a store may take to tell all that is asked. Each of its answers comes sooner, or the store is frozen.
const STORE_PATIENCE: Duration = Duration::from_secs(8);

/// How long a mail server may take.
const MAIL_PATIENCE: Duration = Duration::from_secs(5);

fn trouble(is_refused: bool, text: impl Into<String>) -> StoreTrouble {
    // It becomes a part of a sentence.
    StoreTrouble { is_refused, text: text.into().trim_end_matches('.').to_owned() }
}

fn late() -> StoreTrouble {
    trouble(false, format!("no answer within {} s", STORE_PATIENCE.as_secs()))
}

/// What Redis is like.
pub(crate) async fn redis(
    url: &SecretUrl,
    config: &Config,
    surroundings: &Surroundings,
) -> Result<RedisFacts, StoreTrouble> {
    use markt_redis::ConnectError;
    let url = url.expose().parse().map_err(|error: markt_redis::InvalidRedisUrl| trouble(false, error.to_string()))?;
    let gathered = RedisFacts::gather(&url, redis_options(config), surroundings.clock.as_ref());
    tokio::time::timeout(STORE_PATIENCE, gathered).await.map_err(|_| late())?.map_err(|error| {
        // The address is told already.
        let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        trouble(matches!(error, ConnectError::Refused { .. }), said)
    })
}

/// What the database is like.
pub(crate) async fn database(url: &SecretUrl, surroundings: &Surroundings) -> Result<DatabaseFacts, StoreTrouble> {
    /// Of PostgreSQL's class 28, "invalid authorization specification".
    const REFUSED: &str = "(code 28";
    let gathered = DatabaseFacts::gather(url.expose(), surroundings.clock.as_ref());
    tokio::time::timeout(STORE_PATIENCE, gathered).await.map_err(|_| late())?.map_err(|error| match error {
        ConnectError::Unreachable(text) => trouble(text.contains(REFUSED), text),
        error => trouble(false, chain(&error)),
    })
}

/// What the database holds that is to be taken over.
pub(crate) async fn adoption(url: &SecretUrl) -> Result<AdoptionFacts, ConnectError> {
    AdoptionFacts::gather(url.expose()).await
}

/// What the mail server is like.
pub(crate) async fn mail_server(url: &SecretUrl) -> Result<MailFacts, MailTrouble> {
    MailFacts::gather(url.expose(), MAIL_PATIENCE).await
}

/// Whether tokens can be signed and verified, where there are any. No key is made.
pub(crate) fn signing(config: &Config, surroundings: &Surroundings) -> Option<Result<(), String>> {
    (config.auth.mode != AuthMode::Session)
        .then(|| token_signer::examine(config, surroundings).map_err(|error| chain(&error)))
}

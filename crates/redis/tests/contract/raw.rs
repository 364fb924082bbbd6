//! Redis as an operator sees it.

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike as _;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, FromValue};

/// A connection that sends commands as they are written.
pub(crate) struct Raw(Client);

impl Raw {
    pub(crate) async fn connect(url: &str) -> Self {
        let client = Client::new(Config::from_url(url).unwrap(), None, None, None);
        client.init().await.unwrap();
        Self(client)
    }

    /// Sends a command, such as `["GET", "key"]`.
    pub(crate) async fn send<R: FromValue, const N: usize>(&self, words: [&str; N]) -> R {
        self.try_send(words).await.unwrap()
    }

    /// Sends a command that Redis may refuse.
    pub(crate) async fn try_send<R: FromValue, const N: usize>(&self, words: [&str; N]) -> Result<R, Error> {
        let [name, arguments @ ..] = &words[..] else { panic!("a command has a name") };
        let command = CustomCommand::new(*name, ClusterHash::Random, false);
        self.0.custom(command, arguments.to_vec()).await
    }

    pub(crate) async fn exists(&self, key: &str) -> bool {
        self.send(["EXISTS", key]).await
    }

    /// A key's remaining time to live in milliseconds.
    pub(crate) async fn ttl(&self, key: &str) -> i64 {
        let ttl = self.send(["PTTL", key]).await;
        assert!(ttl >= 0, "{key} has no time to live ({ttl})");
        ttl
    }
}

//! A mail server, and the connection to it.

use std::time::Duration;

use lettre::message::Message;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::SetUpError;
use crate::transport::TransportError;

/// How long a connection that isn't used is kept: less than routers and servers keep it.
const IDLE: Duration = Duration::from_secs(60);

/// A mail server, which is sent to over one connection.
///
/// lettre has a transport of its own, which this does without: it waits for replies for ever
/// (<https://github.com/lettre/lettre/issues/1027>), and what stops it from outside leaves a conversation that was begun
/// to the next mail.
pub(crate) struct MailServer {
    host: String,
    port: u16,
    tls: Tls,
    credentials: Option<Credentials>,
    hello: ClientId,
    connection: Option<(AsyncSmtpConnection, Instant)>,
    /// How long a mail may take, connecting included.
    patience: Duration,
}

impl MailServer {
    /// The server of a URL as lettre has them.
    ///
    /// # Errors
    /// If it is not one.
    pub(crate) fn parse(text: &str, patience: Duration) -> Result<Self, SetUpError> {
        // Says what is wrong with a URL; what comes after it finds all of it right.
        AsyncSmtpTransport::<Tokio1Executor>::from_url(text).map_err(SetUpError::Url)?;
        let url = Url::parse(text).map_err(|_| SetUpError::Host)?;
        // Without the brackets that an IPv6 address has in a URL.
        let host = url.host_str().ok_or(SetUpError::Host)?.trim_matches(['[', ']']).to_owned();
        let mode = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, mode)| mode.into_owned());
        let parameters = || TlsParameters::new(host.clone()).map_err(SetUpError::Url);
        let (tls, port) = match (url.scheme(), mode.as_deref()) {
            ("smtps", _) => (Tls::Wrapper(parameters()?), SUBMISSIONS_PORT),
            (_, Some("opportunistic")) => (Tls::Opportunistic(parameters()?), SUBMISSION_PORT),
            (_, Some(_)) => (Tls::Required(parameters()?), SUBMISSION_PORT),
            (_, None) => (Tls::None, SMTP_PORT),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = url.path().trim_matches('/');
        Ok(Self {
            port: url.port().unwrap_or(port),
            tls,
            credentials: url.password().map(|password| Credentials::new(decoded(url.username()), decoded(password))),
            hello: if path.is_empty() { ClientId::default() } else { ClientId::Domain(path.to_owned()) },
            connection: None,
            patience,
            host,
        })
    }

    /// Sends a mail. One that isn't taken in time may have been taken all the same.
    pub(crate) async fn send(&mut self, message: &Message) -> Result<(), TransportError> {
        timeout(self.patience, self.converse(message)).await.map_err(|_| TransportError::Late)??;
        Ok(())
    }

    /// Takes leave of the server, which has a second to do so too.
    pub(crate) async fn close(&mut self) {
        if let Some((mut connection, _)) = self.connection.take() {
            // There is nobody left to care.
            let _ = timeout(Duration::from_secs(1), connection.quit()).await;
        }
    }

    async fn converse(&mut self, message: &Message) -> Result<(), Error> {
        // Taken out, so that a connection with which something went wrong, or which was given up on, is never used again.
        let kept = match self.connection.take() {
            Some((mut kept, used)) if used.elapsed() < IDLE => kept.test_connected().await.then_some(kept),
            _ => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        connection.send(message.envelope(), &message.formatted()).await?;
        self.connection = Some((connection, Instant::now()));
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let mut connection = self.greet().await?;
        self.encrypt(&mut connection).await?;
        self.log_in(&mut connection).await?;
        Ok(connection)
    }

    /// Says hello; encrypted already, where that is so from the start.
    pub(crate) async fn greet(&self) -> Result<AsyncSmtpConnection, Error> {
        let from_the_start = if let Tls::Wrapper(parameters) = &self.tls { Some(parameters.clone()) } else { None };
        let address = (self.host.as_str(), self.port);
        AsyncSmtpConnection::connect_tokio1(address, Some(self.patience), &self.hello, from_the_start, None).await
    }

    pub(crate) async fn encrypt(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Error> {
        match &self.tls {
            Tls::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), &self.hello).await
            }
            // An error, if the server has none.
            Tls::Required(parameters) => connection.starttls(parameters.clone(), &self.hello).await,
            _ => Ok(()),
        }
    }

    pub(crate) async fn log_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), Error> {
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(())
    }

    /// Whether a user and a password are configured.
    pub(crate) const fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }
}

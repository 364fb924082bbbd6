//! What a mail server is like, told to whoever is about to send mail through it. No mail is sent.

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;
use tokio::time::timeout;

use crate::SetUpError;
use crate::server::MailServer;
use crate::transport::reply_codes;

/// A mail server that took the connection and, where there are a user and a password, the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailFacts {
    /// Whether it is spoken to by TLS.
    pub is_encrypted: bool,
    /// Whether it would be, if it were asked to.
    pub offers_tls: bool,
    /// Whether a user and a password were sent to it.
    pub logs_in: bool,
}

/// Why no mail could be sent. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum MailTrouble {
    /// The URL is wrong.
    #[error(transparent)]
    Url(#[from] SetUpError),
    /// Nobody answers there, or not by SMTP.
    #[error("{0}")]
    Unreachable(String),
    /// There is no TLS to be had, or it can't be trusted.
    #[error("{0}")]
    Tls(String),
    /// The user or the password is refused.
    #[error("{0}")]
    Login(String),
}

impl MailFacts {
    /// Looks at the server of this URL: connects, logs in, asks for a sign of life (`NOOP`) and takes leave.
    ///
    /// # Errors
    /// If one of it doesn't succeed within this time.
    pub async fn gather(url: &str, patience: Duration) -> Result<Self, MailTrouble> {
        let server = MailServer::parse(url, patience)?;
        let late = |_| MailTrouble::Unreachable(format!("no answer within {} s", patience.as_secs()));
        timeout(patience, converse(&server)).await.map_err(late)?
    }
}

async fn converse(server: &MailServer) -> Result<MailFacts, MailTrouble> {
    let mut connection = server.greet().await.map_err(|error| match error.is_tls() {
        true => MailTrouble::Tls(said(&error)),
        false => MailTrouble::Unreachable(said(&error)),
    })?;
    let offers_tls = connection.can_starttls();
    server.encrypt(&mut connection).await.map_err(|error| MailTrouble::Tls(said(&error)))?;
    let facts = MailFacts { is_encrypted: connection.is_encrypted(), offers_tls, logs_in: server.has_credentials() };
    server.log_in(&mut connection).await.map_err(|error| MailTrouble::Login(said(&error)))?;
    if !connection.test_connected().await {
        return Err(MailTrouble::Unreachable("it took the connection, but gives no sign of life (NOOP)".to_owned()));
    }
    // What was to be learned was learned.
    let _ = connection.quit().await;
    Ok(facts)
}

/// Why. Of what a server says that refuses, only the codes: its text may quote what it was sent.
fn said(error: &Error) -> String {
    let source = error.source().map(ToString::to_string);
    match error.status() {
        Some(code) => format!("it answers {}", reply_codes(&code.to_string(), &source.unwrap_or_default())),
        None => source.unwrap_or_else(|| error.to_string()),
    }
}

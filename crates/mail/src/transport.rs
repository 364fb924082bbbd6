//! The ways that mail leaves.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Message;

use crate::SetUpError;
use crate::server::MailServer;

/// How long a mail server may take for one mail.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way that mail leaves.
pub struct Transport(Way);

enum Way {
    /// Into a folder, as one `.eml` file each; the number tells apart what is written within one millisecond.
    Folder(PathBuf, u32),
    Server(Box<MailServer>),
}

/// Why a mail didn't leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("the file can't be written")]
    Folder(#[from] std::io::Error),
    #[error("the mail server didn't take it")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("the mail server didn't take it in time")]
    Late,
}

impl TransportError {
    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Folder(_) => false,
            Self::Smtp(error) => !error.is_permanent(),
            Self::Late => true,
        }
    }

    /// Why, for the log. Of what a server says that refuses a mail, only the codes: its text may quote what it was sent.
    pub(crate) fn cause(&self) -> Option<String> {
        let said = self.source().map(ToString::to_string);
        match self {
            Self::Smtp(error) if error.is_response() => None,
            Self::Smtp(error) => match (error.status(), error.source()) {
                (Some(code), text) => Some(reply_codes(&code.to_string(), &text.map(ToString::to_string)?)),
                (None, _) => said,
            },
            Self::Folder(_) | Self::Late => said,
        }
    }
}

/// The code of a server's reply, and the enhanced one that its text may begin with (RFC 3463): `550 5.1.1`.
pub(crate) fn reply_codes(code: &str, text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<&str> = first.split('.').collect();
    let is_number = |text: &&str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if numbers.len() == 3 && numbers.iter().all(is_number) { format!("{code} {first}") } else { code.to_owned() }
}

impl Transport {
    /// Mail goes into this folder, which is made if it is not there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn folder(path: PathBuf) -> Result<Self, SetUpError> {
        std::fs::create_dir_all(&path).map_err(SetUpError::Folder)?;
        Ok(Self(Way::Folder(path, 0)))
    }

    /// Mail goes to the server of this URL: `smtps://user:password@mail.example.com`, or `smtp://…?tls=required`.
    /// Connections are made when they are needed.
    ///
    /// # Errors
    /// If the URL is not one.
    pub fn smtp(url: &str) -> Result<Self, SetUpError> {
        Self::smtp_with(url, PATIENCE)
    }

    pub(crate) fn smtp_with(url: &str, patience: Duration) -> Result<Self, SetUpError> {
        Ok(Self(Way::Server(Box::new(MailServer::parse(url, patience)?))))
    }

    pub(crate) async fn send(&mut self, message: &Message, posted_at: i64) -> Result<(), TransportError> {
        match &mut self.0 {
            Way::Folder(path, count) => {
                let name = format!("{posted_at}-{count:04}");
                *count = count.wrapping_add(1);
                // Under its name only when it is whole, for who watches the folder.
                let unfinished = path.join(format!(".{name}"));
                tokio::fs::write(&unfinished, message.formatted()).await?;
                tokio::fs::rename(unfinished, path.join(format!("{name}.eml"))).await?;
                Ok(())
            }
            Way::Server(server) => server.send(message).await,
        }
    }

    /// Takes leave of the server.
    pub(crate) async fn close(&mut self) {
        if let Way::Server(server) = &mut self.0 {
            server.close().await;
        }
    }
}

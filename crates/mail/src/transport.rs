//! The ways that mail leaves.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::SetUpError;

/// How long a mail server may take for one step.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A way that mail leaves.
pub enum Transport {
    /// Into a folder, as one `.eml` file each.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Tells apart what is written within one millisecond.
        count: AtomicU32,
    },
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
}

/// Why a mail didn't leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    #[error("the file can't be written")]
    Folder(#[from] std::io::Error),
    #[error("the mail server didn't take it")]
    Smtp(#[from] lettre::transport::smtp::Error),
}

impl TransportError {
    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Folder(_) => false,
            Self::Smtp(error) => !error.is_permanent(),
        }
    }
}

impl Transport {
    /// Mail goes into this folder, which is made if it is not there.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn folder(path: PathBuf) -> Result<Self, SetUpError> {
        std::fs::create_dir_all(&path).map_err(SetUpError::Folder)?;
        Ok(Self::Folder { path, count: AtomicU32::new(0) })
    }

    /// Mail goes to the server of this URL: `smtps://user:password@mail.example.com`, or `smtp://…?tls=required`.
    /// Connections are made when they are needed.
    ///
    /// # Errors
    /// If the URL is not one.
    pub fn smtp(url: &str) -> Result<Self, SetUpError> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(SetUpError::Url)?;
        Ok(Self::Smtp(builder.timeout(Some(TIMEOUT)).build()))
    }

    pub(crate) async fn send(&self, message: &Message, posted_at: i64) -> Result<(), TransportError> {
        match self {
            Self::Folder { path, count } => {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let name = format!("{posted_at}-{number:04}");
                // Under its name only when it is whole, for who watches the folder.
                let unfinished = path.join(format!(".{name}"));
                tokio::fs::write(&unfinished, message.formatted()).await?;
                tokio::fs::rename(unfinished, path.join(format!("{name}.eml"))).await?;
            }
            Self::Smtp(server) => {
                server.send(message.clone()).await?;
            }
        }
        Ok(())
    }
}

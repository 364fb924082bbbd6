//! Mail to users: into a folder in development, to a mail server in production.
//!
//! What is posted waits in a bounded queue and leaves behind the caller's back, so that the time of an answer tells
//! nothing about whether a mail was sent. [`Outbox::close`] waits for what is still in the queue.

mod facts;
mod message;
mod outbox;
mod server;
mod transport;

pub use facts::{MailFacts, MailTrouble};
pub use outbox::Outbox;
pub use transport::Transport;

/// Why mail can't be sent the way it is configured.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The sender is not a mailbox.
    #[error("mail.from: not a mailbox")]
    From(#[source] lettre::address::AddressError),
    /// The folder can't be made.
    #[error("mail.dir: the folder can't be made")]
    Folder(#[source] std::io::Error),
    /// The server's URL is not one.
    #[error("mail.smtp_url: not a URL of a mail server")]
    Url(#[source] lettre::transport::smtp::Error),
    /// The server's URL names no host.
    #[error("mail.smtp_url: names no mail server")]
    Host,
}

#[cfg(test)]
mod tests;

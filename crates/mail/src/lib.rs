//! Mail to users: into a folder in development, to a mail server in production.
//!
//! What is posted waits in a bounded queue and leaves behind the caller's back, so that the time of an answer tells
//! nothing about whether a mail was sent. [`Outbox::close`] waits for what is still in the queue.

mod message;
mod outbox;
mod transport;

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
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use markt_domain::Timestamp;
    use markt_domain::code::Code;
    use markt_domain::credentials::{EmailAddress, Username};
    use markt_domain::ports::clock::Clock;
    use markt_domain::ports::entropy::Entropy;
    use markt_domain::ports::mailer::{Mail, MailContent, Mailer as _};

    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_milliseconds(1_768_473_000_123)
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn mail() -> Mail {
        Mail {
            to: EmailAddress::parse("ann@example.com").unwrap(),
            username: Username::parse("ann_lee").unwrap(),
            content: MailContent::VerifyEmail(Code::generate(&Fixed)),
        }
    }

    fn outbox(folder: &Path) -> Outbox {
        let transport = Transport::folder(folder.join("outbox")).unwrap();
        Outbox::open("Markt <no-reply@example.com>", transport, Arc::new(Fixed)).unwrap()
    }

    #[tokio::test]
    async fn what_was_posted_is_written_before_the_outbox_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path());
        for _ in 0..20 {
            outbox.post(mail());
        }
        outbox.close().await;
        let files: Vec<_> = std::fs::read_dir(folder.path().join("outbox")).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 20);
        assert!(files.iter().all(|file| file.path().extension().is_some_and(|extension| extension == "eml")));
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        let code = Code::generate(&Fixed);
        for part in ["To: ann@example.com", "From: Markt <no-reply@example.com>", "Hello ann_lee", code.expose()] {
            assert!(text.contains(part), "{part} is missing from {text}");
        }
    }

    #[tokio::test]
    async fn a_closed_outbox_takes_nothing_and_does_not_panic() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = outbox(folder.path());
        outbox.close().await;
        outbox.post(mail());
        outbox.close().await;
        assert_eq!(std::fs::read_dir(folder.path().join("outbox")).unwrap().count(), 0);
    }

    #[test]
    fn a_mail_does_not_show_its_code() {
        let mail = mail();
        let MailContent::VerifyEmail(code) = &mail.content;
        assert!(!format!("{mail:?}").contains(code.expose()));
    }
}

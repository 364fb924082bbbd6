//! The queue that mail leaves from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::Mailbox;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::mailer::{Mail, Mailer};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::transport::Transport;
use crate::{SetUpError, message};

/// How many mails wait at most. More are dropped: their users can ask again.
const CAPACITY: usize = 1024;

/// The pauses before a mail is tried again that a server didn't take for now.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Takes mail, and sends it one after another.
pub struct Outbox {
    queue: Mutex<Option<Sender<Mail>>>,
    sender: Mutex<Option<JoinHandle<()>>>,
}

impl Outbox {
    /// Opens an outbox whose mail comes from this mailbox and leaves by this way. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the mailbox is none.
    pub fn open(from: &str, transport: Transport, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        let from: Mailbox = from.parse().map_err(SetUpError::From)?;
        let (queue, mails) = channel(CAPACITY);
        let sender = tokio::spawn(send_all(from, transport, clock, mails));
        Ok(Self { queue: Mutex::new(Some(queue)), sender: Mutex::new(Some(sender)) })
    }

    /// Takes no more mail, and waits until what was posted has left, or failed for good.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender
            && let Err(error) = sender.await
        {
            tracing::error!(%error, "mail was lost");
        }
    }
}

impl Mailer for Outbox {
    fn post(&self, mail: Mail) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = queue.as_ref().map(|queue| queue.try_send(mail));
        if !matches!(posted, Some(Ok(()))) {
            tracing::error!("mail dropped: the outbox is full or closed");
        }
    }
}

async fn send_all(from: Mailbox, transport: Transport, clock: Arc<dyn Clock>, mut mails: Receiver<Mail>) {
    while let Some(mail) = mails.recv().await {
        let kind = mail.content.kind();
        let message = match message::compose(&from, &mail) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(kind, %error, "mail not sent");
                continue;
            }
        };
        let posted_at = clock.now().unix_milliseconds();
        let mut pauses = PAUSES.into_iter();
        while let Err(error) = transport.send(&message, posted_at).await {
            let pause = pauses.next().filter(|_| error.is_passing());
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let Some(pause) = pause else {
                tracing::error!(kind, %error, cause, "mail not sent");
                break;
            };
            tracing::warn!(kind, %error, cause, "mail not sent yet");
            tokio::time::sleep(pause).await;
        }
    }
}

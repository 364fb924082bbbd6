//! The queue that mail leaves from.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::Mailbox;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::mailer::{Mail, Mailer};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::transport::Transport;
use crate::{SetUpError, message};

/// How many mails wait at most. More are dropped: their users can ask again.
pub(crate) const CAPACITY: usize = 1024;

/// How long an outbox goes on.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// The pauses before a mail is tried again that a server didn't take for now.
    pub(crate) pauses: [Duration; 2],
    /// How long what is left may take once the outbox is being closed.
    pub(crate) at_close: Duration,
}

impl Patience {
    const USUAL: Self =
        Self { pauses: [Duration::from_secs(1), Duration::from_secs(5)], at_close: Duration::from_secs(10) };
}

/// Takes mail, and sends it one after another.
pub struct Outbox {
    queue: Mutex<Option<Sender<Mail>>>,
    closing: watch::Sender<bool>,
    postman: Mutex<Option<JoinHandle<()>>>,
}

impl Outbox {
    /// Opens an outbox whose mail comes from this mailbox and leaves by this way. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the mailbox is none.
    pub fn open(from: &str, transport: Transport, clock: Arc<dyn Clock>) -> Result<Self, SetUpError> {
        Self::open_with(from, transport, clock, Patience::USUAL)
    }

    pub(crate) fn open_with(
        from: &str,
        transport: Transport,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Result<Self, SetUpError> {
        let from: Mailbox = from.parse().map_err(SetUpError::From)?;
        let (queue, mails) = channel(CAPACITY);
        let (closing, told) = watch::channel(false);
        let postman = Postman { from, transport, clock, patience, mails, sending: None };
        let postman = tokio::spawn(postman.work(told));
        Ok(Self { queue: Mutex::new(Some(queue)), closing, postman: Mutex::new(Some(postman)) })
    }

    /// Takes no more mail, and waits until what was posted has left, or failed for good: 10 seconds at most. What
    /// hasn't left then is lost, which is logged.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.closing.send_replace(true);
        let postman = self.postman.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(postman) = postman
            && let Err(error) = postman.await
        {
            tracing::error!(%error, "mail was lost");
        }
    }
}

impl Mailer for Outbox {
    fn post(&self, mail: Mail) {
        let kind = mail.content.kind();
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let posted = queue.as_ref().map(|queue| queue.try_send(mail));
        if !matches!(posted, Some(Ok(()))) {
            tracing::error!(kind, "mail dropped: the outbox is full or closed");
        }
    }
}

/// Empties the queue.
struct Postman {
    from: Mailbox,
    transport: Transport,
    clock: Arc<dyn Clock>,
    patience: Patience,
    mails: Receiver<Mail>,
    /// The kind of mail that is under way.
    sending: Option<&'static str>,
}

impl Postman {
    /// Sends all mail until the queue is closed and empty, or patience has ended.
    async fn work(mut self, closing: watch::Receiver<bool>) {
        let at_close = self.patience.at_close;
        tokio::select! {
            () = self.send_all() => return,
            () = overdue(closing, at_close) => {}
        }
        let waiting = std::iter::from_fn(|| Some(self.mails.try_recv().ok()?.content.kind()));
        for kind in self.sending.into_iter().chain(waiting) {
            tracing::error!(kind, "mail lost: the outbox was closed before it left");
        }
    }

    async fn send_all(&mut self) {
        while let Some(mail) = self.mails.recv().await {
            self.sending = Some(mail.content.kind());
            self.send(&mail).await;
            self.sending = None;
        }
        self.transport.close().await;
    }

    async fn send(&mut self, mail: &Mail) {
        let kind = mail.content.kind();
        let message = match message::compose(&self.from, mail) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(kind, %error, "mail not sent");
                return;
            }
        };
        let posted_at = self.clock.now().unix_milliseconds();
        let mut pauses = self.patience.pauses.into_iter();
        while let Err(error) = self.transport.send(&message, posted_at).await {
            let pause = pauses.next().filter(|_| error.is_passing());
            let cause = error.cause();
            let Some(pause) = pause else {
                tracing::error!(kind, %error, cause, "mail not sent");
                break;
            };
            tracing::warn!(kind, %error, cause, "mail not sent yet");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Returns when the outbox has been closing for this long. Never, if it was dropped without being closed: what is
/// posted then has all the time that it needs.
async fn overdue(mut closing: watch::Receiver<bool>, patience: Duration) {
    if closing.wait_for(|closing| *closing).await.is_err() {
        pending::<()>().await;
    }
    tokio::time::sleep(patience).await;
}

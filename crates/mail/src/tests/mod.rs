//! What is posted, and what leaves.

mod facts;
mod folder;
mod smtp;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use markt_domain::Timestamp;
use markt_domain::code::Code;
use markt_domain::credentials::{EmailAddress, Username};
use markt_domain::ports::entropy::Entropy;
use markt_domain::ports::mailer::{Mail, MailContent};
use markt_test_support::clock::MovableClock;
use tracing::subscriber::DefaultGuard;

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn clock() -> Arc<MovableClock> {
    Arc::new(MovableClock::at(Timestamp::from_unix_milliseconds(1_768_473_000_123)))
}

fn code() -> Code {
    Code::generate(&Sevens)
}

fn mail_of(content: MailContent) -> Mail {
    Mail { to: EmailAddress::parse("ann@example.com").unwrap(), username: Username::parse("ann_lee").unwrap(), content }
}

fn mail() -> Mail {
    mail_of(MailContent::VerifyEmail(code()))
}

/// What this thread logs, at whatever level, until it is dropped.
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

impl Log {
    fn listen() -> Self {
        let text = Arc::default();
        let writer = Writer(Arc::clone(&text));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { text, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines that are warnings or errors. None of them, nor any other, holds what only the mail may.
    fn complaints(&self) -> Vec<String> {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        for secret in [code().expose(), "Hello", "hunter2", "AHBvc3RtYW4AaHVudGVyMg=="] {
            assert!(!text.contains(secret), "{secret} is in the log: {text}");
        }
        text.lines()
            .filter(|line| [" WARN ", "ERROR "].iter().any(|level| line.contains(level)))
            .map(str::to_owned)
            .collect()
    }
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl Write for Writer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_mail_does_not_show_its_code() {
    for content in [MailContent::VerifyEmail(code()), MailContent::ResetPassword(code())] {
        assert!(!format!("{:?}", mail_of(content)).contains(code().expose()));
    }
}

//! What mails look like.

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use markt_domain::ports::mailer::{Mail, MailContent};

/// Why a mail can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompositionError {
    #[error("the address can't be mailed to")]
    Address(#[from] lettre::address::AddressError),
    #[error("the message can't be built")]
    Message(#[from] lettre::error::Error),
}

/// Writes a mail.
pub(crate) fn compose(from: &Mailbox, mail: &Mail) -> Result<Message, CompositionError> {
    let (subject, text) = match &mail.content {
        MailContent::VerifyEmail(code) => ("Your Markt verification code", verify_email(mail, code.expose())),
        MailContent::ResetPassword(code) => ("Your Markt password reset code", reset_password(mail, code.expose())),
    };
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, mail.to.as_str().parse()?))
        .subject(subject)
        // Nobody's holiday notice shall answer a code (RFC 3834, section 5).
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(text)?;
    Ok(message)
}

fn verify_email(mail: &Mail, code: &str) -> String {
    let username = mail.username.as_str();
    format!(
        "Hello {username},\n\nYour verification code is {code}.\n\nIt is good for 10 minutes. If you did not ask for \
         it, you can ignore this mail.\n"
    )
}

fn reset_password(mail: &Mail, code: &str) -> String {
    let username = mail.username.as_str();
    format!(
        "Hello {username},\n\nYour password reset code is {code}.\n\nIt is good for 10 minutes. Give it to nobody: with \
         it, a new password can be set.\n\nIf you did not ask for it, somebody else may be trying to get into your \
         account. Your password is unchanged, and you need not do anything.\n"
    )
}

#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

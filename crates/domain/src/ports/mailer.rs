//! Mail to users.

use std::fmt;

use crate::code::Code;
use crate::credentials::{EmailAddress, Username};

/// A mail to one user.
pub struct Mail {
    /// Where it goes.
    pub to: EmailAddress,
    /// Who is greeted.
    pub username: Username,
    /// What it says.
    pub content: MailContent,
}

/// What a mail says.
pub enum MailContent {
    /// The code that proves the address to be the user's.
    VerifyEmail(Code),
    /// The code that lets the user set a new password.
    ResetPassword(Code),
}

impl MailContent {
    /// What kind of mail it is, for the log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail(_) => "verify_email",
            Self::ResetPassword(_) => "reset_password",
        }
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("to", &self.to).field("kind", &self.content.kind()).finish_non_exhaustive()
    }
}

/// Sends mail behind the caller's back: what is posted leaves after the answer, and is not lost when the service stops
/// gracefully. What can't be delivered is logged by the mailer, without its content.
pub trait Mailer: Send + Sync {
    /// Takes a mail for delivery. Returns at once.
    fn post(&self, mail: Mail);
}

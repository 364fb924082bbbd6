//! Codes that are sent by mail to prove that an address is somebody's.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::credentials::Password;
use crate::ports::entropy::Entropy;

/// How long a code can be used (ASVS 6.5.5: 10 minutes at most).
pub const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How often a code can be tried before it is void.
pub const CODE_TRIES: u32 = 5;

/// A code of 6 digits, as it is mailed. Never shown otherwise, wiped when dropped.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Draws a code.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        // The largest multiple of a million below 2^32: what lies above would favour some codes.
        const UNBIASED: u32 = 4_294_000_000;
        loop {
            let mut bytes = [0_u8; 4];
            entropy.fill(&mut bytes);
            let number = u32::from_le_bytes(bytes);
            if number < UNBIASED {
                return Self(Zeroizing::new(format!("{:06}", number % 1_000_000)));
            }
        }
    }

    /// The code itself, for the mail alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The code in the form that the password hasher takes.
    #[must_use]
    pub fn to_password(&self) -> Password {
        Password::new(self.0.to_string())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// What a code is good for; one sent for one purpose is worth nothing for another (ASVS 6.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodePurpose {
    /// Proves that the address is the user's.
    VerifyEmail,
    /// Lets the user set a new password.
    ResetPassword,
}

impl CodePurpose {
    /// The purpose's name in the stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
        }
    }
}

//! E-mail addresses, usernames, passwords.

use std::fmt;

use email_address::{EmailAddress as Rfc5321, Options};
use smol_str::SmolStr;
use zeroize::Zeroizing;

/// A valid e-mail address: ASCII, at most 120 characters (the column's width), kept as given and compared without
/// regard to case.
#[derive(Clone, Debug)]
pub struct EmailAddress(String);

/// Not an e-mail address, or longer than 120 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Not a valid email address.")]
pub struct InvalidEmailAddress;

impl EmailAddress {
    /// Checks the address. White space around it is dropped.
    ///
    /// # Errors
    /// If it is none, or too long, or not in ASCII, or has a quoted local part or a domain without a dot.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let text = text.trim();
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        let plain = text.len() <= 120 && text.is_ascii() && !text.contains(['"', '\\']);
        if plain && Rfc5321::parse_with_options(text, options).is_ok() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidEmailAddress)
        }
    }

    /// Takes over an address that a store kept, valid by today's rules or not.
    #[must_use]
    pub fn from_store(text: String) -> Self {
        Self(text)
    }

    /// The address as its owner wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which addresses are compared.
    #[must_use]
    pub fn to_comparable(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.to_comparable() == other.to_comparable()
    }
}

impl Eq for EmailAddress {}

/// A username: 3 to 20 letters, digits and underscores, compared without regard to case.
#[derive(Clone, Debug)]
pub struct Username(SmolStr);

/// Why a text can't be a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// Not 3 to 20 characters.
    #[error("Must be between 3-20 characters")]
    Length,
    /// Other characters than `[a-zA-Z0-9_]`.
    #[error("Only letters, numbers and underscores allowed")]
    Characters,
}

/// Usernames that nobody can take.
const RESERVED_USERNAMES: [&str; 3] = ["admin", "support", "markt"];

impl Username {
    /// Checks the form of a username, not whether it is reserved or taken.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        if !(3..=20).contains(&text.chars().count()) {
            return Err(InvalidUsername::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(InvalidUsername::Characters);
        }
        Ok(Self(text.into()))
    }

    /// Takes over a username that a store kept, valid by today's rules or not.
    #[must_use]
    pub fn from_store(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it is one that nobody can take.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED_USERNAMES.iter().any(|reserved| reserved.eq_ignore_ascii_case(&self.0))
    }

    /// The username as its owner wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which usernames are compared.
    #[must_use]
    pub fn to_comparable(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.to_comparable() == other.to_comparable()
    }
}

impl Eq for Username {}

/// A password as somebody gave it, of any form. Never shown, wiped when dropped, and verified exactly as received
/// (ASVS 6.2.8).
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as it was given.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The password itself, for hashing alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password that keeps the rules for new ones: 8 to 128 characters, with a digit, a lower-case and an upper-case
/// letter.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

/// Which rule for new passwords is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 8 characters.
    #[error("Password must be at least 8 characters long.")]
    TooShort,
    /// More than 128 characters.
    #[error("Password must be at most 128 characters long.")]
    TooLong,
    /// A kind of character is missing.
    #[error("Password must contain at least one digit, one lowercase letter, and one uppercase letter.")]
    TooPlain,
}

impl NewPassword {
    /// Checks a password that is to be set.
    ///
    /// # Errors
    /// Names every rule that it breaks.
    pub fn parse(password: Password) -> Result<Self, Vec<WeakPassword>> {
        let text = password.expose();
        let mut broken = Vec::new();
        match text.chars().count() {
            0..8 => broken.push(WeakPassword::TooShort),
            8..=128 => {}
            _ => broken.push(WeakPassword::TooLong),
        }
        let mixed = text.chars().any(|c| c.is_ascii_digit())
            && text.chars().any(char::is_lowercase)
            && text.chars().any(char::is_uppercase);
        if !mixed {
            broken.push(WeakPassword::TooPlain);
        }
        if broken.is_empty() { Ok(Self(password)) } else { Err(broken) }
    }

    /// The password that keeps the rules.
    #[must_use]
    pub const fn password(&self) -> &Password {
        &self.0
    }
}

/// A password's or a code's hash, as a PHC string or in a form of old (`$pbkdf2-sha256$…`). Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a hash that a hasher made or a store kept.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The hash itself, for hashers and stores alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_regard_to_case_and_kept_as_given() {
        let written = EmailAddress::parse(" Ann.Lee@Example.COM ").unwrap();
        assert_eq!(written.as_str(), "Ann.Lee@Example.COM");
        assert_eq!(written, EmailAddress::parse("ann.lee@example.com").unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(120));
        for text in
            ["", "a", "a@b", "@b.com", "a b@c.com", "Ann <a@b.com>", "a@[127.0.0.1]", "\"a\"@b.com", "é@b.com", &long]
        {
            assert_eq!(EmailAddress::parse(text), Err(InvalidEmailAddress), "{text}");
        }
    }

    #[test]
    fn usernames_keep_their_rules() {
        assert_eq!(Username::parse("ab"), Err(InvalidUsername::Length));
        assert_eq!(Username::parse(&"a".repeat(21)), Err(InvalidUsername::Length));
        assert_eq!(Username::parse("a-b-c"), Err(InvalidUsername::Characters));
        assert_eq!(Username::parse("ünder"), Err(InvalidUsername::Characters));
        assert!(Username::parse("Admin").unwrap().is_reserved());
        assert!(!Username::parse("buyer_1").unwrap().is_reserved());
    }

    #[test]
    fn every_broken_rule_of_a_new_password_is_named() {
        let broken = |text: &str| NewPassword::parse(Password::new(text.to_owned())).err();
        assert_eq!(broken("Password123"), None);
        assert_eq!(broken("abc"), Some(vec![WeakPassword::TooShort, WeakPassword::TooPlain]));
        assert_eq!(broken("alllowercase1"), Some(vec![WeakPassword::TooPlain]));
        assert_eq!(broken(&"Aa1".repeat(43)), Some(vec![WeakPassword::TooLong]));
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let password = Password::new("Password123".into());
        let hash = PasswordHash::new("$argon2id$secret".into());
        let shown = format!("{password:?} {hash:?} {:?}", NewPassword::parse(password.clone()));
        assert!(!shown.contains("Password123") && !shown.contains("argon2id"), "{shown}");
    }
}

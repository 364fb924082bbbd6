//! The hashes of the system before: passlib's `$pbkdf2-sha256$ROUNDS$SALT$CHECKSUM`
//! (<https://passlib.readthedocs.io/en/stable/lib/passlib.hash.pbkdf2_digest.html>).

use markt_domain::credentials::{Password, PasswordHash};
use markt_domain::ports::password_hasher::{HashingError, Verdict};
use pbkdf2::mcf::PasswordHashRef;
use pbkdf2::{PasswordVerifier as _, Pbkdf2};

/// How these hashes begin.
const PREFIX: &str = "$pbkdf2-sha256$";

/// The length of a whole SHA-256 in base64 without padding. The library takes a hash that was cut off for what is left
/// of it, and an empty one for any password at all.
const CHECKSUM_LENGTH: usize = 43;

/// More rounds than passlib ever made by itself; such a hash would hold up a thread for seconds.
const MAX_ROUNDS: u32 = 2_000_000;

pub(crate) fn is_legacy(hash: &PasswordHash) -> bool {
    hash.expose().starts_with(PREFIX)
}

pub(crate) fn verify(password: &Password, hash: &PasswordHash) -> Result<Verdict, HashingError> {
    let mcf = PasswordHashRef::new(hash.expose()).ok().filter(|_| is_whole(hash.expose()));
    let right = mcf.is_some_and(|mcf| Pbkdf2::default().verify_password(password.expose().as_bytes(), mcf).is_ok());
    Ok(if right { Verdict::RightButOutdated } else { Verdict::Wrong })
}

fn is_whole(hash: &str) -> bool {
    let mut fields = hash[PREFIX.len()..].split('$');
    let rounds = fields.next().and_then(|rounds| rounds.parse::<u32>().ok());
    let checksum = fields.nth(1);
    rounds.is_some_and(|rounds| rounds <= MAX_ROUNDS)
        && checksum.is_some_and(|checksum| checksum.len() == CHECKSUM_LENGTH)
        && fields.next().is_none()
}

//! The hash of today.

use argon2_rust::params::{Memory, TagLen};
use argon2_rust::{Algorithm, Argon2, Decoded, Error, Params, Version, decode_phc};
use markt_domain::credentials::{Password, PasswordHash};
use markt_domain::ports::password_hasher::{HashingError, Verdict};

use crate::Cost;

/// The length of a hash, in bytes.
const OUTPUT: TagLen = TagLen::bytes(32);

/// The most memory that a stored hash may ask for. More can't be ours, and would stop the service.
const MAX_MEMORY: Memory = Memory::gib(1);

/// The most memory that a stored hash may have filled, all passes together: some seconds' work.
const MAX_FILLED: Memory = Memory::gib(16);

/// Argon2id with the costs that new hashes have, and the memory that hashes are made in, one after another.
pub(crate) struct Argon2id {
    ours: Argon2,
    hasher: argon2_rust::Hasher,
}

/// Argon2id with these costs.
pub(crate) fn with(cost: Cost) -> Result<Argon2, Error> {
    let params = Params::builder()
        .memory(Memory::kib(cost.memory_kib.into()))
        .passes(cost.iterations)
        .lanes(cost.parallelism)
        .tag_len(OUTPUT)
        .build()?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl Argon2id {
    pub(crate) fn new(ours: Argon2) -> Self {
        Self { ours, hasher: ours.hasher() }
    }

    pub(crate) fn hash(&mut self, password: &Password, salt: &[u8]) -> Result<PasswordHash, HashingError> {
        let encoded = self.hasher(self.ours).hash_encoded(password.expose().as_bytes(), salt);
        encoded.map(PasswordHash::new).map_err(failed)
    }

    /// Without a hash that can be used, one is computed all the same: that there is none can't be told by the time.
    pub(crate) fn verify(&mut self, password: &Password, hash: Option<&PasswordHash>) -> Result<Verdict, HashingError> {
        let Some(stored) = hash.and_then(decode) else {
            self.hash(password, &[0; 16])?;
            return Ok(Verdict::Wrong);
        };
        let cost = |params: &Params| (params.memory_kib(), params.passes(), params.lanes());
        let outdated = cost(&stored.params) != cost(self.ours.params());
        match self.compare(password, &stored) {
            Ok(()) if outdated => Ok(Verdict::RightButOutdated),
            Ok(()) => Ok(Verdict::Right),
            Err(Error::VerifyMismatch) => Ok(Verdict::Wrong),
            Err(error) => Err(failed(error)),
        }
    }

    /// Computes the hash again and compares in constant time. One that takes more memory than ours has it for itself, and
    /// gives it back.
    fn compare(&mut self, password: &Password, stored: &Decoded) -> Result<(), Error> {
        let password = password.expose().as_bytes();
        let theirs = Argon2::new(stored.algorithm, stored.version, stored.params);
        if stored.params.memory_blocks() > self.ours.params().memory_blocks() {
            return theirs.verify(password, &stored.salt, &stored.hash);
        }
        self.hasher(theirs).verify(password, &stored.salt, &stored.hash)
    }

    /// The memory, for a hash of these costs.
    fn hasher(&mut self, argon2: Argon2) -> &mut argon2_rust::Hasher {
        self.hasher.set_argon2(argon2);
        &mut self.hasher
    }
}

/// Hashes what RFC 9106 hashes in section 5.3.
///
/// The library has code of its own for each kind of processor, and this one may be of a kind that no test ran on. A wrong
/// hash would let nobody in, and be stored for those who register.
pub(crate) fn is_right_on_this_processor() -> bool {
    const RFC_9106: [u8; 32] = [
        0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0, 0x1e,
        0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
    ];
    Params::builder().memory(Memory::kib(32)).passes(3).lanes(4).tag_len(OUTPUT).build().is_ok_and(|params| {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_with_ad(&[1; 32], &[2; 16], &[3; 8], &[4; 12])
            .is_ok_and(|hash| hash == RFC_9106)
    })
}

/// What a stored hash says, unless it is none of ours.
fn decode(hash: &PasswordHash) -> Option<Decoded> {
    let is_ours = |stored: &Decoded| {
        stored.algorithm == Algorithm::Argon2id
            && stored.version == Version::V0x13
            && stored.ad.is_empty()
            && stored.params.memory() <= MAX_MEMORY
            && stored.params.memory().as_kib().saturating_mul(stored.params.passes().into()) <= MAX_FILLED.as_kib()
    };
    decode_phc(hash.expose()).ok().filter(is_ours)
}

fn failed(error: Error) -> HashingError {
    HashingError::Failed(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use argon2::PasswordVerifier;
    use argon2::password_hash::phc;

    use super::*;

    fn argon2id(memory_kib: u32, iterations: u32, parallelism: u32) -> Argon2id {
        let once = NonZeroUsize::MIN;
        let cost = Cost { memory_kib, iterations, parallelism, max_concurrent: once, max_queued: 1, upgrade: true };
        Argon2id::new(with(cost).unwrap())
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[test]
    fn memory_is_used_again_and_what_a_dearer_hash_took_is_given_back() {
        let password = password("Password123");
        let hash = |memory_kib| argon2id(memory_kib, 1, 1).hash(&password, &[1; 16]).unwrap();
        let (ours, dearer, cheaper) = (hash(256), hash(4096), hash(64));
        let mut argon2id = argon2id(256, 1, 1);
        for (stored, verdict) in
            [(&ours, Verdict::Right), (&dearer, Verdict::RightButOutdated), (&cheaper, Verdict::RightButOutdated)]
        {
            assert_eq!(argon2id.verify(&password, Some(stored)).unwrap(), verdict);
            assert_eq!(argon2id.hasher.reserved_blocks(), 256);
            assert_eq!(argon2id.hash(&password, &[1; 16]).unwrap().expose(), ours.expose());
        }
    }

    /// The library of the RustCrypto project, which is another one.
    fn is_right_for_another_library(password: &str, hash: &PasswordHash) -> bool {
        let hash = phc::PasswordHash::new(hash.expose()).unwrap();
        argon2::Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    }

    #[test]
    fn another_library_makes_the_same_hashes() {
        let long = "Pässwörter, ".repeat(20);
        for (memory_kib, iterations, parallelism) in
            [(8, 1, 1), (9, 2, 1), (64, 3, 2), (256, 1, 4), (1023, 2, 3), (4096, 4, 1), (19_456, 2, 1)]
        {
            let mut argon2id = argon2id(memory_kib, iterations, parallelism);
            for text in ["", "Password123", &long] {
                let hash = argon2id.hash(&password(text), text.as_bytes().get(..48).unwrap_or(&[7; 16])).unwrap();
                assert!(is_right_for_another_library(text, &hash), "{}", hash.expose());
                assert!(!is_right_for_another_library("Password124", &hash), "{}", hash.expose());
                assert_eq!(argon2id.verify(&password(text), Some(&hash)).unwrap(), Verdict::Right);
            }
        }
    }

    #[test]
    fn this_processor_hashes_as_the_rfc_does() {
        assert!(is_right_on_this_processor());
    }
}

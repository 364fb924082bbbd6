//! The hash of today.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use markt_domain::credentials::{Password, PasswordHash};
use markt_domain::ports::password_hasher::{HashingError, Verdict};

use crate::Cost;

/// The length of a hash, in bytes.
const OUTPUT: usize = 32;

/// The most memory that a stored hash may ask for, in KiB. More can't be ours, and would stop the service.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;

/// The memory that hashes are made in, one after another.
pub(crate) type Memory = Vec<Block>;

/// Argon2id with the costs that new hashes have.
pub(crate) struct Argon2id {
    params: Params,
}

impl Argon2id {
    pub(crate) fn new(cost: Cost) -> Result<Self, argon2::Error> {
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, Some(OUTPUT))?;
        Ok(Self { params })
    }

    pub(crate) fn hash(
        &self,
        password: &Password,
        salt: &[u8],
        memory: &mut Memory,
    ) -> Result<PasswordHash, HashingError> {
        let output = compute(self.params.clone(), password, salt, OUTPUT, memory)?;
        let phc = Phc {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).map_err(failed)?,
            salt: Some(Salt::new(salt).map_err(failed)?),
            hash: Some(output),
        };
        Ok(PasswordHash::new(phc.to_string()))
    }

    /// Without a hash that can be used, one is computed all the same: that there is none can't be told by the time.
    pub(crate) fn verify(
        &self,
        password: &Password,
        hash: Option<&PasswordHash>,
        memory: &mut Memory,
    ) -> Result<Verdict, HashingError> {
        let Some((params, salt, expected)) = hash.and_then(parts) else {
            compute(self.params.clone(), password, &[0; 16], OUTPUT, memory)?;
            return Ok(Verdict::Wrong);
        };
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let outdated = cost(&params) != cost(&self.params);
        let output = compute(params, password, &salt, expected.len(), memory)?;
        self.give_back(memory);
        // Outputs are compared in constant time.
        Ok(match output == expected {
            false => Verdict::Wrong,
            true if outdated => Verdict::RightButOutdated,
            true => Verdict::Right,
        })
    }

    /// Gives back what a hash of a greater cost than ours has taken.
    fn give_back(&self, memory: &mut Memory) {
        let usual = self.params.block_count();
        memory.truncate(usual);
        memory.shrink_to(usual);
    }
}

fn parts(hash: &PasswordHash) -> Option<(Params, Salt, Output)> {
    let phc = Phc::new(hash.expose()).ok()?;
    let version = phc.version == Some(Version::V0x13.into());
    let params = Params::try_from(&phc).ok().filter(|params| params.m_cost() <= MAX_MEMORY_KIB)?;
    (phc.algorithm == ARGON2ID_IDENT && version).then_some((params, phc.salt?, phc.hash?))
}

fn compute(
    params: Params,
    password: &Password,
    salt: &[u8],
    length: usize,
    memory: &mut Memory,
) -> Result<Output, HashingError> {
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0_u8; Output::MAX_LENGTH];
    let output = &mut output[..length];
    argon2
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, output, memory.as_mut_slice())
        .map_err(failed)?;
    Output::new(output).map_err(failed)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> HashingError {
    HashingError::Failed(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn argon2id(memory_kib: u32) -> Argon2id {
        let once = NonZeroUsize::MIN;
        let cost =
            Cost { memory_kib, iterations: 1, parallelism: 1, max_concurrent: once, max_queued: 1, upgrade: true };
        Argon2id::new(cost).unwrap()
    }

    #[test]
    fn memory_is_used_again_and_what_a_dearer_hash_took_is_given_back() {
        let password = Password::new("Password123".to_owned());
        let hash = |memory_kib| argon2id(memory_kib).hash(&password, &[1; 16], &mut Memory::new()).unwrap();
        let (ours, dearer, cheaper) = (hash(256), hash(4096), hash(64));
        let mut memory = Memory::new();
        for (stored, verdict) in
            [(&ours, Verdict::Right), (&dearer, Verdict::RightButOutdated), (&cheaper, Verdict::RightButOutdated)]
        {
            assert_eq!(argon2id(256).verify(&password, Some(stored), &mut memory).unwrap(), verdict);
            assert_eq!(memory.capacity(), 256);
        }
    }
}

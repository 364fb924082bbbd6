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
        // Outputs are compared in constant time.
        Ok(match compute(params, password, &salt, expected.len(), memory)? == expected {
            false => Verdict::Wrong,
            true if outdated => Verdict::RightButOutdated,
            true => Verdict::Right,
        })
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

//! Password hashing on threads of its own.
//!
//! New hashes are argon2id, as PHC strings. The hashes of the system before, passlib's `$pbkdf2-sha256$…`, are verified
//! and reported as outdated, so that they are replaced at the next login.
//!
//! A fixed number of threads does the work, each in a block of memory of its own that is used again and again: what a
//! flood of logins can cost is known beforehand, and the threads that serve requests never hash. Who would wait for
//! long is refused at once.

mod argon2id;
mod legacy;
mod load;
mod workers;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::credentials::{Password, PasswordHash};
use markt_domain::ports::entropy::Entropy;
use markt_domain::ports::password_hasher::{HashingError, PasswordHasher, Verdict};

use workers::Workers;

/// What a hash costs, and how many are made at once.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// The memory of one hash, in KiB.
    pub memory_kib: u32,
    /// The passes over it.
    pub iterations: u32,
    /// The lanes in it. They are filled one after another, by one thread.
    pub parallelism: u32,
    /// How many hashes are made at once: so many threads, each with its memory.
    pub max_concurrent: NonZeroUsize,
    /// How many may wait; more are refused at once, and so is who would wait for longer than two seconds.
    pub max_queued: usize,
    /// Whether hashes of other forms or costs are reported as outdated.
    pub upgrade: bool,
}

/// Why passwords can't be hashed.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The cost of a hash is out of argon2's bounds.
    #[error("password.memory_kib, password.iterations, password.parallelism: argon2 refuses these costs: {0}")]
    Cost(argon2_rust::Error),
    /// Hashes come out wrong.
    #[error("this processor's argon2id hashes aren't those of RFC 9106, so that nobody could log in")]
    Processor,
    /// There are no more threads to be had.
    #[error("password.max_concurrent: the threads can't be started: {0}")]
    Threads(io::Error),
}

/// Hashes and verifies passwords.
pub struct Hasher {
    workers: Workers,
    entropy: Arc<dyn Entropy>,
    upgrade: bool,
}

impl Hasher {
    /// Starts the threads. They end with the hasher.
    ///
    /// # Errors
    /// If the cost is out of bounds, the processor makes other hashes than it should, or the system gives no threads.
    pub fn new(cost: Cost, entropy: Arc<dyn Entropy>) -> Result<Self, SetUpError> {
        if !argon2id::is_right_on_this_processor() {
            return Err(SetUpError::Processor);
        }
        let argon2 = argon2id::with(cost).map_err(SetUpError::Cost)?;
        let workers = Workers::start(cost.max_concurrent, cost.max_queued, argon2).map_err(SetUpError::Threads)?;
        Ok(Self { workers, entropy, upgrade: cost.upgrade })
    }
}

/// How much there is to hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// How many hashes are being made.
    pub running: usize,
    /// How many wait for a thread.
    pub queued: usize,
    /// How many were refused since the start, because they would have waited for too long.
    pub refused: u64,
}

impl Hasher {
    /// How much there is to hash.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.workers.load().statistics()
    }

    /// From now on this is told how long each hash took. Only the first one counts.
    pub fn be_observed_by(&self, observer: impl Fn(Duration) + Send + Sync + 'static) {
        self.workers.load().be_observed_by(Box::new(observer));
    }
}

#[async_trait]
impl PasswordHasher for Hasher {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        let password = password.clone();
        let mut salt = [0_u8; 16];
        self.entropy.fill(&mut salt);
        self.workers.run("hash password", move |argon2id| argon2id.hash(&password, &salt)).await?
    }

    async fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> Result<Verdict, HashingError> {
        let password = password.clone();
        let hash = hash.cloned();
        let upgrade = self.upgrade;
        let verdict = self.workers.run("verify password", move |argon2id| match hash {
            Some(hash) if legacy::is_legacy(&hash) => legacy::verify(&password, &hash),
            hash => argon2id.verify(&password, hash.as_ref()),
        });
        Ok(match verdict.await?? {
            Verdict::RightButOutdated if !upgrade => Verdict::Right,
            verdict => verdict,
        })
    }
}

#[cfg(test)]
mod tests;

//! Numbers that are like no other.

use std::sync::atomic::{AtomicU64, Ordering};

use markt_domain::ports::entropy::Entropy;

/// Gives numbers that no other process gives. They are no secret: what is drawn tells this process from others, which then
/// counts. To draw each would take a system call.
pub struct UniqueNumbers {
    process: u64,
    next: AtomicU64,
}

impl UniqueNumbers {
    /// Numbers of this process.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut process = [0; 8];
        entropy.fill(&mut process);
        Self { process: u64::from_be_bytes(process), next: AtomicU64::new(0) }
    }

    /// The next one.
    pub fn next(&self) -> u128 {
        u128::from(self.process) << 64 | u128::from(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

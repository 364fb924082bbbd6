//! Where randomness comes from.

/// A source of randomness, fit for secrets.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// Bytes that count up, for tests within this crate.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Counting(std::sync::atomic::AtomicU8);

#[cfg(test)]
impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

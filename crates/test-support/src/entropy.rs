//! Randomness for tests.

use std::fs::File;
use std::io::Read as _;

use markt_domain::ports::entropy::Entropy;

/// The machine's randomness: what fixtures draw their ids and secrets from, so that tests that share a Redis don't
/// meet in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineEntropy;

impl Entropy for MachineEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(buffer).unwrap();
    }
}

//! Randomness, from the machine: nothing here is to happen the same way twice.

use crate::cli::Error;

/// So many random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    #[expect(clippy::disallowed_methods, reason = "the benchmark has no Entropy port: it knows nothing of the domain")]
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

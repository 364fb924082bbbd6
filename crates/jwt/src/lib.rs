//! JSON Web Tokens (RFC 7519), signed with EdDSA (RFC 8037) or HS256.
//!
//! After RFC 8725: the algorithm is the configured one, whatever a token's header says, and belongs to the key; so no
//! public key can be taken for a secret, and `none` for a signature. Nothing is read before the signature is verified but
//! the header. A token that names critical extensions is refused, since none are known. Times are checked by the clock
//! that the service goes by.

mod claims;
mod key;
mod signer;

pub use key::{Jwks, KeyError, PublicKey, SigningKey, VerifyingKey, generate_key};
pub use signer::{JwtSigner, JwtVerifier, Parties};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;

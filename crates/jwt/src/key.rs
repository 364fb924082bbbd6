//! Keys: what tokens are signed with, and how their public halves are published.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{SigningKey as Ed25519Key, VerifyingKey as Ed25519PublicKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use markt_domain::digest::Digest;
use markt_domain::ports::entropy::Entropy;
use serde::Serialize;
use zeroize::Zeroizing;

/// Why a key can't be used. Says nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No private key.
    #[error("not an Ed25519 private key in PKCS #8 PEM: `openssl genpkey -algorithm ed25519` makes one")]
    NotAPrivateKey,
    /// No public key.
    #[error("not an Ed25519 public key in PEM: `openssl pkey -pubout` makes one of a private key")]
    NotAPublicKey,
    /// The public key isn't the private key's.
    #[error("the public key isn't the private key's")]
    NotAPair,
}

/// What tokens are signed with. Never shown.
#[derive(Clone)]
pub enum SigningKey {
    /// A secret, for HS256.
    Hs256(Zeroizing<Vec<u8>>),
    /// A key pair, for EdDSA.
    EdDsa(Box<Ed25519Key>),
}

impl SigningKey {
    /// A secret, for HS256.
    #[must_use]
    pub fn secret(secret: &str) -> Self {
        Self::Hs256(Zeroizing::new(secret.as_bytes().to_vec()))
    }

    /// A private key in PKCS #8 PEM, for EdDSA.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = Ed25519Key::from_pkcs8_pem(pem).map_err(|_| KeyError::NotAPrivateKey)?;
        Ok(Self::EdDsa(Box::new(key)))
    }

    /// Makes sure that this is its public key.
    ///
    /// # Errors
    /// If it isn't.
    pub fn expect_public(&self, public: &PublicKey) -> Result<(), KeyError> {
        match self {
            Self::EdDsa(key) if key.verifying_key() == public.0 => Ok(()),
            _ => Err(KeyError::NotAPair),
        }
    }

    /// What verifies the tokens.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        match self {
            Self::Hs256(secret) => VerifyingKey::Hs256(secret.clone()),
            Self::EdDsa(key) => VerifyingKey::EdDsa(PublicKey(key.verifying_key())),
        }
    }

    pub(crate) fn encoding(&self) -> Result<EncodingKey, KeyError> {
        match self {
            Self::Hs256(secret) => Ok(EncodingKey::from_secret(secret)),
            Self::EdDsa(key) => {
                let der = key.to_pkcs8_der().map_err(|_| KeyError::NotAPrivateKey)?;
                Ok(EncodingKey::from_ed_der(der.as_bytes()))
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256(_) => "Hs256(…)",
            Self::EdDsa(_) => "EdDsa(…)",
        })
    }
}

/// What tokens are verified by. Never shown.
#[derive(Clone)]
pub enum VerifyingKey {
    /// A secret, for HS256.
    Hs256(Zeroizing<Vec<u8>>),
    /// A public key, for EdDSA.
    EdDsa(PublicKey),
}

impl VerifyingKey {
    /// A secret, for HS256.
    #[must_use]
    pub fn secret(secret: &str) -> Self {
        Self::Hs256(Zeroizing::new(secret.as_bytes().to_vec()))
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::HS256,
            Self::EdDsa(_) => Algorithm::EdDSA,
        }
    }

    pub(crate) fn decoding(&self) -> DecodingKey {
        match self {
            Self::Hs256(secret) => DecodingKey::from_secret(secret),
            Self::EdDsa(key) => DecodingKey::from_ed_der(key.0.as_bytes()),
        }
    }

    /// The public key, if there is one, as it is published.
    pub(crate) fn jwk(&self) -> Option<Jwk> {
        match self {
            Self::Hs256(_) => None,
            Self::EdDsa(key) => Some(Jwk::new(&key.0)),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hs256(_) => "Hs256(…)",
            Self::EdDsa(_) => "EdDsa(…)",
        })
    }
}

/// Makes a private key, in PKCS #8 PEM, without its public half (RFC 8410, 7): OpenSSL 3.0 doesn't read one that has it.
///
/// # Errors
/// If it can't be written down.
pub fn generate_key(entropy: &dyn Entropy) -> Result<Zeroizing<String>, KeyError> {
    let mut key = KeypairBytes { secret_key: [0; 32], public_key: None };
    entropy.fill(&mut key.secret_key);
    key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::NotAPrivateKey)
}

/// A public key.
#[derive(Clone, Debug)]
pub struct PublicKey(Ed25519PublicKey);

impl PublicKey {
    /// A public key in PEM.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Ed25519PublicKey::from_public_key_pem(pem).map(Self).map_err(|_| KeyError::NotAPublicKey)
    }
}

/// The public keys by which others can verify tokens (RFC 7517).
#[derive(Clone, Debug, Serialize)]
pub struct Jwks {
    pub(crate) keys: Vec<Jwk>,
}

impl Jwks {
    /// As they are published.
    #[must_use]
    pub fn to_json(&self) -> String {
        // There is nothing in them that can't be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A public key of the curve Ed25519 (RFC 8037, 2).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    pub(crate) kid: String,
}

impl Jwk {
    /// Its id is its thumbprint (RFC 7638; RFC 8037, appendix A.3), so that it is the same wherever it comes from.
    fn new(key: &Ed25519PublicKey) -> Self {
        let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
        let thumbprint = Digest::of(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint.as_bytes());
        Self { kty: "OKP", crv: "Ed25519", x, usage: "sig", alg: "EdDSA", kid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.1 and A.2: the private key in PKCS #8.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

    #[test]
    fn the_published_key_is_that_of_rfc_8037() {
        let jwk = SigningKey::from_pem(PRIVATE).unwrap().verifying().jwk().unwrap();
        assert_eq!(
            serde_json::to_value(&jwk).unwrap(),
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            })
        );
    }

    /// The seed of that key (RFC 8037, appendix A.1).
    struct Seed;

    impl Entropy for Seed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.copy_from_slice(&URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap());
        }
    }

    #[test]
    fn a_key_is_written_as_openssl_writes_one() {
        assert_eq!(generate_key(&Seed).unwrap().as_str(), PRIVATE);
    }

    #[test]
    fn a_key_in_the_second_version_of_pkcs_8_is_read_too() {
        let SigningKey::EdDsa(key) = SigningKey::from_pem(PRIVATE).unwrap() else { panic!("another key") };
        let second = key.to_pkcs8_pem(LineEnding::LF).unwrap();
        assert_ne!(second.as_str(), PRIVATE);
        let SigningKey::EdDsa(again) = SigningKey::from_pem(&second).unwrap() else { panic!("another key") };
        assert_eq!(again.to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_secret_is_not_published() {
        assert!(SigningKey::secret("geheim").verifying().jwk().is_none());
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        for text in ["", "geheim", "-----BEGIN PRIVATE KEY-----\nZ2VoZWlt\n-----END PRIVATE KEY-----\n"] {
            let error = SigningKey::from_pem(text).unwrap_err();
            assert_eq!(error, KeyError::NotAPrivateKey);
            assert!(!error.to_string().contains("geheim"));
            assert_eq!(PublicKey::from_pem(text).unwrap_err(), KeyError::NotAPublicKey);
        }
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let key = format!("{:?} {:?}", SigningKey::from_pem(PRIVATE).unwrap(), SigningKey::secret("geheim"));
        assert_eq!(key, "EdDsa(…) Hs256(…)");
    }
}

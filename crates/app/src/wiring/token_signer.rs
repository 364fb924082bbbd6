//! What tokens are signed with, and verified by.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use markt_jwt::{JwtSigner, JwtVerifier, KeyError, Parties, PublicKey, SigningKey, VerifyingKey, generate_key};
use zeroize::Zeroizing;

use super::Surroundings;
use crate::config::values::{AuthMode, Environment, JwtAlgorithm};
use crate::config::{Config, JwtIssuer};

/// Where the key is kept that is made in development, unless another place is configured.
const DEVELOPMENT_KEY: &str = "data/jwt-ed25519.pem";

/// Why tokens can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// A file can't be read or written.
    #[error("{key} = {path:?}")]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in it is no key.
    #[error("{key} = {path:?}")]
    Key {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// Nothing can be signed with what is configured.
    #[error("jwt.*: nothing can be signed with this key")]
    Useless(#[source] KeyError),
}

/// What signs tokens, if the service works by them.
pub(super) fn open(config: &Config, surroundings: &Surroundings) -> Result<Option<Arc<JwtSigner>>, SignerError> {
    if config.auth.mode == AuthMode::Session {
        return Ok(None);
    }
    let own = &config.jwt.own;
    let key = match (own.algorithm, &own.secret) {
        (Some(JwtAlgorithm::Hs256), Some(secret)) => SigningKey::secret(secret.expose()),
        _ => key_pair(own, config.env, surroundings)?,
    };
    let parties = Parties { issuer: own.issuer.clone(), audience: own.audience.clone() };
    JwtSigner::new(&key, parties).map(|signer| Some(Arc::new(signer))).map_err(SignerError::Useless)
}

/// What verifies the tokens of the system that this service takes the place of, if there is any.
pub(super) fn open_legacy(config: &Config) -> Result<Option<Arc<JwtVerifier>>, SignerError> {
    const PUBLIC: &str = "jwt.legacy.public_key_file";
    const PRIVATE: &str = "jwt.legacy.private_key_file";
    let legacy = &config.jwt.legacy;
    if config.auth.mode != AuthMode::Dual {
        return Ok(None);
    }
    let key = match (legacy.algorithm(), &legacy.secret, &legacy.public_key_file, &legacy.private_key_file) {
        (Some(JwtAlgorithm::Hs256), Some(secret), ..) => VerifyingKey::secret(secret.expose()),
        (Some(JwtAlgorithm::EdDsa), _, Some(path), _) => {
            let public = PublicKey::from_pem(&read(PUBLIC, path)?).map_err(|source| no_key(PUBLIC, path, source))?;
            VerifyingKey::EdDsa(public)
        }
        (Some(JwtAlgorithm::EdDsa), _, None, Some(path)) => {
            let pair = SigningKey::from_pem(&read(PRIVATE, path)?).map_err(|source| no_key(PRIVATE, path, source))?;
            pair.verifying()
        }
        _ => return Ok(None),
    };
    let parties = Parties { issuer: legacy.issuer.clone(), audience: legacy.audience.clone() };
    Ok(Some(Arc::new(JwtVerifier::new(&key, &parties))))
}

/// Makes sure that tokens can be signed and verified. A key that will be made at the start is as good as one.
pub(super) fn examine(config: &Config, surroundings: &Surroundings) -> Result<(), SignerError> {
    let own = &config.jwt.own;
    let path = own.private_key_file.as_deref().unwrap_or(Path::new(DEVELOPMENT_KEY));
    let will_be_made =
        config.env == Environment::Development && own.algorithm != Some(JwtAlgorithm::Hs256) && !path.exists();
    if !will_be_made {
        open(config, surroundings)?;
    }
    open_legacy(config).map(drop)
}

fn key_pair(own: &JwtIssuer, env: Environment, surroundings: &Surroundings) -> Result<SigningKey, SignerError> {
    const PRIVATE: &str = "jwt.private_key_file";
    const PUBLIC: &str = "jwt.public_key_file";
    let path = own.private_key_file.as_deref().unwrap_or(Path::new(DEVELOPMENT_KEY));
    if env == Environment::Development {
        make_unless_there(path, surroundings).map_err(|source| file(PRIVATE, path, source))?;
    }
    let pair = SigningKey::from_pem(&read(PRIVATE, path)?).map_err(|source| no_key(PRIVATE, path, source))?;
    if let Some(path) = &own.public_key_file {
        let public = PublicKey::from_pem(&read(PUBLIC, path)?).map_err(|source| no_key(PUBLIC, path, source))?;
        pair.expect_public(&public).map_err(|source| no_key(PUBLIC, path, source))?;
    }
    Ok(pair)
}

fn read(key: &'static str, path: &Path) -> Result<Zeroizing<String>, SignerError> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|source| file(key, path, source))
}

fn file(key: &'static str, path: &Path, source: io::Error) -> SignerError {
    SignerError::File { key, path: path.to_owned(), source }
}

fn no_key(key: &'static str, path: &Path, source: KeyError) -> SignerError {
    SignerError::Key { key, path: path.to_owned(), source }
}

/// Makes a private key that its owner alone can read. Of several processes that start at once, one makes it: it appears
/// under its name whole.
fn make_unless_there(path: &Path, surroundings: &Surroundings) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let pem = generate_key(surroundings.entropy.as_ref()).map_err(io::Error::other)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pem.as_bytes())?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            tracing::info!(path = %path.display(), "made a key to sign tokens with");
            Ok(())
        }
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

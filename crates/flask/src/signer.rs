//! Signatures as `itsdangerous` makes them, with HMAC-SHA1 and a key that is derived from the secret key and a salt.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::InvalidLength;
use hmac::{Hmac, Mac as _};
use markt_domain::session::SessionSecret;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The salt of Flask's own sessions.
const COOKIE_SALT: &[u8] = b"cookie-session";

/// The salt of Flask-Session's signed ids (`SESSION_USE_SIGNER`).
const ID_SALT: &[u8] = b"flask-session";

/// What the secrets of successors are derived with; it is this service's own.
const SUCCESSOR_SALT: &[u8] = b"markt-auth successor\n";

/// What can be signed with an application's secret key, up to the texts.
pub(crate) struct Keys {
    cookies: Hmac<Sha1>,
    ids: Hmac<Sha1>,
    successors: Hmac<Sha256>,
}

impl Keys {
    pub(crate) fn derive(secret: &[u8]) -> Result<Self, InvalidLength> {
        let salted = |salt: &[u8]| {
            let key = Zeroizing::new(<[u8; 20]>::from(
                Hmac::<Sha1>::new_from_slice(secret)?.chain_update(salt).finalize().into_bytes(),
            ));
            Hmac::new_from_slice(key.as_slice())
        };
        let successors = Hmac::<Sha256>::new_from_slice(secret)?.chain_update(SUCCESSOR_SALT);
        Ok(Self { cookies: salted(COOKIE_SALT)?, ids: salted(ID_SALT)?, successors })
    }

    /// What is signed of a text that ends in its signature by which Flask vouches for a session.
    pub(crate) fn cookie<'a>(&self, signed: &'a str) -> Option<&'a str> {
        unsign(&self.cookies, signed)
    }

    /// What is signed of a text that ends in its signature by which Flask-Session vouches for an id.
    pub(crate) fn id<'a>(&self, signed: &'a str) -> Option<&'a str> {
        unsign(&self.ids, signed)
    }

    /// The secret of the session that takes the place of the one with this identity.
    pub(crate) fn successor(&self, identity: &str) -> SessionSecret {
        let mac = self.successors.clone().chain_update(identity);
        let bits = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        SessionSecret::from_bits(&bits)
    }
}

fn unsign<'a>(key: &Hmac<Sha1>, signed: &'a str) -> Option<&'a str> {
    let (text, signature) = signed.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    // In constant time.
    key.clone().chain_update(text).verify_slice(&signature).ok()?;
    Some(text)
}

//! Signing and verifying.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::token_signer::{TokenSigner, TokenVerifier};
use markt_domain::tokens::{AccessClaims, InvalidToken, RefreshClaims, Token};

use crate::MAX_TOKEN;
use crate::claims::{Issued, Presented};
use crate::key::{Jwks, KeyError, SigningKey, VerifyingKey};

/// Who issues tokens, and for whom. What is given stands in each token, and has to stand in each that is accepted.
#[derive(Clone, Debug, Default)]
pub struct Parties {
    /// `iss`
    pub issuer: Option<String>,
    /// `aud`
    pub audience: Option<String>,
}

/// Verifies tokens that were signed with a key.
pub struct JwtVerifier {
    decoding: DecodingKey,
    validation: Validation,
}

impl JwtVerifier {
    /// A verifier by this key, of tokens between these parties.
    #[must_use]
    pub fn new(key: &VerifyingKey, parties: &Parties) -> Self {
        Self { decoding: key.decoding(), validation: validation(key.algorithm(), parties) }
    }

    fn verify(&self, text: &str) -> Result<Presented, InvalidToken> {
        if text.len() > MAX_TOKEN {
            return Err(InvalidToken::Foreign);
        }
        let TokenData { header, claims } = jsonwebtoken::decode::<Presented>(text, &self.decoding, &self.validation)
            .map_err(|error| match error.kind() {
                // Of the claims, if the header could be read.
                ErrorKind::Json(_) if jsonwebtoken::decode_header(text).is_ok() => InvalidToken::Absurd,
                _ => InvalidToken::Foreign,
            })?;
        // RFC 7515, 4.1.11.
        if header.crit.is_some() { Err(InvalidToken::Foreign) } else { Ok(claims) }
    }
}

impl TokenVerifier for JwtVerifier {
    fn read_access(&self, text: &str, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        self.verify(text)?.into_access(now)
    }
}

/// Signs tokens with a key, and verifies those that were signed with it.
pub struct JwtSigner {
    header: Header,
    encoding: EncodingKey,
    verifier: JwtVerifier,
    parties: Parties,
    jwks: Option<Jwks>,
}

impl JwtSigner {
    /// A signer with this key.
    ///
    /// # Errors
    /// If nothing can be signed with it.
    pub fn new(key: &SigningKey, parties: Parties) -> Result<Self, KeyError> {
        let verifying = key.verifying();
        let jwk = verifying.jwk();
        let mut header = Header::new(verifying.algorithm());
        header.kid = jwk.as_ref().map(|jwk| jwk.kid.clone());
        let signer = Self {
            header,
            encoding: key.encoding()?,
            verifier: JwtVerifier::new(&verifying, &parties),
            parties,
            jwks: jwk.map(|jwk| Jwks { keys: vec![jwk] }),
        };
        // Found out now, instead of at the first login.
        jsonwebtoken::encode(&signer.header, &(), &signer.encoding).map_err(|_| KeyError::NotAPrivateKey)?;
        Ok(signer)
    }

    /// The public keys by which others can verify tokens; nothing where the key is a secret.
    #[must_use]
    pub const fn jwks(&self) -> Option<&Jwks> {
        self.jwks.as_ref()
    }

    fn sign(&self, claims: &Issued<'_>) -> Result<Token, StoreError> {
        let signed = jsonwebtoken::encode(&self.header, claims, &self.encoding);
        signed.map(Token::new).map_err(|error| StoreError::unreadable("sign token", error))
    }
}

impl TokenVerifier for JwtSigner {
    fn read_access(&self, text: &str, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        self.verifier.read_access(text, now)
    }
}

impl TokenSigner for JwtSigner {
    fn sign_access(&self, claims: &AccessClaims) -> Result<Token, StoreError> {
        self.sign(&Issued::access(claims, &self.parties))
    }

    fn sign_refresh(&self, claims: &RefreshClaims) -> Result<Token, StoreError> {
        self.sign(&Issued::refresh(claims, &self.parties))
    }

    fn read_refresh(&self, text: &str, now: Timestamp) -> Result<RefreshClaims, InvalidToken> {
        self.verifier.verify(text)?.into_refresh(now)
    }
}

/// Times are checked by our own clock, not by the machine's.
fn validation(algorithm: Algorithm, parties: &Parties) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = parties.audience.is_some();
    let mut required = vec!["exp", "sub"];
    if let Some(issuer) = &parties.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = &parties.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

//! Tokens that somebody made who hasn't got the key (RFC 8725, 2).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use markt_domain::Timestamp;
use markt_domain::ports::token_signer::TokenVerifier as _;
use markt_domain::tokens::InvalidToken;
use markt_jwt::SigningKey;
use serde_json::{Value, json};

use crate::{PRIVATE_KEY, SECRET, with};

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_768_473_000_000);

/// The public key that belongs to `PRIVATE_KEY` (RFC 8037, appendix A.2), which is published.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn claims() -> Value {
    json!({"sub": "USR_7K2M9QXA", "jti": "1", "iat": 1_768_473_000, "exp": 1_768_473_900})
}

/// A public key taken for a secret is one that everybody knows.
#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_not_accepted() {
    let signer = with(&SigningKey::from_pem(PRIVATE_KEY).unwrap());
    let raw = URL_SAFE_NO_PAD.decode(X).unwrap();
    let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00][..], &raw].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    for secret in [raw.as_slice(), &der, pem.as_bytes(), pem.trim_end().as_bytes(), X.as_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&Header::new(algorithm), &claims(), &key).unwrap();
            assert_eq!(signer.read_access(&token, NOW), Err(InvalidToken::Foreign));
        }
    }
}

/// The key that a token brings along is the attacker's.
#[test]
fn a_key_that_a_token_names_or_brings_is_not_used() {
    let signer = with(&SigningKey::secret(SECRET));
    let key = EncodingKey::from_secret(b"the attacker's secret of forty characters");
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("../../dev/null".into());
    header.jku = Some("https://attacker.example/jwks.json".into());
    let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    assert_eq!(signer.read_access(&token, NOW), Err(InvalidToken::Foreign));
}

#[test]
fn a_token_without_a_signature_is_not_accepted_whatever_it_calls_that() {
    let [by_secret, by_key] =
        [SigningKey::secret(SECRET), SigningKey::from_pem(PRIVATE_KEY).unwrap()].map(|key| with(&key));
    for algorithm in ["none", "None", "NONE", "", "HS256", "EdDSA"] {
        let [head, body] =
            [json!({"alg": algorithm, "typ": "JWT"}), claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        for token in [format!("{head}.{body}."), format!("{head}.{body}"), format!("{head}.{body}.AA")] {
            assert!(by_secret.read_access(&token, NOW).is_err(), "{algorithm}");
            assert!(by_key.read_access(&token, NOW).is_err(), "{algorithm}");
        }
    }
}

/// With the right key: by mistake, or by another service that shares it.
#[test]
fn claims_of_the_wrong_type_are_not_accepted() {
    let (signer, key) = (with(&SigningKey::secret(SECRET)), EncodingKey::from_secret(SECRET.as_bytes()));
    for (name, value) in [
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("sub", json!("USR_\u{0}")),
        ("sub", json!("U".repeat(257))),
        ("jti", json!({})),
        ("iat", json!("1768473000")),
        ("iat", json!(true)),
        ("exp", json!("never")),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("nbf", json!([])),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert!(signer.read_access(&token, NOW).is_err(), "{name}: {value}");
    }
    for value in [json!("USR_7K2M9QXA"), json!([claims()]), json!(null)] {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &value, &key).unwrap();
        assert!(signer.read_access(&token, NOW).is_err(), "{value}");
    }
}

/// A role of somebody else's making is none, and a time of the password in the future gives nobody a fresh session.
#[test]
fn claims_that_are_ours_alone_give_nothing_if_they_make_no_sense() {
    let (signer, key) = (with(&SigningKey::secret(SECRET)), EncodingKey::from_secret(SECRET.as_bytes()));
    let mut claims = claims();
    claims["role"] = json!("admin");
    claims["sid"] = json!("42");
    claims["auth_time"] = json!(1_799_999_999);
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
    let read = signer.read_access(&token, NOW).unwrap();
    assert_eq!((read.role, read.session, read.authenticated_at), (None, None, None));
}

//! Tokens that PyJWT made: `pyjwt.py` says how.

use std::collections::BTreeMap;

use markt_domain::Timestamp;
use markt_domain::ports::token_signer::{TokenSigner as _, TokenVerifier as _};
use markt_domain::tokens::{AccessClaims, InvalidToken};
use markt_domain::user::UserId;
use markt_jwt::{JwtSigner, Parties, SigningKey};

use crate::{PRIVATE_KEY, SECRET, with};

type Vectors = BTreeMap<String, BTreeMap<String, String>>;

/// When they were issued.
const ISSUED: Timestamp = Timestamp::from_unix_milliseconds(1_768_473_000_000);

fn vectors(name: &str) -> BTreeMap<String, String> {
    let mut all: Vectors = serde_json::from_str(include_str!("pyjwt.json")).unwrap();
    all.remove(name).unwrap()
}

fn by_secret() -> JwtSigner {
    with(&SigningKey::secret(SECRET))
}

fn for_parties() -> JwtSigner {
    let parties = Parties { issuer: Some("https://auth.example.com".into()), audience: Some("markt".into()) };
    JwtSigner::new(&SigningKey::secret(SECRET), parties).unwrap()
}

fn expected() -> AccessClaims {
    AccessClaims {
        id: "0f8fad5b".into(),
        user_id: UserId::from_store("USR_7K2M9QXA"),
        session: None,
        role: None,
        authenticated_at: None,
        issued_at: ISSUED,
        expires_at: Timestamp::from_unix_milliseconds(ISSUED.unix_milliseconds() + 900_000),
    }
}

#[test]
fn a_token_that_says_no_more_than_it_has_to_is_accepted() {
    assert_eq!(by_secret().read_access(&vectors("hs256")["plain"], ISSUED), Ok(expected()));
    let by_key = with(&SigningKey::from_pem(PRIVATE_KEY).unwrap());
    assert_eq!(by_key.read_access(&vectors("eddsa")["plain"], ISSUED), Ok(expected()));
}

#[test]
fn times_may_have_fractions() {
    let claims = by_secret().read_access(&vectors("hs256")["with_fractions"], ISSUED).unwrap();
    assert_eq!(claims.issued_at.unix_milliseconds() - ISSUED.unix_milliseconds(), 250);
}

#[test]
fn a_token_signed_otherwise_is_not_accepted() {
    for (name, token) in vectors("of_others") {
        assert_eq!(by_secret().read_access(&token, ISSUED), Err(InvalidToken::Foreign), "{name}");
    }
}

#[test]
fn a_token_whose_claims_are_missing_or_make_no_sense_is_not_accepted() {
    for (name, token) in vectors("absurd") {
        let read = by_secret().read_access(&token, ISSUED);
        assert!(matches!(read, Err(InvalidToken::Absurd | InvalidToken::Foreign)), "{name}: {read:?}");
    }
}

#[test]
fn a_refresh_token_is_told_by_the_names_that_others_give_it() {
    for (name, token) in vectors("refresh") {
        assert_eq!(by_secret().read_access(&token, ISSUED), Err(InvalidToken::WrongKind), "{name}");
        assert!(by_secret().read_refresh(&token, ISSUED).is_err(), "{name} has no session");
    }
}

#[test]
fn where_parties_are_configured_a_token_has_to_name_them() {
    for (name, token) in vectors("for_parties") {
        assert_eq!(for_parties().read_access(&token, ISSUED), Ok(expected()), "{name}");
    }
    for (name, token) in vectors("for_other_parties").into_iter().chain(vectors("hs256")) {
        assert_eq!(for_parties().read_access(&token, ISSUED), Err(InvalidToken::Foreign), "{name}");
    }
}

#[test]
fn where_none_are_configured_a_token_may_name_any() {
    for (name, token) in vectors("for_parties").into_iter().chain(vectors("for_other_parties")) {
        assert!(by_secret().read_access(&token, ISSUED).is_ok(), "{name}");
    }
}

#[test]
fn our_tokens_name_the_parties_that_are_configured() {
    let token = for_parties().sign_access(&expected()).unwrap();
    assert_eq!(for_parties().read_access(token.expose(), ISSUED), Ok(expected()));
    let token = by_secret().sign_access(&expected()).unwrap();
    assert_eq!(for_parties().read_access(token.expose(), ISSUED), Err(InvalidToken::Foreign));
}

//! What every [`TokenSigner`] promises.
//!
//! ```ignore
//! token_signer_contract!(with_hs256, async { Fixture::hs256() });
//! ```
//!
//! makes a test of each promise in a module `with_hs256`.

use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::token_signer::TokenSigner;
use markt_domain::role::Role;
use markt_domain::session::SessionSecret;
use markt_domain::tokens::{AccessClaims, InvalidToken, LEEWAY, RefreshClaims};

use crate::entropy::MachineEntropy;
use crate::fixtures;

/// A signer to be tested.
pub trait TokenSignerFixture: Send + Sync {
    /// The signer under test.
    fn signer(&self) -> &dyn TokenSigner;

    /// Another one of the same kind, with another key.
    fn another(&self) -> &dyn TokenSigner;
}

type Fixture<'a> = &'a dyn TokenSignerFixture;

/// Makes a test of each promise of a token signer: `token_signer_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::token_signer`](crate::contracts::token_signer).
#[macro_export]
macro_rules! token_signer_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { token_signer, $name, $make, [
            an_access_token_says_what_was_signed,
            a_refresh_token_says_what_was_signed,
            the_same_claims_give_the_same_token,
            a_token_is_accepted_until_it_expires_and_no_longer,
            clocks_may_differ_by_the_leeway_when_a_token_is_issued,
            neither_kind_of_token_passes_for_the_other,
            a_token_that_was_changed_anywhere_is_not_accepted,
            a_token_that_was_put_together_of_two_is_not_accepted,
            a_token_signed_with_another_key_is_not_accepted,
            what_is_no_token_is_not_accepted,
            a_token_of_more_than_8_kib_is_not_accepted,
            a_token_does_not_show_in_debug_output,
        ] }
    };
}

/// Tokens know whole seconds.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_unix_milliseconds(time.unix_milliseconds().div_euclid(1000) * 1000)
}

fn access_claims() -> AccessClaims {
    let now = whole_seconds(fixtures::now());
    AccessClaims {
        id: "8d5b1ec1".into(),
        user_id: fixtures::user_id(),
        session: Some(SessionSecret::generate(&MachineEntropy).id()),
        role: Some(Role::Seller),
        authenticated_at: Some(now),
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(900)),
    }
}

fn refresh_claims() -> RefreshClaims {
    let now = whole_seconds(fixtures::now());
    RefreshClaims {
        user_id: fixtures::user_id(),
        session: SessionSecret::generate(&MachineEntropy).id(),
        generation: NonZeroU32::new(7).unwrap(),
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(7 * 24 * 3600)),
    }
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_unix_milliseconds(time.unix_milliseconds() - i64::try_from(by.as_millis()).unwrap())
}

/// Its parties are the signer's own affair.
pub async fn an_access_token_says_what_was_signed(fixture: Fixture<'_>) {
    let claims = access_claims();
    let least = AccessClaims { session: None, role: None, authenticated_at: None, ..claims.clone() };
    for claims in [claims, least] {
        let token = fixture.signer().sign_access(&claims).unwrap();
        assert_eq!(fixture.signer().read_access(token.expose(), claims.issued_at), Ok(claims));
    }
}

/// The same.
pub async fn a_refresh_token_says_what_was_signed(fixture: Fixture<'_>) {
    let claims = refresh_claims();
    let token = fixture.signer().sign_refresh(&claims).unwrap();
    assert_eq!(fixture.signer().read_refresh(token.expose(), claims.issued_at), Ok(claims));
}

/// So that two requests that are answered the same get the same.
pub async fn the_same_claims_give_the_same_token(fixture: Fixture<'_>) {
    let (access, refresh) = (access_claims(), refresh_claims());
    let signer = fixture.signer();
    assert_eq!(signer.sign_access(&access).unwrap(), signer.sign_access(&access).unwrap());
    assert_eq!(signer.sign_refresh(&refresh).unwrap(), signer.sign_refresh(&refresh).unwrap());
    let next = RefreshClaims { generation: refresh.generation.saturating_add(1), ..refresh.clone() };
    assert_ne!(signer.sign_refresh(&next).unwrap(), signer.sign_refresh(&refresh).unwrap());
}

/// To the millisecond, whatever the leeway.
pub async fn a_token_is_accepted_until_it_expires_and_no_longer(fixture: Fixture<'_>) {
    let (access, refresh) = (access_claims(), refresh_claims());
    let signer = fixture.signer();
    let (access_token, refresh_token) = (signer.sign_access(&access).unwrap(), signer.sign_refresh(&refresh).unwrap());
    let moment = Duration::from_millis(1);
    assert!(signer.read_access(access_token.expose(), earlier(access.expires_at, moment)).is_ok());
    assert_eq!(signer.read_access(access_token.expose(), access.expires_at), Err(InvalidToken::Expired));
    assert!(signer.read_refresh(refresh_token.expose(), earlier(refresh.expires_at, moment)).is_ok());
    assert_eq!(signer.read_refresh(refresh_token.expose(), refresh.expires_at), Err(InvalidToken::Expired));
}

/// Two nodes don't have the very same time.
pub async fn clocks_may_differ_by_the_leeway_when_a_token_is_issued(fixture: Fixture<'_>) {
    let claims = access_claims();
    let token = fixture.signer().sign_access(&claims).unwrap();
    let read = |time| fixture.signer().read_access(token.expose(), time);
    assert!(read(earlier(claims.issued_at, LEEWAY)).is_ok());
    assert_eq!(read(earlier(claims.issued_at, LEEWAY + Duration::from_millis(1))), Err(InvalidToken::Absurd));
}

/// Or a refresh token would be good for requests, for days.
pub async fn neither_kind_of_token_passes_for_the_other(fixture: Fixture<'_>) {
    let (access, refresh) = (access_claims(), refresh_claims());
    let signer = fixture.signer();
    let (access_token, refresh_token) = (signer.sign_access(&access).unwrap(), signer.sign_refresh(&refresh).unwrap());
    assert_eq!(signer.read_access(refresh_token.expose(), refresh.issued_at), Err(InvalidToken::WrongKind));
    assert_eq!(signer.read_refresh(access_token.expose(), access.issued_at), Err(InvalidToken::WrongKind));
}

/// Wherever it was.
pub async fn a_token_that_was_changed_anywhere_is_not_accepted(fixture: Fixture<'_>) {
    let claims = access_claims();
    let token = fixture.signer().sign_access(&claims).unwrap();
    for place in 0..token.expose().len() {
        let mut bytes = token.expose().as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(fixture.signer().read_access(&changed, claims.issued_at).is_err(), "changed at {place}");
    }
}

/// The claims of the one with the signature of the other.
pub async fn a_token_that_was_put_together_of_two_is_not_accepted(fixture: Fixture<'_>) {
    let (mine, anothers) = (access_claims(), access_claims());
    let [mine, theirs] = [&mine, &anothers].map(|claims| fixture.signer().sign_access(claims).unwrap());
    let (_, signature) = mine.expose().rsplit_once('.').unwrap();
    let (claims, _) = theirs.expose().rsplit_once('.').unwrap();
    let read = fixture.signer().read_access(&format!("{claims}.{signature}"), anothers.issued_at);
    assert_eq!(read, Err(InvalidToken::Foreign));
}

/// Whatever it says.
pub async fn a_token_signed_with_another_key_is_not_accepted(fixture: Fixture<'_>) {
    let (access, refresh) = (access_claims(), refresh_claims());
    let token = fixture.another().sign_access(&access).unwrap();
    assert_eq!(fixture.signer().read_access(token.expose(), access.issued_at), Err(InvalidToken::Foreign));
    let token = fixture.another().sign_refresh(&refresh).unwrap();
    assert_eq!(fixture.signer().read_refresh(token.expose(), refresh.issued_at), Err(InvalidToken::Foreign));
}

/// Nor does it make trouble.
pub async fn what_is_no_token_is_not_accepted(fixture: Fixture<'_>) {
    let claims = access_claims();
    let token = fixture.signer().sign_access(&claims).unwrap();
    let (unsigned, _) = token.expose().rsplit_once('.').unwrap();
    for text in
        ["", ".", "..", "...", "a.b.c", "é.é.é", "null", "{}", unsigned, &format!("{unsigned}."), &"a".repeat(43)]
    {
        assert!(fixture.signer().read_access(text, claims.issued_at).is_err(), "{text}");
        assert!(fixture.signer().read_refresh(text, claims.issued_at).is_err(), "{text}");
    }
    for changed in [format!(" {}", token.expose()), format!("{} ", token.expose()), format!("{}.", token.expose())] {
        assert!(fixture.signer().read_access(&changed, claims.issued_at).is_err(), "{changed}");
    }
}

/// However well it is signed.
pub async fn a_token_of_more_than_8_kib_is_not_accepted(fixture: Fixture<'_>) {
    let claims = AccessClaims { id: "a".repeat(6 * 1024), ..access_claims() };
    let token = fixture.signer().sign_access(&claims).unwrap();
    assert!(token.expose().len() > 8 * 1024);
    assert_eq!(fixture.signer().read_access(token.expose(), claims.issued_at), Err(InvalidToken::Foreign));
}

/// Since it is as good as a password while it lives.
pub async fn a_token_does_not_show_in_debug_output(fixture: Fixture<'_>) {
    let token = fixture.signer().sign_access(&access_claims()).unwrap();
    assert!(!format!("{token:?}").contains(token.expose()));
}

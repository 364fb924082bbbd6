//! What stands in tokens, and what of it is believed.

use std::num::NonZeroU32;

use markt_domain::Timestamp;
use markt_domain::role::Role;
use markt_domain::session::SessionId;
use markt_domain::tokens::{AccessClaims, InvalidToken, LEEWAY, RefreshClaims};
use markt_domain::user::UserId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::signer::Parties;

/// The longest `sub` and `jti` that are believed, in bytes.
const MAX_ID: usize = 256;

/// The last second of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The kinds of tokens, as `type` names them. Flask-JWT-Extended uses the same names.
const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// What a token of ours says.
#[derive(Serialize)]
pub(crate) struct Issued<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    sub: &'a str,
    jti: String,
    iat: NumericDate,
    exp: NumericDate,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#gen: Option<NonZeroU32>,
}

impl<'a> Issued<'a> {
    pub(crate) fn access(claims: &'a AccessClaims, parties: &'a Parties) -> Self {
        Self {
            iss: parties.issuer.as_deref(),
            aud: parties.audience.as_deref(),
            sub: claims.user_id.as_str(),
            jti: claims.id.clone(),
            iat: NumericDate(claims.issued_at),
            exp: NumericDate(claims.expires_at),
            kind: ACCESS,
            sid: claims.session.map(|session| session.to_string()),
            role: claims.role.map(Role::as_str),
            auth_time: claims.authenticated_at.map(NumericDate),
            r#gen: None,
        }
    }

    pub(crate) fn refresh(claims: &'a RefreshClaims, parties: &'a Parties) -> Self {
        Self {
            iss: parties.issuer.as_deref(),
            aud: parties.audience.as_deref(),
            sub: claims.user_id.as_str(),
            // A session has one token of each generation.
            jti: format!("{}.{}", claims.session.family(), claims.generation),
            iat: NumericDate(claims.issued_at),
            exp: NumericDate(claims.expires_at),
            kind: REFRESH,
            sid: Some(claims.session.to_string()),
            role: None,
            auth_time: None,
            r#gen: Some(claims.generation),
        }
    }
}

/// What a token says that was signed by the right key, but maybe not by us.
#[derive(Deserialize)]
pub(crate) struct Presented {
    sub: String,
    jti: String,
    iat: NumericDate,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    sid: Option<Value>,
    role: Option<Value>,
    auth_time: Option<NumericDate>,
    r#gen: Option<NonZeroU32>,
    // What kind of token it is, by the names that libraries give that.
    r#type: Option<Value>,
    token_type: Option<Value>,
    token_use: Option<Value>,
    typ: Option<Value>,
}

impl Presented {
    /// The claims of an access token. What is ours alone may be missing, or be somebody else's.
    pub(crate) fn into_access(self, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        if self.is_refresh_token() {
            return Err(InvalidToken::WrongKind);
        }
        self.check(now)?;
        Ok(AccessClaims {
            session: self.session(),
            role: self.role.as_ref().and_then(Value::as_str).and_then(|role| role.parse().ok()),
            authenticated_at: self.auth_time.map(|time| time.0).filter(|time| *time <= now.plus(LEEWAY)),
            issued_at: self.iat.0,
            expires_at: self.exp.0,
            id: self.jti,
            user_id: UserId::from_store(&self.sub),
        })
    }

    /// The claims of a refresh token, which only we issue.
    pub(crate) fn into_refresh(self, now: Timestamp) -> Result<RefreshClaims, InvalidToken> {
        if self.r#type.as_ref().and_then(Value::as_str) != Some(REFRESH) {
            return Err(InvalidToken::WrongKind);
        }
        self.check(now)?;
        Ok(RefreshClaims {
            session: self.session().ok_or(InvalidToken::Absurd)?,
            generation: self.r#gen.ok_or(InvalidToken::Absurd)?,
            issued_at: self.iat.0,
            expires_at: self.exp.0,
            user_id: UserId::from_store(&self.sub),
        })
    }

    fn is_refresh_token(&self) -> bool {
        let kinds = [&self.r#type, &self.token_type, &self.token_use, &self.typ];
        kinds.into_iter().flatten().filter_map(Value::as_str).any(|kind| kind.eq_ignore_ascii_case(REFRESH))
    }

    fn session(&self) -> Option<SessionId> {
        self.sid.as_ref().and_then(Value::as_str).and_then(|id| id.parse().ok())
    }

    fn check(&self, now: Timestamp) -> Result<(), InvalidToken> {
        let is_id = |text: &str| (1..=MAX_ID).contains(&text.len()) && !text.chars().any(char::is_control);
        let soon = now.plus(LEEWAY);
        let is_sane = is_id(&self.sub)
            && is_id(&self.jti)
            && self.iat.0 < self.exp.0
            && self.iat.0 <= soon
            && self.nbf.as_ref().is_none_or(|time| time.0 <= soon);
        match is_sane {
            false => Err(InvalidToken::Absurd),
            true if self.exp.0 <= now => Err(InvalidToken::Expired),
            true => Ok(()),
        }
    }
}

/// Seconds since 1970 (RFC 7519, 2). Written in whole ones; read with a fraction, too, as some libraries write them.
struct NumericDate(Timestamp);

impl Serialize for NumericDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0.unix_milliseconds().div_euclid(1000))
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if !(0.0..=LAST_SECOND).contains(&seconds) {
            return Err(de::Error::custom("not a time"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a time until the year 9999 is well within an i64")]
        let milliseconds = (seconds * 1000.0) as i64;
        Ok(Self(Timestamp::from_unix_milliseconds(milliseconds)))
    }
}

//! What a cookie's value may be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use markt_domain::Timestamp;

use crate::signer::Keys;

/// The longest value that is looked at, in bytes: browsers keep no longer ones.
const MAX_VALUE: usize = 4096;

/// How long an id is: `secrets.token_urlsafe(SESSION_ID_LENGTH)`, by default of 32 bytes.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 22..=128;

/// A cookie, by what tells its session from all others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cookie<'a> {
    /// Flask-Session's: an id.
    Id(&'a str),
    /// Flask's own: all of the session, in base64 and perhaps compressed, and when it was signed.
    Signed { payload: &'a str, signed_at: Timestamp },
}

impl Cookie<'_> {
    /// What tells the session of a value from all others, if it can be one's: the id, or what is signed. Signatures can be
    /// written in several ways, and so take no part in it.
    pub(crate) fn identify<'a>(value: &'a str, keys: &Keys) -> Option<&'a str> {
        if value.len() > MAX_VALUE {
            return None;
        }
        // A payload that is compressed begins with a dot.
        match value.trim_start_matches('.').matches('.').count() {
            0 => Some(value).filter(|id| is_id(id)),
            1 => keys.id(value).filter(|id| is_id(id)),
            _ => keys.cookie(value).filter(|signed| signed_at(signed).is_some()),
        }
    }

    /// The cookie of this identity.
    pub(crate) fn of_identity(identity: &str) -> Cookie<'_> {
        match signed_at(identity) {
            Some((payload, signed_at)) => Cookie::Signed { payload, signed_at },
            None => Cookie::Id(identity),
        }
    }
}

fn is_id(text: &str) -> bool {
    ID_LENGTHS.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The payload, and the time behind it: seconds since 1970, as a number of as many bytes as it takes.
fn signed_at(signed: &str) -> Option<(&str, Timestamp)> {
    let (payload, time) = signed.rsplit_once('.')?;
    let bytes = URL_SAFE_NO_PAD.decode(time).ok().filter(|bytes| (1..=6).contains(&bytes.len()))?;
    let seconds = bytes.iter().fold(0, |seconds, byte| seconds << 8 | i64::from(*byte));
    Some((payload, Timestamp::from_unix_milliseconds(seconds * 1000)))
}

//! What is in a session, as far as it matters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use markt_domain::client::Client;
use markt_domain::ports::foreign_sessions::MAX_RECORD;
use markt_domain::role::Role;
use markt_domain::user::UserId;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::identifier;

/// The longest user id that is looked for.
const MAX_USER_ID: usize = 64;

/// What Flask-Login and Flask keep in a session, and the Markt application besides.
pub(crate) struct Contents {
    /// Who is logged in, if anybody is.
    pub(crate) user_id: Option<UserId>,
    /// What the user acts as, if it says so.
    pub(crate) role: Option<Role>,
    /// Whether its cookie outlives the browser.
    pub(crate) is_permanent: bool,
    /// Whom it began for.
    identifier: Option<String>,
}

/// A value that is either of the type that is expected, or of no interest.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose<T> {
    Expected(T),
    Other(IgnoredAny),
}

impl<T> Loose<T> {
    fn expected(self) -> Option<T> {
        match self {
            Self::Expected(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "_user_id")]
    user_id: Option<Loose<String>>,
    #[serde(rename = "_permanent")]
    permanent: Option<Loose<bool>>,
    #[serde(rename = "_id")]
    id: Option<Loose<String>>,
    current_role: Option<Loose<String>>,
}

impl From<Fields> for Contents {
    fn from(Fields { user_id, permanent, id, current_role }: Fields) -> Self {
        let user_id = user_id.and_then(Loose::expected).filter(|id| (1..=MAX_USER_ID).contains(&id.len()));
        Self {
            user_id: user_id.as_deref().map(UserId::from_store),
            role: current_role.and_then(Loose::expected).and_then(|role| role.parse().ok()),
            is_permanent: permanent.and_then(Loose::expected).unwrap_or(false),
            identifier: id.and_then(Loose::expected),
        }
    }
}

impl Contents {
    /// Reads what a signed cookie carries: JSON in base64, compressed if a dot stands before it.
    pub(crate) fn of_payload(payload: &str) -> Option<Self> {
        let (text, is_compressed) = match payload.strip_prefix('.') {
            Some(text) => (text, true),
            None => (payload, false),
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let json = if is_compressed {
            miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, MAX_RECORD).ok()?
        } else {
            bytes
        };
        serde_json::from_slice::<Fields>(&json).ok().map(Self::from)
    }

    /// Reads what Flask-Session keeps: MessagePack, or JSON if it is so configured (`SESSION_SERIALIZATION_FORMAT`). What it
    /// kept before 0.6 was pickled, and whoever unpickles runs what is in there.
    pub(crate) fn of_record(record: &[u8]) -> Option<Self> {
        let fields = match record {
            [PICKLE, version, ..] if PICKLE_VERSIONS.contains(version) => {
                tracing::warn!(event = "adoption_refused", reason = "the session is pickled: Flask-Session before 0.6");
                return None;
            }
            [b'{', ..] => serde_json::from_slice::<Fields>(record).ok(),
            _ => of_message_pack(record),
        };
        fields.map(Self::from)
    }

    /// Whether it began for this client, as Flask-Login judges that.
    pub(crate) fn is_of(&self, client: &Client) -> bool {
        self.identifier.as_deref() == Some(identifier::of(client).as_str())
    }
}

fn of_message_pack(record: &[u8]) -> Option<Fields> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(record);
    reader.set_max_depth(MAX_DEPTH);
    Fields::deserialize(&mut reader).ok()
}

/// How deep what is in a session may be nested.
const MAX_DEPTH: usize = 64;

/// How a pickle begins, from its second version on.
const PICKLE: u8 = 0x80;
const PICKLE_VERSIONS: std::ops::RangeInclusive<u8> = 2..=5;

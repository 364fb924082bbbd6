//! A session as JSON: what `redis-cli GET session:<id>` shows.
//!
//! ```json
//! {"session_id":"9f86…","user_id":"USR_7K2M9QXA","current_role":"buyer","last_activity":"2026-01-15T10:30:00.000Z",
//!  "ip_address":"192.0.2.7","user_agent":"Mozilla/5.0 …","created_at":"…","authenticated_at":"…","remember":true,
//!  "transport":"cookie","idle_expires_at":"…","expires_at":"…","family":"60fd…","revision":2,"epoch":3,
//!  "user_version":17}
//! ```
//!
//! The scripts read and write some of it as text: `session_id` to `last_activity` at the beginning, `idle_expires_at` to
//! `user_version` at the end. So these keep their places, and there is no white space. Fields that aren't known are
//! ignored, so that a new one can be added (in the middle) while processes of the old version still run. `family`
//! is there once the session was rotated: before, it is the beginning of the id. `refresh` (`{"generation":2,"since":"…"}`,
//! before `idle_expires_at`) is there where the client holds tokens, `"password_given":false` (after `authenticated_at`)
//! where the session was exchanged for a token. `revision` is missing from sessions that an older
//! version wrote, and 0 then.
//!
//! An id that was rotated away leads to its successor:
//!
//! ```json
//! {"session_id":"9f86…","user_id":"USR_7K2M9QXA","rotated_to":"60fd…","honoured_until":"2026-01-15T10:30:30.000Z"}
//! ```

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::ports::session_store::{Revision, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{RefreshChain, Session, SessionFamily, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserVersion};
use serde::{Deserialize, Serialize, de};

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(with = "as_text")]
    session_id: SessionId,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    current_role: Role,
    last_activity: Timestamp,
    ip_address: IpAddr,
    #[serde(borrow)]
    user_agent: Cow<'a, str>,
    created_at: Timestamp,
    authenticated_at: Timestamp,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    password_given: bool,
    remember: bool,
    #[serde(with = "as_text")]
    transport: markt_domain::session::Transport,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<Refresh>,
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
    #[serde(default, with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    family: Option<SessionFamily>,
    #[serde(default)]
    revision: i64,
    epoch: i64,
    user_version: i64,
}

/// Where the session's chain of refresh tokens stands.
#[derive(Serialize, Deserialize)]
struct Refresh {
    generation: NonZeroU32,
    since: Timestamp,
}

/// What stands in the place of a session whose id was rotated away.
#[derive(Serialize, Deserialize)]
struct Alias<'a> {
    #[serde(with = "as_text")]
    session_id: SessionId,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(with = "as_text")]
    rotated_to: SessionId,
    honoured_until: Timestamp,
}

/// What may stand under the key of a session.
pub(crate) enum Found {
    /// The session.
    Session(StoredSession),
    /// The id was rotated away.
    Rotated { to: SessionId, honoured_until: Timestamp },
}

/// The JSON up to the user's version, which the script adds with the closing brace: it knows the latest.
pub(crate) fn head(session: &Session, revision: Revision) -> Result<String, serde_json::Error> {
    let mut json = serde_json::to_string(&Record {
        session_id: session.id,
        user_id: session.user_id.as_str().into(),
        current_role: session.current_role,
        last_activity: session.last_activity,
        ip_address: session.client.ip_address,
        user_agent: (&*session.client.user_agent).into(),
        created_at: session.created_at,
        authenticated_at: session.authenticated_at,
        password_given: session.password_given,
        remember: session.remember,
        transport: session.transport,
        refresh: session.refresh.map(|RefreshChain { generation, since }| Refresh { generation, since }),
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        family: Some(session.family).filter(|family| *family != session.id.family()),
        revision: revision.0,
        epoch: session.epoch.0,
        user_version: 0,
    })?;
    json.truncate(json.len() - "0}".len());
    Ok(json)
}

/// A time as it stands in a session's JSON, without the quotes.
pub(crate) fn time(time: Timestamp) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(&time)?.trim_matches('"').to_owned())
}

/// The JSON that leads from an id to its successor.
pub(crate) fn alias(
    old: &SessionId,
    successor: &Session,
    honoured_until: Timestamp,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Alias {
        session_id: *old,
        user_id: successor.user_id.as_str().into(),
        rotated_to: successor.id,
        honoured_until,
    })
}

/// Reads what stands under the key of the session with this id. What has to be kept of the text is copied, and nothing
/// else.
pub(crate) fn parse(id: &SessionId, json: &[u8]) -> Result<Found, serde_json::Error> {
    // Looked at as text once: of bytes, serde_json would look at each string's by itself.
    let json = str::from_utf8(json).map_err(de::Error::custom)?;
    let session: Result<Record<'_>, _> = serde_json::from_str(json);
    let (its_id, found) = match session {
        Ok(record) => (record.session_id, Found::Session(record.into_stored())),
        // Sessions are what is there nearly always, so that they are tried first.
        Err(error) => match serde_json::from_str::<Alias<'_>>(json) {
            Ok(Alias { session_id, rotated_to: to, honoured_until, .. }) => {
                (session_id, Found::Rotated { to, honoured_until })
            }
            Err(_) => return Err(error),
        },
    };
    if its_id == *id { Ok(found) } else { Err(de::Error::custom("another session stands under its key")) }
}

impl Record<'_> {
    fn into_stored(self) -> StoredSession {
        let client = Client { ip_address: self.ip_address, user_agent: self.user_agent.into() };
        StoredSession {
            session: Session {
                id: self.session_id,
                family: self.family.unwrap_or_else(|| self.session_id.family()),
                user_id: UserId::from_store(&self.user_id),
                epoch: SessionEpoch(self.epoch),
                current_role: self.current_role,
                created_at: self.created_at,
                last_activity: self.last_activity,
                authenticated_at: self.authenticated_at,
                password_given: self.password_given,
                remember: self.remember,
                transport: self.transport,
                client,
                idle_expires_at: self.idle_expires_at,
                expires_at: self.expires_at,
                refresh: self.refresh.map(|Refresh { generation, since }| RefreshChain { generation, since }),
            },
            user_version: UserVersion(self.user_version),
            revision: Revision(self.revision),
            honoured_until: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// For values that stand in JSON as the text that they are written as anywhere.
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Text, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&value.text())
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        <&str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }

    pub(super) trait Text {
        fn text(&self) -> impl Display;
    }

    impl Text for super::SessionId {
        fn text(&self) -> impl Display {
            *self
        }
    }

    impl Text for markt_domain::session::Transport {
        fn text(&self) -> impl Display {
            self.as_str()
        }
    }
}

/// The same for values that may be missing.
mod as_optional_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        <&str>::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use markt_test_support::fixtures;

    use super::*;

    #[test]
    fn the_fields_that_the_scripts_look_at_keep_their_places() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session, Revision(5)).unwrap();
        let (id, user) = (session.id, &session.user_id);
        let text = |time: Timestamp| serde_json::to_string(&time).unwrap();
        let last_activity = text(session.last_activity);
        let beginning = format!(
            "{{\"session_id\":\"{id}\",\"user_id\":\"{user}\",\"current_role\":\"buyer\",\
             \"last_activity\":{last_activity},"
        );
        assert!(json.starts_with(&beginning), "{json}");
        let (idle, absolute) = (text(session.idle_expires_at), text(session.expires_at));
        let end = format!(
            ",\"idle_expires_at\":{idle},\"expires_at\":{absolute},\"revision\":5,\"epoch\":0,\"user_version\":"
        );
        assert!(json.ends_with(&end), "{json}");
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_known_ignored() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session, Revision(5)).unwrap() + "17}";
        let json = json.replace(",\"idle", ",\"colour\":{\"a\":[1]},\"idle");
        let stored =
            StoredSession { session, user_version: UserVersion(17), revision: Revision(5), honoured_until: None };
        assert_eq!(parsed(&stored.session.id, &json), stored);
    }

    #[test]
    fn a_session_from_before_there_were_revisions_has_the_first() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session, Revision(5)).unwrap() + "17}";
        let stored = parsed(&session.id, &json.replace("\"revision\":5,", ""));
        assert_eq!((stored.session, stored.revision), (session, Revision::default()));
    }

    #[test]
    fn what_was_rotated_away_leads_to_its_successor() {
        let (old, new) = (fixtures::session(&fixtures::user_id()), fixtures::session(&fixtures::user_id()));
        let json = alias(&old.id, &new, old.created_at).unwrap();
        let Found::Rotated { to, honoured_until } = parse(&old.id, json.as_bytes()).unwrap() else {
            panic!("no alias: {json}")
        };
        assert_eq!((to, honoured_until), (new.id, old.created_at));
        assert!(parse(&new.id, json.as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_session_is_an_error() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session, Revision(5)).unwrap() + "17}";
        assert!(parse(&session.id, json.as_bytes()).is_ok());
        assert!(parse(&fixtures::session(&session.user_id).id, json.as_bytes()).is_err());
        for broken in [
            "",
            "null",
            "{}",
            "garbage",
            &json[..json.len() - 1],
            &json.replace("buyer", "king"),
            &json.replace("cookie", "pigeon"),
            &json.replace("17}", "\"17\"}"),
            &json.replace("192.0.2.7", "192.0.2.777"),
        ] {
            assert!(parse(&session.id, broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(parse(&session.id, b"\xff\xfe").is_err());
    }

    fn parsed(id: &SessionId, json: &str) -> StoredSession {
        match parse(id, json.as_bytes()).unwrap() {
            Found::Session(stored) => stored,
            Found::Rotated { .. } => panic!("no session: {json}"),
        }
    }
}

//! A session as JSON: what `redis-cli GET session:<id>` shows.
//!
//! ```json
//! {"session_id":"9f86…","user_id":"USR_7K2M9QXA","current_role":"buyer","last_activity":"2026-01-15T10:30:00.000Z",
//!  "ip_address":"192.0.2.7","user_agent":"Mozilla/5.0 …","created_at":"…","authenticated_at":"…","remember":true,
//!  "transport":"cookie","idle_expires_at":"…","expires_at":"…","epoch":3,"user_version":17}
//! ```
//!
//! The scripts read `session_id` and `user_id` at the beginning, `epoch` and `user_version` at the end, and write the
//! latter, as text: so these keep their places, and there is no white space. Fields that aren't known are ignored, so
//! that a new one can be added (in the middle) while processes of the old version still run.

use std::borrow::Cow;
use std::net::IpAddr;

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::ports::session_store::StoredSession;
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserVersion};
use serde::{Deserialize, Serialize};

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
    remember: bool,
    #[serde(with = "as_text")]
    transport: markt_domain::session::Transport,
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
    epoch: i64,
    user_version: i64,
}

/// The JSON up to the user's version, which the script adds with the closing brace: it knows the latest.
pub(crate) fn head(session: &Session) -> Result<String, serde_json::Error> {
    let mut json = serde_json::to_string(&Record {
        session_id: session.id,
        user_id: session.user_id.as_str().into(),
        current_role: session.current_role,
        last_activity: session.last_activity,
        ip_address: session.client.ip_address,
        user_agent: session.client.user_agent.as_str().into(),
        created_at: session.created_at,
        authenticated_at: session.authenticated_at,
        remember: session.remember,
        transport: session.transport,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
        epoch: session.epoch.0,
        user_version: 0,
    })?;
    json.truncate(json.len() - "0}".len());
    Ok(json)
}

/// Reads a session. What it has to keep of the text it copies, and nothing else.
pub(crate) fn parse(json: &[u8]) -> Result<StoredSession, serde_json::Error> {
    let record: Record<'_> = serde_json::from_slice(json)?;
    Ok(StoredSession {
        session: Session {
            id: record.session_id,
            user_id: UserId::from_store(record.user_id.into_owned()),
            epoch: SessionEpoch(record.epoch),
            current_role: record.current_role,
            created_at: record.created_at,
            last_activity: record.last_activity,
            authenticated_at: record.authenticated_at,
            remember: record.remember,
            transport: record.transport,
            client: Client { ip_address: record.ip_address, user_agent: record.user_agent.into_owned() },
            idle_expires_at: record.idle_expires_at,
            expires_at: record.expires_at,
        },
        user_version: UserVersion(record.user_version),
    })
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

#[cfg(test)]
mod tests {
    use markt_test_support::fixtures;

    use super::*;

    #[test]
    fn the_fields_that_the_scripts_look_at_keep_their_places() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session).unwrap();
        let (id, user) = (session.id, &session.user_id);
        let beginning = format!("{{\"session_id\":\"{id}\",\"user_id\":\"{user}\",");
        assert!(json.starts_with(&beginning), "{json}");
        assert!(json.ends_with(",\"epoch\":0,\"user_version\":"), "{json}");
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_not_known_ignored() {
        let session = fixtures::session(&fixtures::user_id());
        let json = head(&session).unwrap() + "17}";
        let json = json.replace(",\"epoch\"", ",\"colour\":{\"a\":[1]},\"epoch\"");
        let user_version = UserVersion(17);
        assert_eq!(parse(json.as_bytes()).unwrap(), StoredSession { session, user_version });
    }

    #[test]
    fn what_is_no_session_is_an_error() {
        let json = head(&fixtures::session(&fixtures::user_id())).unwrap() + "17}";
        assert!(parse(json.as_bytes()).is_ok());
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
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(parse(b"\xff\xfe").is_err());
    }
}

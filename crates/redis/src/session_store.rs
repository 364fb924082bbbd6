//! The sessions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::KeysInterface;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_store::{Creation, SessionStore, StoredSession};
use markt_domain::session::{Session, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};

use crate::connection::Connections;
use crate::errors::store_error;
use crate::keys::{self, SESSION_PREFIX, USER_SESSIONS_PREFIX, USER_STATE_TTL};
use crate::{record, scripts};

/// The longest time to live that is given: a century, within what Redis can add to the time.
const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Keeps sessions in Redis, as told in [`keys`].
#[derive(Clone)]
pub struct RedisSessionStore {
    connections: Connections,
    clock: Arc<dyn Clock>,
}

impl RedisSessionStore {
    pub(crate) fn new(connections: Connections, clock: Arc<dyn Clock>) -> Self {
        Self { connections, clock }
    }
}

#[async_trait]
impl SessionStore for RedisSessionStore {
    async fn create(&self, session: &Session, user_version: UserVersion) -> Result<Creation, StoreError> {
        const OPERATION: &str = "create session";
        let head = record::head(session).map_err(|error| StoreError::unreadable(OPERATION, error))?;
        let answer: String = scripts::run(
            &self.connections,
            &scripts::CREATE,
            vec![keys::session(&session.id), keys::user_sessions(&session.user_id), keys::user_state(&session.user_id)],
            vec![
                session.id.to_string().into(),
                session.epoch.0.into(),
                head.into(),
                user_version.0.into(),
                time_to_live(session.ends_at(), self.clock.now()).into(),
            ],
        )
        .await
        .map_err(|error| store_error(OPERATION, error))?;
        match answer.as_str() {
            "created" => Ok(Creation::Created),
            "taken" => Ok(Creation::IdTaken),
            "superseded" => Ok(Creation::Superseded),
            _ => Err(StoreError::unreadable(OPERATION, "an unknown answer")),
        }
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        const OPERATION: &str = "find session";
        let json: Option<Bytes> =
            self.connections.next().get(keys::session(id)).await.map_err(|error| store_error(OPERATION, error))?;
        let Some(json) = json else { return Ok(None) };
        let found = record::parse(&json).map_err(|error| StoreError::unreadable(OPERATION, error))?;
        if found.session.id != *id {
            let reason = "another session stands under its key";
            return Err(StoreError::unreadable(OPERATION, reason));
        }
        Ok(Some(found))
    }

    async fn delete(&self, id: &SessionId) -> Result<bool, StoreError> {
        let deleted: u64 = scripts::run(
            &self.connections,
            &scripts::DELETE,
            vec![keys::session(id)],
            vec![id.to_string().into(), USER_SESSIONS_PREFIX.into()],
        )
        .await
        .map_err(|error| store_error("delete session", error))?;
        Ok(deleted > 0)
    }

    async fn delete_before_epoch(&self, user: &UserId, state: UserState) -> Result<u64, StoreError> {
        scripts::run(
            &self.connections,
            &scripts::DELETE_BEFORE_EPOCH,
            vec![keys::user_sessions(user), keys::user_state(user)],
            vec![
                SESSION_PREFIX.into(),
                state.epoch.0.into(),
                state.version.0.into(),
                milliseconds(USER_STATE_TTL).into(),
            ],
        )
        .await
        .map_err(|error| store_error("delete sessions before epoch", error))
    }

    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        scripts::run(
            &self.connections,
            &scripts::USER_CHANGED,
            vec![keys::user_sessions(user), keys::user_state(user)],
            vec![SESSION_PREFIX.into(), version.0.into(), milliseconds(USER_STATE_TTL).into()],
        )
        .await
        .map_err(|error| store_error("tell sessions of changed user", error))
    }
}

/// How long something has to live that ends then, in milliseconds; 0 if it has ended.
///
/// A duration, not the end itself: an end would be held against Redis' clock, and one that is ahead of ours would
/// forget sessions early by that much.
pub(crate) fn time_to_live(end: Timestamp, now: Timestamp) -> i64 {
    milliseconds(end.since(now).min(LONGEST_TTL))
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_live_is_what_is_left_to_the_millisecond() {
        let at = Timestamp::from_unix_milliseconds;
        assert_eq!(time_to_live(at(1_500), at(1_000)), 500);
        assert_eq!(time_to_live(at(1_000), at(1_000)), 0);
        assert_eq!(time_to_live(at(0), at(1_000)), 0);
        let century = milliseconds(LONGEST_TTL);
        assert_eq!(time_to_live(at(i64::MAX), at(i64::MIN)), century);
    }
}

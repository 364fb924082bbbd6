//! The sessions.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::KeysInterface;
use fred::types::{FromValue, Key, Value};
use futures_util::future::try_join_all;
use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_store::{Change, Creation, Revision, SessionStore, StoredSession, Touch};
use markt_domain::session::{Ending, Session, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState, UserVersion};

use crate::ConnectOptions;
use crate::commands::Command;
use crate::connection::Connection;
use crate::record::Found;
use crate::scripts::Lua;
use crate::servers::Servers;
use crate::time_to_live::{milliseconds, time_to_live};
use crate::tracking::Tracked;
use crate::{record, scripts};

/// How often an id that was rotated away may lead to another that was. Nobody rotates a session more often while the
/// first of its secrets is honoured; it keeps a chain that is made by hand from going on for ever.
pub(crate) const MAX_HOPS: usize = 16;

/// How long after a session's end by our clock it may take Redis to forget it, without anybody having had a hand in it.
const END_TOLERANCE: Duration = Duration::from_secs(1);

/// Keeps sessions in Redis, as told in [`keys`](crate::keys).
#[derive(Clone)]
pub struct RedisSessionStore {
    servers: Servers,
    endings_kept: Duration,
    user_states_kept: Duration,
    clock: Arc<dyn Clock>,
    tracked: Tracked,
}

impl RedisSessionStore {
    pub(crate) fn new(servers: Servers, options: ConnectOptions, clock: Arc<dyn Clock>) -> Self {
        let ConnectOptions { endings_kept, user_states_kept, .. } = options;
        Self { servers, endings_kept, user_states_kept, clock, tracked: Tracked::default() }
    }

    /// The same store, which finds and touches sessions over this connection while there is one.
    pub(crate) fn tracked(self, tracked: Tracked) -> Self {
        Self { tracked, ..self }
    }

    async fn run<R: FromValue + Send>(
        &self,
        operation: &'static str,
        script: &'static Lua,
        keys: Vec<Key>,
        arguments: Vec<Value>,
    ) -> Result<R, StoreError> {
        scripts::run(&self.servers, operation, script, keys, arguments).await
    }

    /// What the scripts that write a session down begin their arguments with.
    fn to_keep(&self, operation: &'static str, session: &Session, revision: i64) -> Result<Vec<Value>, StoreError> {
        let head =
            record::head(session, Revision(revision)).map_err(|error| StoreError::unreadable(operation, error))?;
        Ok(vec![
            session.id.to_string().into(),
            head.into(),
            session.ends_at().unix_milliseconds().into(),
            self.clock.now().unix_milliseconds().into(),
            self.endings_kept(),
        ])
    }

    fn endings_kept(&self) -> Value {
        milliseconds(self.endings_kept).into()
    }

    fn user_states_kept(&self) -> Value {
        milliseconds(self.user_states_kept).into()
    }
}

#[async_trait]
impl SessionStore for RedisSessionStore {
    async fn create(
        &self,
        session: &Session,
        user_version: UserVersion,
        max_per_user: NonZeroU32,
        replaces: &[SessionId],
    ) -> Result<Creation, StoreError> {
        const OPERATION: &str = "create session";
        let names = self.servers.keys();
        // Those of other users may be on other servers.
        let (together, elsewhere): (Vec<&SessionId>, Vec<&SessionId>) =
            replaces.iter().partition(|id| names.suits(id, &session.user_id));
        let user = &session.user_id;
        let keys = vec![names.session(&session.id), names.user_sessions(user), names.user_state(user)];
        let mut arguments = self.to_keep(OPERATION, session, Revision::default().0)?;
        arguments.extend([session.epoch.0.into(), user_version.0.into(), i64::from(max_per_user.get()).into()]);
        arguments.extend(together.iter().map(|id| id.to_string().into()));
        let answer: Vec<String> = self.run(OPERATION, &scripts::CREATE, keys, arguments).await?;
        match answer.split_first().map(|(answer, evicted)| (answer.as_str(), evicted)) {
            Some(("created", evicted)) => {
                try_join_all(elsewhere.into_iter().map(|id| self.delete(id, Ending::Replaced))).await?;
                let evicted = evicted.iter().map(|id| id.parse()).collect::<Result<_, _>>();
                Ok(Creation::Created { evicted: evicted.map_err(|error| StoreError::unreadable(OPERATION, error))? })
            }
            Some(("taken", _)) => Ok(Creation::IdTaken),
            Some(("superseded", _)) => Ok(Creation::Superseded),
            _ => Err(StoreError::unreadable(OPERATION, "an unknown answer")),
        }
    }

    fn suits(&self, id: &SessionId, user: &UserId) -> bool {
        self.servers.keys().suits(id, user)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        const OPERATION: &str = "find session";
        let (mut id, mut honoured_until) = (*id, None::<Timestamp>);
        for _ in 0..=MAX_HOPS {
            let (key, view) = (self.servers.keys().session(&id), self.servers.view());
            let read = |connection: Connection| {
                let key = key.clone();
                async move { connection.get(key).await }
            };
            let json: Option<Bytes> =
                self.servers.run_tracked(OPERATION, Command::named("GET"), &key, &self.tracked, read).await?;
            let Some(json) = json else {
                // Whoever is told so throws the session away.
                self.servers.confirm_absence(OPERATION, view).await?;
                return Ok(None);
            };
            match record::parse(&id, &json).map_err(|error| StoreError::unreadable(OPERATION, error))? {
                Found::Session(found) => return Ok(Some(StoredSession { honoured_until, ..found })),
                Found::Rotated { to, honoured_until: until } => {
                    id = to;
                    honoured_until = Some(honoured_until.map_or(until, |earlier| earlier.min(until)));
                }
            }
        }
        Ok(None)
    }

    async fn ending(&self, id: &SessionId) -> Result<Option<Ending>, StoreError> {
        const OPERATION: &str = "ask how a session ended";
        let mut id = *id;
        for _ in 0..=MAX_HOPS {
            let names = self.servers.keys();
            let keys = [names.session(&id), names.ended(&id)];
            let read = |connection: Connection| {
                let keys = keys.to_vec();
                async move { connection.mget(keys).await }
            };
            let (json, end): (Option<Bytes>, Option<String>) =
                self.servers.run(OPERATION, Command::named("MGET"), &keys[0], read).await?;
            let Some(json) = json else { return Ok(end.and_then(|end| ending(&end, self.clock.now()))) };
            match record::parse(&id, &json) {
                Ok(Found::Rotated { to, .. }) => id = to,
                // What can't be read hasn't ended either.
                Ok(Found::Session(_)) | Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn list(&self, user: &UserId) -> Result<Vec<StoredSession>, StoreError> {
        let keys = vec![self.servers.keys().user_sessions(user)];
        let found: Vec<(String, Bytes)> = self.run("list sessions", &scripts::LIST, keys, vec![]).await?;
        Ok(found.iter().filter_map(|(id, json)| listed(user, id, json)).collect())
    }

    async fn touch(
        &self,
        id: &SessionId,
        last_activity: Timestamp,
        idle_expires_at: Timestamp,
    ) -> Result<bool, StoreError> {
        const OPERATION: &str = "touch session";
        let text = |time| record::time(time).map_err(|error| StoreError::unreadable(OPERATION, error));
        let arguments = vec![
            id.to_string().into(),
            text(last_activity)?.into(),
            text(idle_expires_at)?.into(),
            self.clock.now().unix_milliseconds().into(),
            self.endings_kept(),
        ];
        let keys = vec![self.servers.keys().session(id)];
        let touched: u64 =
            scripts::run_tracked(&self.servers, &self.tracked, OPERATION, &scripts::TOUCH, keys, arguments).await?;
        Ok(touched > 0)
    }

    /// All are sent before the first is answered.
    async fn touch_all(&self, touches: &[Touch]) -> Result<Vec<bool>, StoreError> {
        try_join_all(touches.iter().map(|touch| self.touch(&touch.id, touch.last_activity, touch.idle_expires_at)))
            .await
    }

    async fn update(&self, session: &Session, revision: Revision) -> Result<Change, StoreError> {
        const OPERATION: &str = "update session";
        let names = self.servers.keys();
        let keys = vec![names.session(&session.id), names.user_sessions(&session.user_id)];
        let mut arguments = self.to_keep(OPERATION, session, revision.0.saturating_add(1))?;
        arguments.push(revision.0.into());
        change(OPERATION, &self.run::<String>(OPERATION, &scripts::UPDATE, keys, arguments).await?)
    }

    async fn rotate(
        &self,
        old: &SessionId,
        revision: Revision,
        successor: &Session,
        honoured_until: Timestamp,
    ) -> Result<Change, StoreError> {
        const OPERATION: &str = "rotate session";
        let alias =
            record::alias(old, successor, honoured_until).map_err(|error| StoreError::unreadable(OPERATION, error))?;
        let names = self.servers.keys();
        let index = names.user_sessions(&successor.user_id);
        let keys = vec![names.session(old), names.session(&successor.id), index];
        let mut arguments = self.to_keep(OPERATION, successor, revision.0.saturating_add(1))?;
        arguments.extend([
            old.to_string().into(),
            revision.0.into(),
            alias.into(),
            time_to_live(honoured_until, self.clock.now()).into(),
        ]);
        change(OPERATION, &self.run::<String>(OPERATION, &scripts::ROTATE, keys, arguments).await?)
    }

    async fn delete(&self, id: &SessionId, ending: Ending) -> Result<bool, StoreError> {
        let arguments = vec![id.to_string().into(), ending.as_str().into(), self.endings_kept()];
        let deleted: u64 =
            self.run("delete session", &scripts::DELETE, vec![self.servers.keys().session(id)], arguments).await?;
        Ok(deleted > 0)
    }

    async fn delete_before_epoch(
        &self,
        user: &UserId,
        state: UserState,
        keep: Option<SessionFamily>,
        ending: Ending,
    ) -> Result<u64, StoreError> {
        let names = self.servers.keys();
        let keys = vec![names.user_sessions(user), names.user_state(user)];
        let arguments = vec![
            state.epoch.0.into(),
            state.version.0.into(),
            self.user_states_kept(),
            keep.map(|family| family.to_string()).unwrap_or_default().into(),
            ending.as_str().into(),
            self.endings_kept(),
        ];
        self.run("delete sessions before epoch", &scripts::DELETE_BEFORE_EPOCH, keys, arguments).await
    }

    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        let names = self.servers.keys();
        let keys = vec![names.user_sessions(user), names.user_state(user)];
        let arguments = vec![version.0.into(), self.user_states_kept()];
        self.run("tell sessions of changed user", &scripts::USER_CHANGED, keys, arguments).await
    }
}

fn change(operation: &'static str, answer: &str) -> Result<Change, StoreError> {
    match answer {
        "made" => Ok(Change::Made),
        "conflict" => Ok(Change::Conflict),
        "gone" => Ok(Change::Gone),
        _ => Err(StoreError::unreadable(operation, "an unknown answer")),
    }
}

/// What the memory of an end says of a session that isn't there (any more): how it was ended or, where nobody has
/// ended it, when it would have come to its end. Nothing if it says what only a later version of this service knows.
fn ending(memory: &str, now: Timestamp) -> Option<Ending> {
    match memory.parse().map(Timestamp::from_unix_milliseconds) {
        Ok(end) if end <= now.plus(END_TOLERANCE) => Some(Ending::Expired),
        Ok(_) => Some(Ending::Removed),
        Err(_) => memory.parse().ok(),
    }
}

/// A session of a listing. One that can't be read doesn't hide the others: it is left out, and goes by being deleted or
/// with the end of its user's epoch.
fn listed(user: &UserId, id: &str, json: &[u8]) -> Option<StoredSession> {
    let id: SessionId = id.parse().ok()?;
    match record::parse(&id, json) {
        Ok(Found::Session(found)) if found.session.user_id == *user => Some(found),
        Ok(_) => None,
        Err(_) => {
            tracing::warn!(session_id = %id, user_id = user.as_str(), "a session that can't be read isn't listed");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_tells_how_a_session_ended() {
        let now = Timestamp::from_unix_milliseconds(1_768_473_000_000);
        for (memory, expected) in [
            ("1768473000000", Some(Ending::Expired)),
            ("1768473001000", Some(Ending::Expired)),
            ("1768473001001", Some(Ending::Removed)),
            ("logged_out", Some(Ending::LoggedOut)),
            ("abducted", None),
            ("", None),
        ] {
            assert_eq!(ending(memory, now), expected, "{memory}");
        }
    }
}

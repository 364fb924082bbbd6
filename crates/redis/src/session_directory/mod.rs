//! All the sessions, by `SCAN`.
//!
//! A look at a thousand keys takes Redis about a millisecond. Between one look and the next it is left alone for
//! several, so that what serves requests doesn't notice a walk through millions.

mod spot;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::{KeysInterface as _, MemoryInterface as _, ServerInterface as _};
use fred::types::Key;
use futures_util::future::try_join_all;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_directory::{Count, Cursor, IndexPage, Located, Page, PageError, SessionDirectory};
use markt_domain::ports::session_store::{SessionStore as _, StoredSession};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::session::SessionId;

use crate::commands::Command;
use crate::connection::Connection;
use crate::record::{self, Found};
use crate::servers::{Servers, Topology};
use crate::session_store::RedisSessionStore;
use crate::{keys, scripts};
use spot::Spot;

/// How many keys one `SCAN` looks at, at most.
const MOST_KEYS: u32 = 1000;

/// How long Redis is left alone between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// How many sessions one `MGET` asks for, some 70 kB, and how many keys are asked for at once.
const TOGETHER: usize = 100;

/// With more keys than this, how many sessions there are is concluded from a sample.
const COUNTED: u64 = 100_000;

/// With more keys than this, how many bytes they take is.
const WEIGHED: u64 = 10_000;

/// How many keys are a sample: a share of a half is told to within three hundredths, nineteen times in twenty.
const SAMPLE: u32 = 1000;

/// What the keys begin with that there are for the sake of sessions.
const PREFIXES: [&str; 4] =
    [keys::SESSION_PREFIX, keys::ENDED_PREFIX, keys::USER_SESSIONS_PREFIX, keys::USER_STATE_PREFIX];

/// Looks over the sessions in Redis.
#[derive(Clone)]
pub struct RedisSessionDirectory {
    servers: Servers,
    sessions: RedisSessionStore,
    clock: Arc<dyn Clock>,
}

impl RedisSessionDirectory {
    pub(crate) fn new(servers: Servers, sessions: RedisSessionStore, clock: Arc<dyn Clock>) -> Self {
        Self { servers, sessions, clock }
    }

    /// Some of the keys that match, and where the next ones begin: on one server after the other.
    async fn scan(
        &self,
        operation: &'static str,
        cursor: Option<&Cursor>,
        pattern: &str,
        size: NonZeroU32,
    ) -> Result<(Vec<String>, Option<Cursor>), PageError> {
        let topology = self.servers.topology();
        let spot = match cursor {
            None => Spot::first(),
            Some(cursor) => {
                let spot = Spot::read(cursor, &topology);
                tokio::time::sleep(PAUSE).await;
                spot.ok_or_else(|| PageError::NotACursor(cursor.as_str().to_owned()))?
            }
        };
        let Some(shard) = topology.shards().get(spot.shard) else {
            return Err(StoreError::unavailable(operation, "no server is known").into());
        };
        let count = Some(size.get().min(MOST_KEYS));
        let connection = shard.node.next();
        let page = connection.scan_page(spot.cursor.to_string(), pattern.to_owned(), count, None);
        let (next, keys): (String, Vec<Bytes>) =
            self.servers.run_at(operation, Command::named("SCAN"), &shard.node, page).await?;
        let next = next.parse().map_err(|error| StoreError::unreadable(operation, error))?;
        Ok((texts(keys), spot.after(next, &topology).map(|spot| spot.to_cursor(&topology))))
    }

    /// The sessions with these ids, and how many of these keys hold something else.
    async fn look(&self, ids: &[SessionId]) -> Result<(Vec<StoredSession>, u64), StoreError> {
        const OPERATION: &str = "read sessions";
        let records = self.records(OPERATION, ids).await?;
        let (mut sessions, mut unreadable, mut missing) = (Vec::new(), 0, Vec::new());
        for (id, record) in ids.iter().zip(records) {
            match record.map(|json| record::parse(id, &json)) {
                Some(Ok(Found::Session(stored))) => sessions.push(stored),
                Some(Ok(Found::Rotated { .. })) => {}
                Some(Err(_)) => unreadable += 1,
                None => missing.push(*id),
            }
        }
        sessions.retain(|stored| stored.session.user_id.as_str() != keys::PROBE_USER);
        // Of what is no string, it is said that it isn't there.
        let there = try_join_all(self.together(&missing).map(|keys| async move {
            let exist = |connection: Connection| {
                let keys = keys.clone();
                async move { connection.exists::<u64, _>(keys).await }
            };
            self.servers.run(OPERATION, Command::named("EXISTS"), &keys[0], exist).await
        }));
        unreadable += there.await?.iter().sum::<u64>();
        Ok((sessions, unreadable))
    }

    /// What stands under the keys of these sessions, as far as it is a string.
    async fn records(&self, operation: &'static str, ids: &[SessionId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let records = try_join_all(self.together(ids).map(|keys| async move {
            let read = |connection: Connection| {
                let keys = keys.clone();
                async move { connection.mget::<Vec<Option<Bytes>>, _>(keys).await }
            };
            self.servers.run(operation, Command::named("MGET"), &keys[0], read).await
        }));
        Ok(records.await?.concat())
    }

    /// The keys of these sessions, as many at a time as one command may be about, of which there is one at least.
    fn together<'a>(&self, ids: &'a [SessionId]) -> impl Iterator<Item = Vec<Key>> + use<'a> {
        let (names, most) = (self.servers.keys(), if self.servers.keys().are_tagged { 1 } else { TOGETHER });
        ids.chunks(most).map(move |ids| ids.iter().map(|id| names.session(id)).collect())
    }

    /// How many sessions there are, counted one by one.
    async fn count(&self) -> Result<u64, PageError> {
        let (now, mut alive, mut cursor) = (self.clock.now(), HashSet::new(), None);
        loop {
            let page = self.page(cursor.as_ref(), NonZeroU32::MAX).await?;
            let sessions = page.sessions.iter().map(|stored| &stored.session);
            alive.extend(sessions.filter(|session| !session.is_expired(now)).map(|session| session.id));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(u64::try_from(alive.len()).unwrap_or(u64::MAX));
            }
        }
    }

    /// How many keys each server has.
    async fn numbers_of_keys(&self, operation: &'static str, topology: &Topology) -> Result<Vec<u64>, StoreError> {
        try_join_all(topology.shards().iter().map(|shard| async move {
            let connection = shard.node.next();
            self.servers.run_at(operation, Command::named("DBSIZE"), &shard.node, connection.dbsize()).await
        }))
        .await
    }

    /// As many keys as a sample has, drawn with repetition, from each server as many as it has of all.
    async fn sample(
        &self,
        operation: &'static str,
        topology: &Topology,
        numbers: &[u64],
    ) -> Result<Vec<String>, StoreError> {
        let all = numbers.iter().sum();
        let draws = try_join_all(topology.shards().iter().zip(numbers).map(|(shard, number)| async move {
            let connection = shard.node.next();
            let draws = (0..share(*number, all)).map(|_| connection.randomkey::<Option<Bytes>>());
            let command = Command::named("PIPELINE RANDOMKEY");
            self.servers.run_at(operation, command, &shard.node, try_join_all(draws)).await
        }));
        Ok(texts(draws.await?.into_iter().flatten().flatten()))
    }

    /// All keys, of which there are not many.
    async fn all_keys(&self, operation: &'static str) -> Result<HashSet<String>, PageError> {
        let (mut all, mut cursor) = (HashSet::new(), None);
        loop {
            let (keys, next) = self.scan(operation, cursor.as_ref(), "*", NonZeroU32::MAX).await?;
            all.extend(keys);
            cursor = next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// How many bytes those of these keys take that there are for the sake of sessions.
    async fn weigh(&self, operation: &'static str, keys: impl IntoIterator<Item = String>) -> Result<u64, StoreError> {
        let ours = keys.into_iter().filter(|key| PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
        let ours: Vec<Key> = ours.map(Key::from).collect();
        let mut all = 0;
        for some in ours.chunks(TOGETHER) {
            let weights = try_join_all(some.iter().map(|key| {
                let weigh = |connection: Connection| {
                    let key = key.clone();
                    async move { connection.memory_usage::<Option<u64>, _>(key, None).await }
                };
                self.servers.run(operation, Command::named("MEMORY USAGE"), key, weigh)
            }));
            all += weights.await?.into_iter().flatten().sum::<u64>();
        }
        Ok(all)
    }
}

#[async_trait]
impl SessionDirectory for RedisSessionDirectory {
    async fn page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Page, PageError> {
        let pattern = format!("{}*", keys::SESSION_PREFIX);
        let (keys, next) = self.scan("look for sessions", cursor, &pattern, size).await?;
        let ids: Vec<SessionId> = keys.iter().filter_map(|key| keys::session_id(key)).collect();
        let mut page = Page { sessions: Vec::with_capacity(ids.len()), unreadable: difference(&keys, &ids), next };
        for (mut sessions, unreadable) in try_join_all(ids.chunks(TOGETHER).map(|ids| self.look(ids))).await? {
            page.sessions.append(&mut sessions);
            page.unreadable += unreadable;
        }
        Ok(page)
    }

    async fn locate(&self, id: &SessionId) -> Result<Option<Located>, StoreError> {
        let stored = match self.sessions.find(id).await {
            Ok(None) => return Ok(None),
            Ok(stored) => stored,
            Err(error) if error.kind == StoreErrorKind::Unreadable => None,
            Err(error) => return Err(error),
        };
        let key = self.servers.keys().session(stored.as_ref().map_or(id, |stored| &stored.session.id));
        let ask = |connection: Connection| {
            let key = key.clone();
            async move { connection.pttl(key).await }
        };
        let ttl: i64 = self.servers.run("ask for a time to live", Command::named("PTTL"), &key, ask).await?;
        let place = key.as_str_lossy().into_owned();
        // Without an end, or gone since.
        let time_to_live = u64::try_from(ttl).ok().map(Duration::from_millis);
        Ok(Some(Located { stored, store: "Redis", place, time_to_live }))
    }

    async fn estimated_count(&self) -> Result<Count, StoreError> {
        const OPERATION: &str = "count sessions";
        let topology = self.servers.topology();
        let numbers = self.numbers_of_keys(OPERATION, &topology).await?;
        let keys = numbers.iter().sum();
        if keys <= COUNTED {
            let sessions = self.count().await.map_err(|error| of_our_own(OPERATION, error))?;
            return Ok(Count { sessions, is_estimate: false });
        }
        let sample = self.sample(OPERATION, &topology, &numbers).await?;
        let share = sample.iter().filter(|key| key.starts_with(keys::SESSION_PREFIX)).count();
        Ok(Count { sessions: of_all(u64::try_from(share).unwrap_or(u64::MAX), keys), is_estimate: true })
    }

    async fn bytes(&self) -> Result<Option<u64>, StoreError> {
        const OPERATION: &str = "weigh sessions";
        let topology = self.servers.topology();
        let numbers = self.numbers_of_keys(OPERATION, &topology).await?;
        let keys = numbers.iter().sum();
        if keys <= WEIGHED {
            let all = self.all_keys(OPERATION).await.map_err(|error| of_our_own(OPERATION, error))?;
            return self.weigh(OPERATION, all).await.map(Some);
        }
        let sample = self.sample(OPERATION, &topology, &numbers).await?;
        Ok(Some(of_all(self.weigh(OPERATION, sample).await?, keys)))
    }

    async fn index_page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Option<IndexPage>, PageError> {
        const OPERATION: &str = "check the index of sessions";
        let (keys, next) = self.scan(OPERATION, cursor, "*", size).await?;
        let sessions = keys.iter().filter_map(|key| keys::session_id(key));
        let missing = try_join_all(sessions.map(|id| {
            let arguments = vec![id.to_string().into(), keys::PROBE_USER.into()];
            let keys = vec![self.servers.keys().session(&id)];
            scripts::run::<u64>(&self.servers, OPERATION, &scripts::CHECK_SESSION, keys, arguments)
        }));
        let indexes = keys.iter().filter(|key| key.starts_with(keys::USER_SESSIONS_PREFIX));
        let indexes = try_join_all(indexes.map(|index| {
            let keys = vec![Key::from(index)];
            scripts::run::<Vec<u64>>(&self.servers, OPERATION, &scripts::CHECK_INDEX, keys, Vec::new())
        }));
        let mut page = IndexPage { missing: missing.await?.iter().sum(), next, ..IndexPage::default() };
        for index in indexes.await? {
            let [entries, ended, dangling] = index[..] else {
                page.unreadable += 1;
                continue;
            };
            page.entries += entries;
            page.ended += ended;
            page.dangling += dangling;
        }
        Ok(Some(page))
    }
}

/// How many keys of a sample are drawn from a server that has so many of all.
fn share(number: u64, all: u64) -> u64 {
    (number * u64::from(SAMPLE)).div_ceil(all.max(1))
}

/// What is no text is no key of ours.
fn texts(keys: impl IntoIterator<Item = Bytes>) -> Vec<String> {
    keys.into_iter().filter_map(|key| String::from_utf8(key.into()).ok()).collect()
}

fn difference<T, U>(all: &[T], some: &[U]) -> u64 {
    u64::try_from(all.len().saturating_sub(some.len())).unwrap_or(u64::MAX)
}

/// What the whole comes to if the sample comes to this. (From several servers, the sample has a few keys more.)
fn of_all(sample: u64, keys: u64) -> u64 {
    let whole = u128::from(sample) * u128::from(keys) / u128::from(SAMPLE);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

/// What went wrong with pages whose cursors are our own.
fn of_our_own(operation: &'static str, error: PageError) -> StoreError {
    match error {
        PageError::Store(error) => error,
        error @ PageError::NotACursor(_) => StoreError::unreadable(operation, error),
    }
}

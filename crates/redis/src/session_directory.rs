//! All the sessions, by `SCAN`.
//!
//! A look at a thousand keys takes Redis about a millisecond. Between one look and the next it is left alone for
//! several, so that what serves requests doesn't notice a walk through millions.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::{KeysInterface as _, MemoryInterface as _, ServerInterface as _};
use futures_util::future::try_join_all;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::session_directory::{Count, Cursor, IndexPage, Located, Page, PageError, SessionDirectory};
use markt_domain::ports::session_store::{SessionStore as _, StoredSession};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::session::SessionId;

use crate::connection::Connections;
use crate::record::{self, Found};
use crate::session_store::RedisSessionStore;
use crate::{keys, scripts};

/// How many keys one `SCAN` looks at, at most.
const MOST_KEYS: u32 = 1000;

/// How long Redis is left alone between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// How many sessions one `MGET` asks for: some 70 kB.
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
    connections: Connections,
    sessions: RedisSessionStore,
    clock: Arc<dyn Clock>,
}

impl RedisSessionDirectory {
    pub(crate) fn new(connections: Connections, sessions: RedisSessionStore, clock: Arc<dyn Clock>) -> Self {
        Self { connections, sessions, clock }
    }

    /// Some of the keys that match, and where the next ones begin.
    async fn scan(
        &self,
        operation: &'static str,
        cursor: Option<&Cursor>,
        pattern: &str,
        size: NonZeroU32,
    ) -> Result<(Vec<String>, Option<Cursor>), PageError> {
        let cursor = match cursor.map(Cursor::as_str) {
            None => "0",
            Some(text) if text.parse::<u64>().is_err() => return Err(PageError::NotACursor(text.to_owned())),
            Some(text) => {
                tokio::time::sleep(PAUSE).await;
                text
            }
        };
        let (connection, count) = (self.connections.next(), Some(size.get().min(MOST_KEYS)));
        let page = connection.scan_page(cursor.to_owned(), pattern.to_owned(), count, None);
        let (next, keys): (String, Vec<Bytes>) = self.connections.run(operation, "SCAN", page).await?;
        Ok((texts(keys), (next != "0").then(|| Cursor::new(next))))
    }

    /// The sessions with these ids, and how many of these keys hold something else.
    async fn look(&self, ids: &[SessionId]) -> Result<(Vec<StoredSession>, u64), StoreError> {
        const OPERATION: &str = "read sessions";
        let connection = self.connections.next();
        let records: Vec<Option<Bytes>> =
            self.connections.run(OPERATION, "MGET", connection.mget(keys_of(ids))).await?;
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
        if !missing.is_empty() {
            // Of what is no string, MGET says that it isn't there.
            unreadable +=
                self.connections.run::<u64>(OPERATION, "EXISTS", connection.exists(keys_of(&missing))).await?;
        }
        Ok((sessions, unreadable))
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

    async fn number_of_keys(&self, operation: &'static str) -> Result<u64, StoreError> {
        let connection = self.connections.next();
        self.connections.run(operation, "DBSIZE", connection.dbsize()).await
    }

    /// As many keys as a sample has, drawn with repetition.
    async fn sample(&self, operation: &'static str) -> Result<Vec<String>, StoreError> {
        let connection = self.connections.next();
        let draws = try_join_all((0..SAMPLE).map(|_| connection.randomkey::<Option<Bytes>>()));
        let drawn = self.connections.run(operation, "PIPELINE RANDOMKEY", draws).await?;
        Ok(texts(drawn.into_iter().flatten()))
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
        let connection = self.connections.next();
        let ours = keys.into_iter().filter(|key| PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
        let weights = try_join_all(ours.map(|key| connection.memory_usage::<Option<u64>, _>(key, None)));
        Ok(self.connections.run(operation, "PIPELINE MEMORY USAGE", weights).await?.into_iter().flatten().sum())
    }
}

#[async_trait]
impl SessionDirectory for RedisSessionDirectory {
    async fn page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Page, PageError> {
        let pattern = format!("{}*", keys::SESSION_PREFIX);
        let (keys, next) = self.scan("look for sessions", cursor, &pattern, size).await?;
        let ids: Vec<SessionId> = keys.iter().filter_map(|key| id_of(key)).collect();
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
        let place = keys::session(stored.as_ref().map_or(id, |stored| &stored.session.id));
        let connection = self.connections.next();
        let ttl: i64 = self.connections.run("ask for a time to live", "PTTL", connection.pttl(place.as_str())).await?;
        // Without an end, or gone since.
        let time_to_live = u64::try_from(ttl).ok().map(Duration::from_millis);
        Ok(Some(Located { stored, store: "Redis", place, time_to_live }))
    }

    async fn estimated_count(&self) -> Result<Count, StoreError> {
        const OPERATION: &str = "count sessions";
        let keys = self.number_of_keys(OPERATION).await?;
        if keys <= COUNTED {
            let sessions = self.count().await.map_err(|error| of_our_own(OPERATION, error))?;
            return Ok(Count { sessions, is_estimate: false });
        }
        let sample = self.sample(OPERATION).await?;
        let share = sample.iter().filter(|key| key.starts_with(keys::SESSION_PREFIX)).count();
        Ok(Count { sessions: of_all(u64::try_from(share).unwrap_or(u64::MAX), keys), is_estimate: true })
    }

    async fn bytes(&self) -> Result<Option<u64>, StoreError> {
        const OPERATION: &str = "weigh sessions";
        let keys = self.number_of_keys(OPERATION).await?;
        if keys <= WEIGHED {
            let all = self.all_keys(OPERATION).await.map_err(|error| of_our_own(OPERATION, error))?;
            return self.weigh(OPERATION, all).await.map(Some);
        }
        let sample = self.sample(OPERATION).await?;
        Ok(Some(of_all(self.weigh(OPERATION, sample).await?, keys)))
    }

    async fn index_page(&self, cursor: Option<&Cursor>, size: NonZeroU32) -> Result<Option<IndexPage>, PageError> {
        const OPERATION: &str = "check the index of sessions";
        let (keys, next) = self.scan(OPERATION, cursor, "*", size).await?;
        let sessions = keys.iter().filter_map(|key| id_of(key));
        let missing = try_join_all(sessions.map(|id| {
            let arguments = vec![id.to_string().into(), keys::PROBE_USER.into()];
            scripts::run::<u64>(
                &self.connections,
                OPERATION,
                &scripts::CHECK_SESSION,
                vec![keys::session(&id)],
                arguments,
            )
        }));
        let indexes = keys.iter().filter(|key| key.starts_with(keys::USER_SESSIONS_PREFIX));
        let indexes = try_join_all(indexes.map(|index| {
            scripts::run::<Vec<u64>>(
                &self.connections,
                OPERATION,
                &scripts::CHECK_INDEX,
                vec![index.clone()],
                Vec::new(),
            )
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

fn keys_of(ids: &[SessionId]) -> Vec<String> {
    ids.iter().map(keys::session).collect()
}

/// The id of the session whose key this is.
fn id_of(key: &str) -> Option<SessionId> {
    key.strip_prefix(keys::SESSION_PREFIX)?.parse().ok()
}

/// What is no text is no key of ours.
fn texts(keys: impl IntoIterator<Item = Bytes>) -> Vec<String> {
    keys.into_iter().filter_map(|key| String::from_utf8(key.into()).ok()).collect()
}

fn difference<T, U>(all: &[T], some: &[U]) -> u64 {
    u64::try_from(all.len().saturating_sub(some.len())).unwrap_or(u64::MAX)
}

/// What the whole comes to if the sample comes to this.
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

//! What the system before keeps in the same Redis.

use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::KeysInterface as _;
use fred::types::Key;
use futures_util::future::try_join;
use markt_domain::ports::StoreError;
use markt_domain::ports::foreign_sessions::{ForeignRecord, ForeignRecords, MAX_RECORD};
use markt_domain::session::SessionId;

use crate::commands::Command;
use crate::connection::Connection;
use crate::keys;
use crate::servers::Servers;
use crate::time_to_live::milliseconds;

/// The sessions of the system before, under `session:<id>` as this service's own. Ids tell them apart: those of this
/// service are 64 hexadecimal digits, and nobody may name one as an id of that system's.
#[derive(Clone)]
pub struct RedisForeignRecords {
    servers: Servers,
}

impl RedisForeignRecords {
    pub(crate) fn new(servers: Servers) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl ForeignRecords for RedisForeignRecords {
    async fn get(&self, id: &str) -> Result<Option<ForeignRecord>, StoreError> {
        let Some(key) = key(id) else { return Ok(None) };
        let read = |connection: Connection| {
            let key = key.clone();
            async move {
                let bytes = connection.getrange::<Bytes, _>(key.clone(), 0, MAX_RECORD - 1);
                try_join(bytes, connection.pttl::<i64, _>(key)).await
            }
        };
        let (bytes, ttl) =
            self.servers.run("read a session of the old system", Command::named("PIPELINE"), &key, read).await?;
        // It is gone, or an empty text, which would be nothing either.
        if bytes.is_empty() || ttl == GONE {
            return Ok(None);
        }
        let time_to_live = u64::try_from(ttl).ok().map(Duration::from_millis);
        Ok(Some(ForeignRecord { bytes: bytes.to_vec(), time_to_live }))
    }

    async fn expire(&self, id: &str, after: Duration) -> Result<(), StoreError> {
        let Some(key) = key(id) else { return Ok(()) };
        let expire = |connection: Connection| {
            let key = key.clone();
            async move { connection.pexpire::<u64, _>(key, milliseconds(after), None).await }
        };
        self.servers.run("end a session of the old system", Command::named("PEXPIRE"), &key, expire).await.map(drop)
    }

    async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let Some(key) = key(id) else { return Ok(false) };
        let delete = |connection: Connection| {
            let key = key.clone();
            async move { connection.del::<u64, _>(key).await }
        };
        let deleted =
            self.servers.run("delete a session of the old system", Command::named("DEL"), &key, delete).await?;
        Ok(deleted > 0)
    }
}

/// What PTTL says of a key that isn't there.
const GONE: i64 = -2;

/// The key; nothing if it would be one of this service's own.
fn key(id: &str) -> Option<Key> {
    let is_own = id.to_ascii_lowercase().parse::<SessionId>().is_ok();
    (!is_own).then(|| format!("{}{id}", keys::SESSION_PREFIX).into())
}

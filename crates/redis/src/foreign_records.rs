//! What the system before keeps in the same Redis.

use std::time::Duration;

use async_trait::async_trait;
use fred::bytes::Bytes;
use fred::interfaces::KeysInterface as _;
use futures_util::future::try_join;
use markt_domain::ports::StoreError;
use markt_domain::ports::foreign_sessions::{ForeignRecord, ForeignRecords, MAX_RECORD};
use markt_domain::session::SessionId;

use crate::connection::Connections;
use crate::keys;
use crate::time_to_live::milliseconds;

/// The sessions of the system before, under `session:<id>` as this service's own. Ids tell them apart: those of this
/// service are 64 hexadecimal digits, and nobody may name one as an id of that system's.
#[derive(Clone)]
pub struct RedisForeignRecords {
    connections: Connections,
}

impl RedisForeignRecords {
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections }
    }
}

#[async_trait]
impl ForeignRecords for RedisForeignRecords {
    async fn get(&self, id: &str) -> Result<Option<ForeignRecord>, StoreError> {
        let Some(key) = key(id) else { return Ok(None) };
        let connection = self.connections.next();
        let bytes = connection.getrange::<Bytes, _>(key.as_str(), 0, MAX_RECORD - 1);
        let ttl = connection.pttl::<i64, _>(key.as_str());
        let (bytes, ttl) =
            self.connections.run("read a session of the old system", "PIPELINE", try_join(bytes, ttl)).await?;
        // It is gone, or an empty text, which would be nothing either.
        if bytes.is_empty() || ttl == GONE {
            return Ok(None);
        }
        let time_to_live = u64::try_from(ttl).ok().map(Duration::from_millis);
        Ok(Some(ForeignRecord { bytes: bytes.to_vec(), time_to_live }))
    }

    async fn expire(&self, id: &str, after: Duration) -> Result<(), StoreError> {
        let Some(key) = key(id) else { return Ok(()) };
        let connection = self.connections.next();
        let expiring = connection.pexpire::<u64, _>(key, milliseconds(after), None);
        self.connections.run("end a session of the old system", "PEXPIRE", expiring).await.map(drop)
    }

    async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let Some(key) = key(id) else { return Ok(false) };
        let connection = self.connections.next();
        let deleted: u64 =
            self.connections.run("delete a session of the old system", "DEL", connection.del(key)).await?;
        Ok(deleted > 0)
    }
}

/// What PTTL says of a key that isn't there.
const GONE: i64 = -2;

/// The key; nothing if it would be one of this service's own.
fn key(id: &str) -> Option<String> {
    let is_own = id.to_ascii_lowercase().parse::<SessionId>().is_ok();
    (!is_own).then(|| format!("{}{id}", keys::SESSION_PREFIX))
}

//! A session that is there only to be revoked: so that it can be measured how long a revocation takes.

use std::time::Duration;

use fred::interfaces::KeysInterface;
use fred::types::Expiration;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_store::Revision;
use markt_domain::session::{Session, SessionId};

use crate::connection::Connections;
use crate::time_to_live::milliseconds;
use crate::{keys, record};

pub(crate) async fn plant(connections: &Connections, probe: &Session, lifetime: Duration) -> Result<(), StoreError> {
    const OPERATION: &str = "plant probe";
    let head = record::head(probe, Revision::default()).map_err(|error| StoreError::unreadable(OPERATION, error))?;
    let lifetime = Some(Expiration::PX(milliseconds(lifetime)));
    connections
        .run(OPERATION, "SET", connections.next().set(keys::session(&probe.id), head + "0}", lifetime, None, false))
        .await
}

pub(crate) async fn revoke(connections: &Connections, id: &SessionId) -> Result<(), StoreError> {
    connections.run("revoke probe", "DEL", connections.next().del(keys::session(id))).await
}

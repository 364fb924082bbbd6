//! A session that is there only to be revoked: so that it can be measured how long a revocation takes.

use std::time::Duration;

use fred::interfaces::KeysInterface;
use fred::types::Expiration;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_store::Revision;
use markt_domain::session::{Session, SessionId};

use crate::commands::Command;
use crate::connection::Connection;
use crate::record;
use crate::servers::Servers;
use crate::time_to_live::milliseconds;

pub(crate) async fn plant(servers: &Servers, probe: &Session, lifetime: Duration) -> Result<(), StoreError> {
    const OPERATION: &str = "plant probe";
    let head = record::head(probe, Revision::default()).map_err(|error| StoreError::unreadable(OPERATION, error))?;
    let (key, json) = (servers.keys().session(&probe.id), head + "0}");
    let plant = |connection: Connection| {
        let (key, json, lifetime) = (key.clone(), json.clone(), Some(Expiration::PX(milliseconds(lifetime))));
        async move { connection.set(key, json, lifetime, None, false).await }
    };
    servers.run(OPERATION, Command::named("SET"), &key, plant).await
}

pub(crate) async fn revoke(servers: &Servers, id: &SessionId) -> Result<(), StoreError> {
    let key = servers.keys().session(id);
    let revoke = |connection: Connection| {
        let key = key.clone();
        async move { connection.del(key).await }
    };
    servers.run("revoke probe", Command::named("DEL"), &key, revoke).await
}

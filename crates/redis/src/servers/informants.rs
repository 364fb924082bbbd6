//! Who is asked which servers there are.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike as _;
use fred::types::config::Server;
use fred::types::{ClusterHash, CustomCommand, RespVersion};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::view::{Claim, Seen, agree, all_slots, claim_of_sentinel, claims_of_cluster};
use crate::connection::{ConnectOptions, Connection, for_a_look};
use crate::place::{Kind, Place};

/// How long the others may take once one has answered.
const PATIENCE: Duration = Duration::from_millis(200);

/// Asks over connections of its own, which it keeps.
pub(crate) struct Informants {
    place: Place,
    options: ConnectOptions,
    connections: Mutex<HashMap<Server, Connection>>,
}

impl Informants {
    pub(crate) fn new(place: Place, options: ConnectOptions) -> Self {
        Self { place, options, connections: Mutex::default() }
    }

    /// Which servers there are, as all informants say together. `known` are servers that were there when last asked.
    pub(crate) async fn ask(&self, known: impl IntoIterator<Item = Server>) -> Result<Vec<Seen>, Error> {
        let informants: BTreeSet<Server> = match self.place.kind() {
            Kind::Single(server) => {
                return Ok(vec![Seen { server: server.clone(), id: String::new(), slots: all_slots() }]);
            }
            Kind::Sentinels { hosts, .. } => hosts.iter().cloned().collect(),
            Kind::Cluster(seeds) => seeds.iter().cloned().chain(known).collect(),
        };
        let mut connections = self.connections.lock().await;
        connections.retain(|server, _| informants.contains(server));
        let mut asked: FuturesUnordered<_> = informants
            .into_iter()
            .map(|server| {
                let connection = connections.remove(&server);
                async move {
                    let outcome = self.claims(&server, connection).await;
                    (server, outcome)
                }
            })
            .collect();
        let (begun, mut claims, mut trouble) = (Instant::now(), Vec::new(), None);
        loop {
            let patience = if claims.is_empty() { self.options.connect_timeout + PATIENCE } else { PATIENCE };
            match tokio::time::timeout_at(begun + patience, asked.next()).await {
                Ok(Some((server, Ok((connection, theirs))))) => {
                    connections.insert(server, connection);
                    claims.extend(theirs);
                }
                Ok(Some((_, Err(error)))) => trouble = Some(error),
                Ok(None) => break,
                Err(elapsed) => {
                    trouble = Some(Error::new(ErrorKind::Timeout, elapsed.to_string()));
                    break;
                }
            }
        }
        drop(asked);
        match (claims.is_empty(), trouble) {
            (false, _) => Ok(agree(claims)),
            (true, Some(error)) => Err(error),
            (true, None) => Err(Error::new(ErrorKind::Cluster, "no server is said to have any keys")),
        }
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        for (_, connection) in self.connections.lock().await.drain() {
            // One that is down is closed enough.
            let _ = connection.quit().await;
        }
    }

    async fn claims(&self, server: &Server, connection: Option<Connection>) -> Result<(Connection, Vec<Claim>), Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => self.connect(server).await?,
        };
        let command = |name| CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        let claims = match self.place.kind() {
            Kind::Sentinels { service, .. } => {
                let words: Vec<String> = connection.custom(command("SENTINEL"), vec!["MASTER", service]).await?;
                claim_of_sentinel(&words).into_iter().collect()
            }
            Kind::Single(_) | Kind::Cluster(_) => {
                let table: String = connection.custom(command("CLUSTER"), vec!["NODES"]).await?;
                claims_of_cluster(&table, server, self.place.is_encrypted())
            }
        };
        Ok((connection, claims))
    }

    async fn connect(&self, server: &Server) -> Result<Connection, Error> {
        // A Sentinel needn't speak the newer protocol.
        for_a_look(self.place.informants_config(server), self.options, RespVersion::RESP2).await
    }
}

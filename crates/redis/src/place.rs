//! How a Redis is found and connected to, by its address.

use fred::error::ErrorKind;
use fred::types::RespVersion;
use fred::types::config::{Config, Server, ServerConfig};

use crate::errors::ConnectError;
use crate::url::{InvalidRedisUrl, RedisUrl};

/// A Redis, of one server or several.
#[derive(Clone)]
pub(crate) struct Place {
    url: RedisUrl,
    /// How each of its servers is connected to, but for where that is.
    base: Config,
    kind: Kind,
}

/// Who knows which servers there are.
#[derive(Clone)]
pub(crate) enum Kind {
    /// There is this one.
    Single(Server),
    /// Sentinels know the primary.
    Sentinels {
        /// Where they are.
        hosts: Vec<Server>,
        /// What they call it.
        service: String,
        /// Their user and password.
        credentials: (Option<String>, Option<String>),
    },
    /// Each server of a cluster knows the others.
    Cluster(Vec<Server>),
}

impl Place {
    pub(crate) fn new(url: &RedisUrl) -> Result<Self, ConnectError> {
        let base = Config::from_url(url.expose()).map_err(|error| match error.kind() {
            // What is wrong with the certificates of this machine has nothing to do with the address.
            ErrorKind::Tls => ConnectError::of(url, error),
            // fred's words may repeat a part of the address, and so a password.
            _ => InvalidRedisUrl::Malformed.into(),
        })?;
        let kind = match &base.server {
            ServerConfig::Centralized { server } => Kind::Single(server.clone()),
            ServerConfig::Clustered { hosts, .. } => Kind::Cluster(hosts.clone()),
            ServerConfig::Sentinel { hosts, service_name, username, password } => Kind::Sentinels {
                hosts: hosts.clone(),
                service: service_name.clone(),
                credentials: (username.clone(), password.clone()),
            },
            #[expect(unreachable_patterns, reason = "fred has one more kind of server, if another crate asks for it")]
            _ => return Err(InvalidRedisUrl::Scheme.into()),
        };
        // A Redis that is away at the start is told of, instead of waited for.
        let base = Config { version: RespVersion::RESP3, fail_fast: true, ..base };
        Ok(Self { url: url.clone(), base, kind })
    }

    pub(crate) fn url(&self) -> &RedisUrl {
        &self.url
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster(_))
    }

    /// How this server of it is connected to.
    pub(crate) fn config(&self, server: &Server) -> Config {
        Config { server: ServerConfig::Centralized { server: server.clone() }, ..self.base.clone() }
    }

    /// How this server is connected to, which knows the others.
    pub(crate) fn informants_config(&self, server: &Server) -> Config {
        let config = self.config(server);
        match &self.kind {
            Kind::Sentinels { credentials: (username, password), .. } => {
                Config { username: username.clone(), password: password.clone(), database: None, ..config }
            }
            Kind::Single(_) | Kind::Cluster(_) => config,
        }
    }

    /// Whether connections are encrypted, and servers so known by their names.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.tls.is_some()
    }
}

//! Commands as traces tell of them, by OpenTelemetry's semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/database/redis/>). Keys and values aren't told.

use markt_domain::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::url::RedisUrl;

/// What is sent.
pub(crate) struct Command<'a> {
    name: &'static str,
    /// The digest of the script that it runs.
    script: Option<&'a str>,
}

impl<'a> Command<'a> {
    /// The script with this digest.
    pub(crate) fn script(digest: &'a str) -> Self {
        Self { name: "EVALSHA", script: Some(digest) }
    }
}

impl From<&'static str> for Command<'_> {
    /// Of this name; several at once are `PIPELINE` and the name.
    fn from(name: &'static str) -> Self {
        Self { name, script: None }
    }
}

/// Where commands go.
pub(crate) struct TracedServer {
    database: u8,
    host: String,
    port: u16,
}

impl TracedServer {
    /// The Redis with this address; where there are several, the first that it names.
    pub(crate) fn at(url: &RedisUrl) -> Self {
        let (host, port) = url.server();
        Self { database: url.database(), host: host.to_owned(), port }
    }

    /// A span for a command; none if it isn't part of a trace.
    pub(crate) fn span(&self, command: &Command<'_>) -> Span {
        if !trace::is_traced() {
            return Span::none();
        }
        tracing::info_span!(
            target: trace::TARGET,
            "command",
            otel.name = command.name,
            otel.kind = "client",
            otel.status_code = Empty,
            "error.type" = Empty,
            db.system.name = "redis",
            db.operation.name = command.name,
            db.stored_procedure.name = command.script,
            db.namespace = self.database,
            server.address = self.host,
            server.port = self.port,
        )
    }
}

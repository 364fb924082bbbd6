//! Commands as traces tell of them, by OpenTelemetry's semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/database/redis/>). Keys and values aren't told.

use fred::error::Error;
use fred::types::config::Config;
use markt_domain::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::errors::is_answer;

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    name: &'static str,
    /// The digest of the script that it runs.
    script: Option<&'static str>,
}

impl Command {
    /// Of this name; several at once are `PIPELINE` and the name.
    pub(crate) const fn named(name: &'static str) -> Self {
        Self { name, script: None }
    }

    /// The script with this digest.
    pub(crate) const fn script(digest: &'static str) -> Self {
        Self { name: "EVALSHA", script: Some(digest) }
    }
}

/// A server that commands are sent to.
pub(crate) struct TracedServer {
    database: u8,
    host: String,
    port: u16,
}

impl TracedServer {
    /// The one that is connected to so.
    pub(crate) fn of(config: &Config) -> Self {
        let server = config.server.hosts().into_iter().next();
        let (host, port) = server.map_or_else(Default::default, |server| (server.host.to_string(), server.port));
        Self { database: config.database.unwrap_or_default(), host, port }
    }

    /// A span for a command; none if it isn't part of a trace.
    pub(crate) fn span(&self, command: Command) -> Span {
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

/// Says of a command's span what came of it.
pub(crate) fn see<T>(span: &Span, result: &Result<T, Error>) {
    match result {
        Ok(_) => {}
        Err(error) if is_answer(error) => trace::fail(span, "refused"),
        Err(_) => trace::fail(span, "store_unavailable"),
    }
}

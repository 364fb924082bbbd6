//! Statements as traces tell of them, by OpenTelemetry's semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/database/sql/>). Values aren't told.

use std::pin::Pin;
use std::sync::Arc;

use markt_domain::trace;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionOptions, TransactionTrait as _,
};
use tracing::Span;
use tracing::field::Empty;

use crate::errors::is_answer;

/// What statements are run over.
pub(crate) type Connection = Traced<DatabaseConnection>;

/// The same, within a transaction. Dropped without `commit`, it is rolled back.
pub(crate) type Transaction = Traced<DatabaseTransaction>;

/// The database as traces name it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The name of a PostgreSQL database, or of SQLite's file.
    pub namespace: String,
    /// Where the server is, if there is one.
    pub server: Option<(String, u16)>,
}

/// Has a span for each statement that is run for a request that is traced.
#[derive(Clone)]
pub(crate) struct Traced<C> {
    inner: C,
    place: Arc<Place>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbErr>> + Send + 'a>>;

impl<C: ConnectionTrait> Traced<C> {
    pub(crate) fn new(inner: C, place: Arc<Place>) -> Self {
        Self { inner, place }
    }

    /// What is not traced.
    pub(crate) fn inner(&self) -> &C {
        &self.inner
    }

    #[cfg(test)]
    pub(crate) fn inner_mut(&mut self) -> &mut C {
        &mut self.inner
    }

    /// A span for a statement; none if it isn't part of a trace.
    fn span(&self, sql: &str) -> Span {
        if !trace::is_traced() {
            return Span::none();
        }
        let system = match self.inner.get_database_backend() {
            DbBackend::Sqlite => "sqlite",
            _ => "postgresql",
        };
        let (operation, table) = summary(sql);
        let server = self.place.server.as_ref();
        tracing::info_span!(
            target: trace::TARGET,
            "statement",
            otel.name = [operation, table].join(" ").trim_end(),
            otel.kind = "client",
            otel.status_code = Empty,
            "error.type" = Empty,
            db.system.name = system,
            db.operation.name = operation,
            db.collection.name = (!table.is_empty()).then_some(table),
            db.query.text = sql,
            db.namespace = self.place.namespace,
            server.address = server.map(|(host, _)| host.as_str()),
            server.port = server.map(|(_, port)| port),
        )
    }
}

impl Connection {
    /// Begins a transaction.
    pub(crate) async fn begin(&self, options: TransactionOptions) -> Result<Transaction, DbErr> {
        let inner = within(self.span("BEGIN"), self.inner.begin_with_options(options)).await?;
        Ok(Traced { inner, place: Arc::clone(&self.place) })
    }
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        within(self.span("COMMIT"), Box::pin(self.inner.commit())).await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        within(self.span("ROLLBACK"), Box::pin(self.inner.rollback())).await
    }
}

/// Passes everything on. Written out, where `async_trait` would put each future into another box.
impl<C: ConnectionTrait> ConnectionTrait for Traced<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    fn execute_raw<'a, 'b>(&'a self, statement: Statement) -> Answer<'b, ExecResult>
    where
        'a: 'b,
        Self: 'b,
    {
        within(self.span(&statement.sql), self.inner.execute_raw(statement))
    }

    fn execute_unprepared<'a, 'c, 'b>(&'a self, sql: &'c str) -> Answer<'b, ExecResult>
    where
        'a: 'b,
        'c: 'b,
        Self: 'b,
    {
        within(self.span(sql), self.inner.execute_unprepared(sql))
    }

    fn query_one_raw<'a, 'b>(&'a self, statement: Statement) -> Answer<'b, Option<QueryResult>>
    where
        'a: 'b,
        Self: 'b,
    {
        within(self.span(&statement.sql), self.inner.query_one_raw(statement))
    }

    fn query_all_raw<'a, 'b>(&'a self, statement: Statement) -> Answer<'b, Vec<QueryResult>>
    where
        'a: 'b,
        Self: 'b,
    {
        within(self.span(&statement.sql), self.inner.query_all_raw(statement))
    }
}

/// Waits for the answer to a statement, whose span ends with it. The span isn't entered: nothing is within it, and SQLx
/// would have its thread for SQLite enter it, too, and leave it at some time.
fn within<'a, T: Send + 'a>(span: Span, answer: Answer<'a, T>) -> Answer<'a, T> {
    if span.is_none() {
        return answer;
    }
    Box::pin(async move {
        let outcome = answer.await;
        match &outcome {
            Ok(_) => {}
            Err(error) if is_answer(error) => trace::fail(&span, "refused"),
            Err(_) => trace::fail(&span, "store_unavailable"),
        }
        outcome
    })
}

/// What a statement does, and the first table that it names: `SELECT`, `users`.
fn summary(sql: &str) -> (&str, &str) {
    let mut words = sql.split_ascii_whitespace();
    let operation = words.next().unwrap_or_default();
    let mut named = std::iter::once(operation).chain(words.by_ref());
    let before_it = |word: &&str| ["FROM", "INTO", "UPDATE"].contains(word);
    let table = named.find(before_it).and_then(|_| named.next()).filter(|word| !word.starts_with('('));
    (operation, table.unwrap_or_default().trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_summed_up_by_what_it_does_and_to_which_table() {
        for (sql, expected) in [
            (r#"SELECT "id" FROM "users" JOIN "roles" ON TRUE WHERE "email" = $1"#, ("SELECT", "users")),
            (r#"INSERT INTO "sessions" ("id") VALUES ($1) ON CONFLICT DO UPDATE SET x = 1"#, ("INSERT", "sessions")),
            (r#"UPDATE "users" SET "email" = $1 RETURNING "id""#, ("UPDATE", "users")),
            (r#"DELETE FROM rate_limits WHERE true"#, ("DELETE", "rate_limits")),
            ("COMMIT", ("COMMIT", "")),
            ("SELECT COUNT(*) FROM (SELECT 1)", ("SELECT", "")),
            ("", ("", "")),
        ] {
            assert_eq!(summary(sql), expected, "{sql}");
        }
    }
}

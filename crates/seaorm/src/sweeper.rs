//! Forgets what has expired, a little at a time.

use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::Database;

/// Sessions that nobody has used for their idle timeout. (None lives longer than that, whatever its absolute timeout.)
pub(crate) async fn sweep_sessions(database: &Database, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep sessions", "auth_sessions", "id", "idle_expires_at", now, batch).await
}

/// Codes that nobody has used in time.
pub(crate) async fn sweep_codes(database: &Database, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep codes", "auth_codes", "user_id, purpose", "expires_at", now, batch).await
}

async fn sweep(
    database: &Database,
    operation: &'static str,
    table: &str,
    key: &str,
    expiry: &str,
    now: Timestamp,
    batch: u64,
) -> Result<u64, StoreError> {
    let backend = database.backend();
    // PostgreSQL passes over the rows that another sweeper is at; SQLite, with its one writer, has no such clause. The
    // rows are chosen in a CTE, since PostgreSQL may run a subquery with a limit more than once.
    let others = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "WITH expired AS (
           SELECT {key} FROM {table} WHERE {expiry} <= $1 ORDER BY {expiry} LIMIT $2 {others}
         )
         DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM expired)"
    );
    let batch = i64::try_from(batch.max(1)).unwrap_or(i64::MAX);
    let mut swept = 0;
    loop {
        let values = [now.unix_milliseconds().into(), batch.into()];
        let delete = Statement::from_sql_and_values(backend, &sql, values);
        let deleted = database.bounded(operation, database.writer().execute_raw(delete)).await?.rows_affected();
        swept += deleted;
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < batch) {
            return Ok(swept);
        }
    }
}

//! Forgets what has expired, a little at a time.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::ports::StoreError;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::Database;
use crate::time::milliseconds_before;

/// Sessions that have been expired for so long, how others ended that long ago, and ids that were honoured in place of
/// others.
pub(crate) async fn sweep_sessions(
    database: &Database,
    now: Timestamp,
    retention: Duration,
    batch: u64,
) -> Result<u64, StoreError> {
    let retained = milliseconds_before(now, retention);
    // No session outlives its idle timeout, whatever its absolute one.
    let sessions = sweep(database, "sweep sessions", &SESSIONS, retained, batch).await?;
    let ended = sweep(database, "sweep endings of sessions", &ENDED_SESSIONS, retained, batch).await?;
    let aliases = sweep(database, "sweep aliases of sessions", &ALIASES, now.unix_milliseconds(), batch).await?;
    Ok(sessions + ended + aliases)
}

/// Codes that nobody has used in time.
pub(crate) async fn sweep_codes(database: &Database, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep codes", &CODES, now.unix_milliseconds(), batch).await
}

/// Limits that have all their room again.
pub(crate) async fn sweep_limits(database: &Database, now_in_microseconds: i64, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep limits", &LIMITS, now_in_microseconds, batch).await
}

/// Spent tokens that are void anyway.
pub(crate) async fn sweep_spent_tokens(database: &Database, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep spent tokens", &SPENT_TOKENS, now.unix_milliseconds(), batch).await
}

/// Entries of the audit trail from before this time.
pub(crate) async fn sweep_audit(database: &Database, until: Timestamp, batch: u64) -> Result<u64, StoreError> {
    sweep(database, "sweep audit trail", &AUDIT, until.unix_milliseconds().saturating_sub(1), batch).await
}

struct Swept {
    table: &'static str,
    key: &'static str,
    expiry: &'static str,
}

const SESSIONS: Swept = Swept { table: "auth_sessions", key: "id", expiry: "idle_expires_at" };
const ENDED_SESSIONS: Swept = Swept { table: "auth_ended_sessions", key: "id", expiry: "ended_at" };
const ALIASES: Swept = Swept { table: "auth_session_aliases", key: "id", expiry: "honoured_until" };
const CODES: Swept = Swept { table: "auth_codes", key: "user_id, purpose", expiry: "expires_at" };
const SPENT_TOKENS: Swept = Swept { table: "auth_spent_tokens", key: "id", expiry: "expires_at" };
const AUDIT: Swept = Swept { table: "auth_audit", key: "id", expiry: "at" };
const LIMITS: Swept = Swept { table: "auth_limits", key: "key", expiry: "tat" };

async fn sweep(
    database: &Database,
    operation: &'static str,
    Swept { table, key, expiry }: &Swept,
    until: i64,
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
        let delete = Statement::from_sql_and_values(backend, &sql, [until.into(), batch.into()]);
        let deleted = database.bounded(operation, database.writer().execute_raw(delete)).await?.rows_affected();
        swept += deleted;
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < batch) {
            return Ok(swept);
        }
    }
}

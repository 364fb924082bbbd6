//! What the database's errors mean for a caller.

use std::fmt;

use markt_domain::ports::{StoreError, StoreErrorKind};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// An error of the database, in words fit for the log: the driver's own, but without the values that it was about.
///
/// The driver's error types show more of themselves in `Debug` output (`Key (email)=(…) already exists`), so none of
/// them is kept.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

/// The store's error for one of the database.
pub(crate) fn store_error(operation: &'static str, error: &DbErr) -> StoreError {
    let (kind, text) = match error {
        DbErr::ConnectionAcquire(_) => (StoreErrorKind::Unavailable, error.to_string()),
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => (StoreErrorKind::Unavailable, describe(cause)),
        DbErr::Conn(_) => (StoreErrorKind::Unavailable, error.to_string()),
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            (kind(cause), describe(cause))
        }
        other => (StoreErrorKind::Unreadable, other.to_string()),
    };
    match kind {
        StoreErrorKind::Unavailable => StoreError::unavailable(operation, Cause(text)),
        StoreErrorKind::Unreadable => StoreError::unreadable(operation, Cause(text)),
    }
}

/// Whether the database said it, and not the driver for want of an answer. A database that answers that it is busy
/// keeps nobody waiting, and may do one thing when it can't do another.
pub(crate) fn is_answer(error: &DbErr) -> bool {
    use sqlx::Error as E;
    match error {
        DbErr::ConnectionAcquire(_) => false,
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => !matches!(
            **cause,
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed
        ),
        DbErr::Conn(_) => false,
        _ => true,
    }
}

/// What the driver says, without values.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(cause) = error else { return error.to_string() };
    let code = cause.code().unwrap_or_default();
    // PostgreSQL's class 22, "data exception", quotes the datum.
    let message =
        if is_postgres(cause.as_ref()) && code.starts_with("22") { "data exception" } else { cause.message() };
    format!("{message} (code {code})")
}

/// Whether the database refused a row because another one is there, or one that it refers to isn't.
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_)))
}

/// How often something is tried to be made while others take, in that moment, what was free: each time one of them got
/// it, and the next look says so.
const TRIES: usize = 5;

/// Does it until no row is in the way, or for the last time. Which row was in the way isn't read from the error: the
/// constraints of a database that was taken over have names that nobody here knows. The next try looks.
pub(crate) async fn trying_again<T, W>(mut work: impl FnMut() -> W) -> Result<T, DbErr>
where
    W: Future<Output = Result<T, DbErr>>,
{
    let mut tries = 1..TRIES;
    loop {
        match work().await {
            Err(error) if is_conflict(&error) && tries.next().is_some() => {}
            result => return result,
        }
    }
}

fn kind(error: &sqlx::Error) -> StoreErrorKind {
    use sqlx::Error as E;
    let unavailable = match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
        E::Database(cause) => {
            let code = cause.code().unwrap_or_default();
            if is_postgres(cause.as_ref()) { passes_in_postgres(&code) } else { passes_in_sqlite(&code) }
        }
        _ => false,
    };
    if unavailable { StoreErrorKind::Unavailable } else { StoreErrorKind::Unreadable }
}

fn is_postgres(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
}

/// Whether it is a trouble that passes: the connection's, a lack of resources, an operator's intervention (a statement
/// timeout and a shutdown too), a lock not had, a deadlock, a server that can only be read for now.
fn passes_in_postgres(sqlstate: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "40", "53", "57"];
    const STATES: [&str; 3] = ["25006", "25P03", "55P03"];
    CLASSES.iter().any(|class| sqlstate.starts_with(class)) || STATES.contains(&sqlstate)
}

/// Whether it is a trouble that passes: busy, locked, read-only, interrupted, I/O, full, can't be opened.
fn passes_in_sqlite(code: &str) -> bool {
    // The low byte of an extended result code is the primary one.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 9 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_says_is_an_answer_and_what_the_driver_says_is_not() {
        let of = |error| DbErr::Query(RuntimeErr::SqlxError(std::sync::Arc::new(error)));
        assert!(is_answer(&of(sqlx::Error::RowNotFound)));
        assert!(is_answer(&DbErr::RecordNotFound("of a user".into())));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        for error in [sqlx::Error::PoolTimedOut, sqlx::Error::Io(refused), sqlx::Error::PoolClosed] {
            assert!(!is_answer(&of(error)));
        }
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for state in ["08006", "40P01", "53300", "57014", "57P01", "25006", "55P03"] {
            assert!(passes_in_postgres(state), "{state}");
        }
        for state in ["42P01", "23505", "22P02", ""] {
            assert!(!passes_in_postgres(state), "{state}");
        }
        // SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_READ, SQLITE_CANTOPEN.
        for code in ["5", "517", "266", "14"] {
            assert!(passes_in_sqlite(code), "{code}");
        }
        // SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_CONSTRAINT_UNIQUE.
        for code in ["1", "11", "2067", ""] {
            assert!(!passes_in_sqlite(code), "{code}");
        }
    }
}

//! How PostgreSQL is connected.

use std::io;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _};

use super::traced::Place;
use super::{ConnectError, Database};
use crate::errors::describe;

/// How many connections the pool has at most.
pub(crate) const CONNECTIONS: u32 = 16;

/// How long an operation waits for a connection, a new one's making included.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1200);

/// How long an operation may take, waiting included: less than the two seconds that a request is promised, since it
/// has more to wait for than this.
const DEADLINE: Duration = Duration::from_millis(1500);

/// How long a connection may be idle before it is tried again ahead of its use: one that is used all the time shows by
/// itself that it is broken.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How long the server may take to say that a connection is still good. What is left of the time for acquiring one must
/// do for making another.
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// The server gives up too when nobody waits for the answer any more, and doesn't let a process that was frozen within
/// a transaction keep its locks. Set by statements, not in the start-up packet: poolers refuse those that they don't know.
const SESSION: &str = "SET statement_timeout = '1200ms'; SET idle_in_transaction_session_timeout = '5s'";

pub(super) async fn connect(url: &str) -> Result<Database, ConnectError> {
    let options: PgConnectOptions = url.parse().map_err(|error| ConnectError::Malformed(describe(&error)))?;
    let options = options.application_name("markt-auth").disable_statement_logging();

    // A pool only says that it got no connection; a connection of its own says why.
    let attempt = async {
        let connection = PgConnection::connect_with(&options).await?;
        connection.close().await
    };
    match tokio::time::timeout(DEADLINE, attempt).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(ConnectError::Unreachable(describe(&error))),
        Err(elapsed) => return Err(ConnectError::Unreachable(elapsed.to_string())),
    }

    let place = Place {
        namespace: options.get_database().unwrap_or(options.get_username()).to_owned(),
        server: Some((options.get_host().to_owned(), options.get_port())),
    };
    let connection = DatabaseConnection::from(pool(options));
    Ok(Database::new(connection.clone(), connection, DEADLINE, place))
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) }))
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for >= TRUSTED_FOR {
                    ping(connection).await?;
                }
                Ok(true)
            })
        })
        // SQLx tries each connection that comes back, without a bound: after an operation that was given up because
        // the server is frozen, or the network gone, that would keep the connection's place for minutes.
        .after_release(|connection, _| Box::pin(async move { ping(connection).await.map(|()| true) }))
        .connect_lazy_with(options)
}

async fn ping(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

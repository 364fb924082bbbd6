//! What is particular to PostgreSQL.

use std::time::Duration;

use markt_test_support::programs;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, query_scalar};
use tokio::time::timeout;

use crate::Error;
use crate::local::Program;

const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Whether a server answers at this URL, and lets us in.
pub(crate) async fn ping(url: &str) -> Result<(), Error> {
    ask(url, "SELECT 'here'").await.map(drop)
}

/// The folder that the server at this URL keeps its data in.
pub(crate) async fn folder(url: &str) -> Result<String, Error> {
    ask(url, "SHOW data_directory").await
}

async fn ask(url: &str, query: &'static str) -> Result<String, Error> {
    let answer = timeout(TIME_LIMIT, async {
        let mut connection = PgConnection::connect(url).await?;
        let answer: String = query_scalar(query).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(answer)
    });
    match answer.await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(format!("it didn't answer within {TIME_LIMIT:?}").into()),
    }
}

/// The server's program on this machine.
pub(crate) fn program() -> Option<Program> {
    programs::postgres().next().and_then(Program::new)
}

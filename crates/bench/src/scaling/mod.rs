//! What becomes of the figures when there are more processes, and more servers of Redis with more sessions.

mod cluster;
mod nodes;
mod shards;

use std::path::Path;
use std::process::ExitCode;

use crate::cli::Error;
use crate::database::Database;
use crate::signals;
use crate::table::{self, Figure};

/// One to four processes of the service over one Redis.
pub(crate) async fn nodes(quick: bool) -> Result<ExitCode, Error> {
    measured(async |folder, database| nodes::measure(folder, database, if quick { 2 } else { 9 }).await).await
}

/// A cluster of three servers with so many sessions.
pub(crate) async fn cluster(sessions: u32) -> Result<ExitCode, Error> {
    measured(async |folder, database| cluster::measure(folder, database, sessions).await).await
}

/// Measures, prints the table, and exits with 1 if a figure doesn't hold.
async fn measured(measure: impl AsyncFn(&Path, &Database) -> Result<Vec<Figure>, Error>) -> Result<ExitCode, Error> {
    let folder = tempfile::Builder::new().prefix("markt-bench-").tempdir()?;
    let database = Database::create().await?;
    // What measuring started ends with it, also when it is given up on.
    let measured = tokio::select! {
        measured = measure(folder.path(), &database) => measured,
        ended = signals::told_to_end() => Err(ended.err().unwrap_or_else(|| "interrupted".into())),
    };
    database.drop().await?;
    let figures = measured?;
    print!("{}", table::markdown(&figures));
    let failed = figures.iter().any(|figure| figure.holds() == Some(false));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

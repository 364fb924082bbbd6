//! The database's schema, and how it comes about.

pub(crate) mod adoption;
mod collisions;
mod m20260101_000001_markt_tables;
mod m20260101_000002_auth_tables;
mod m20260101_000003_unique_without_case;
mod m20260101_000004_session_life;
mod m20261125_000005_tokens;
mod m20261126_000006_audit;

use async_trait::async_trait;
use markt_domain::ports::StoreError;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, DynIden};
use sea_orm_migration::prelude::{ColumnDef, Table};
use sea_orm_migration::sea_query::{IntoIden as _, Query};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

use crate::Database;
use crate::errors::store_error;

/// Where the migrations that were applied are written down. Not sea-orm's `seaql_migrations`: the database may belong
/// to another application too.
const TABLE: &str = "auth_migrations";

/// The number of the lock that PostgreSQL lends to one migration at a time.
const ADVISORY_LOCK: i64 = 0x6d61_726b_7461;

/// Why the schema was not brought up to date. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database holds what the schema can't take. The text says what it is and what to do about it; it names
    /// users' e-mail addresses and usernames where those are in the way.
    #[error("{0}")]
    Refused(String),
    /// The database can't be reached, or doesn't do what it is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings the schema up to date: makes the Markt tables where there are none, takes them over as they are where there
/// are, and makes this service's own. Does nothing if the schema is up to date. Of several processes at once, one does
/// it and the others wait. It may take long; it isn't bounded in time.
///
/// # Errors
/// If what is in the database is in the way, or the database can't be reached. Nothing was changed then.
pub async fn migrate(database: &Database) -> Result<(), MigrateError> {
    apply(database).await.map_err(|error| match error {
        DbErr::Migration(text) | DbErr::Custom(text) => MigrateError::Refused(text),
        other => store_error("migrate", &other).into(),
    })
}

/// The names of the migrations that the database lacks, in order; none if it is up to date. Changes nothing.
///
/// Those of a later version of this service don't count: while nodes are replaced one by one, old ones may start
/// beside new ones.
///
/// # Errors
/// If the database can't be reached or read.
pub async fn pending_migrations(database: &Database) -> Result<Vec<String>, StoreError> {
    let applied = database.bounded("read migrations", applied(database.reader().inner())).await?;
    let names = Migrator::migrations().into_iter().map(|migration| migration.name().to_owned());
    Ok(names.filter(|name| !applied.contains(name)).collect())
}

async fn apply(database: &Database) -> Result<(), DbErr> {
    // Around all of them, so that it is all or nothing, on SQLite too, and one process at a time.
    let transaction = database.begin().await?;
    if database.backend() == DbBackend::Postgres {
        let alone = format!(
            "SET LOCAL statement_timeout = 0;
             SET LOCAL idle_in_transaction_session_timeout = 0;
             SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
        );
        transaction.execute_unprepared(&alone).await?;
    }
    Migrator::up(transaction.inner(), None).await?;
    transaction.commit().await
}

async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(connection).has_table(TABLE).await? {
        return Ok(Vec::new());
    }
    let names = Query::select().column("version").from(TABLE).take();
    connection.query_all(&names).await?.iter().map(|row| row.try_get("", "version")).collect()
}

struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260101_000001_markt_tables::Migration),
            Box::new(m20260101_000002_auth_tables::Migration),
            Box::new(m20260101_000003_unique_without_case::Migration),
            Box::new(m20260101_000004_session_life::Migration),
            Box::new(m20261125_000005_tokens::Migration),
            Box::new(m20261126_000006_audit::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        TABLE.into_iden()
    }
}

/// One at a time: SQLite can't add several.
async fn add_column(manager: &SchemaManager<'_>, table: &'static str, mut column: ColumnDef) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(&mut column).take()).await
}

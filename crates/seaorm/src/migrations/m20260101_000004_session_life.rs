//! What a session's whole life needs: revisions, families, ids that were rotated away, how sessions ended, the session that
//! outlives an epoch; the networks that users are known to log in from; and limits.

use sea_orm::{ConnectionTrait as _, DbBackend};
use sea_orm_migration::prelude::*;

use super::add_column;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let revision = ColumnDef::new("revision").big_integer().not_null().default(0_i64).take();
        add_column(manager, "auth_sessions", revision).await?;
        add_column(manager, "auth_sessions", ColumnDef::new("family").string_len(16).not_null().default("").take())
            .await?;
        found_families(manager).await?;
        add_column(manager, "auth_user_states", ColumnDef::new("kept_family").string_len(16).take()).await?;
        add_column(manager, "auth_user_states", ColumnDef::new("kept_epoch").big_integer().take()).await?;

        for table in [aliases(), ended_sessions(), known_networks(), limits()] {
            manager.create_table(table).await?;
        }
        // For rotating and deleting what aliases lead to.
        manager.create_index(index("auth_session_aliases", "successor")).await?;
        // For the sweeper.
        manager.create_index(index("auth_session_aliases", "honoured_until")).await?;
        manager.create_index(index("auth_ended_sessions", "ended_at")).await?;
        manager.create_index(index("auth_limits", "tat")).await
    }
}

/// The sessions that are there have not been rotated: each has a family of its own.
async fn found_families(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let digits = match manager.get_database_backend() {
        DbBackend::Postgres => "encode(id, 'hex')",
        _ => "lower(hex(id))",
    };
    let update = format!("UPDATE auth_sessions SET family = substr({digits}, 1, 16)");
    manager.get_connection().execute_unprepared(&update).await?;
    Ok(())
}

fn aliases() -> TableCreateStatement {
    Table::create()
        .table("auth_session_aliases")
        .col(ColumnDef::new("id").binary_len(32).not_null().primary_key())
        .col(ColumnDef::new("successor").binary_len(32).not_null())
        .col(ColumnDef::new("honoured_until").big_integer().not_null())
        .take()
}

fn ended_sessions() -> TableCreateStatement {
    Table::create()
        .table("auth_ended_sessions")
        .col(ColumnDef::new("id").binary_len(32).not_null().primary_key())
        .col(ColumnDef::new("ending").string_len(32).not_null())
        .col(ColumnDef::new("ended_at").big_integer().not_null())
        .take()
}

fn known_networks() -> TableCreateStatement {
    Table::create()
        .table("auth_known_networks")
        .col(ColumnDef::new("user_id").string_len(12).not_null())
        .col(ColumnDef::new("network").string_len(43).not_null())
        .col(ColumnDef::new("last_login_at").big_integer().not_null())
        .primary_key(Index::create().col("user_id").col("network"))
        .take()
}

fn limits() -> TableCreateStatement {
    Table::create()
        .table("auth_limits")
        .col(ColumnDef::new("key").text().not_null().primary_key())
        .col(ColumnDef::new("tat").big_integer().not_null())
        .take()
}

fn index(table: &'static str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(format!("{table}_{column}")).table(table).col(column).take()
}

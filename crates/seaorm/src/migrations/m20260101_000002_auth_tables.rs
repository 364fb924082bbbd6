//! This service's own tables, and the indexes that profiles are loaded by.
//!
//! None has a foreign key to the Markt tables: the Markt application deletes users as it always did, without knowing
//! of these.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(user_states()).await?;
        manager.create_table(sessions()).await?;
        manager.create_table(codes()).await?;
        // For the end of an epoch.
        manager.create_index(index("auth_sessions_user_id_epoch", "auth_sessions", &["user_id", "epoch"])).await?;
        // For the sweeper.
        manager.create_index(index("auth_sessions_idle_expires_at", "auth_sessions", &["idle_expires_at"])).await?;
        manager.create_index(index("auth_codes_expires_at", "auth_codes", &["expires_at"])).await?;
        // For profiles: SQLAlchemy makes none for foreign keys. With the id, as the first row of a user's counts.
        for table in ["buyers", "sellers", "user_addresses"] {
            let name = format!("auth_{table}_user_id");
            manager.create_index(index(&name, table, &["user_id", "id"])).await?;
        }
        Ok(())
    }
}

fn user_states() -> TableCreateStatement {
    Table::create()
        .table("auth_user_states")
        .col(ColumnDef::new("user_id").string_len(12).not_null().primary_key())
        .col(ColumnDef::new("session_epoch").big_integer().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .take()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("auth_sessions")
        .col(ColumnDef::new("id").binary_len(32).not_null().primary_key())
        .col(ColumnDef::new("user_id").string_len(12).not_null())
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .col(ColumnDef::new("current_role").string_len(6).not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("last_activity").big_integer().not_null())
        .col(ColumnDef::new("authenticated_at").big_integer().not_null())
        .col(ColumnDef::new("remember").boolean().not_null())
        .col(ColumnDef::new("transport").string_len(6).not_null())
        .col(ColumnDef::new("ip_address").string_len(39).not_null())
        .col(ColumnDef::new("user_agent").string_len(255).not_null())
        .col(ColumnDef::new("idle_expires_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .take()
}

fn codes() -> TableCreateStatement {
    Table::create()
        .table("auth_codes")
        .col(ColumnDef::new("user_id").string_len(12).not_null())
        .col(ColumnDef::new("purpose").string_len(32).not_null())
        .col(ColumnDef::new("hash").text().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("tries_left").big_integer().not_null())
        .primary_key(Index::create().col("user_id").col("purpose"))
        .take()
}

fn index(name: &str, table: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(Alias::new(table)).if_not_exists().to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

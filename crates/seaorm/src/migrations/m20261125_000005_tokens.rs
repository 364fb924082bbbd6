//! What tokens need: where a session's chain of refresh tokens stands, whether its password was given here, since when a
//! user's tokens count, and which tokens were exchanged for a session.

use sea_orm_migration::prelude::*;

use super::add_column;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["refresh_generation", "refreshed_at"] {
            add_column(manager, "auth_sessions", ColumnDef::new(column).big_integer().take()).await?;
        }
        let password_given = ColumnDef::new("password_given").boolean().not_null().default(true).take();
        add_column(manager, "auth_sessions", password_given).await?;
        add_column(manager, "auth_user_states", ColumnDef::new("epoch_began_at").big_integer().take()).await?;
        let spent = Table::create()
            .table("auth_spent_tokens")
            .col(ColumnDef::new("id").binary_len(32).not_null().primary_key())
            .col(ColumnDef::new("expires_at").big_integer().not_null())
            .take();
        manager.create_table(spent).await?;
        // For the sweeper.
        let index =
            Index::create().name("auth_spent_tokens_expires_at").table("auth_spent_tokens").col("expires_at").take();
        manager.create_index(index).await
    }
}

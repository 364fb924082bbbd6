//! Where a session's chain of refresh tokens stands.

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
        Ok(())
    }
}

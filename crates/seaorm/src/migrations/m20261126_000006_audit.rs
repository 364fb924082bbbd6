//! What happened to users and sessions. Nothing refers to other tables: an entry outlives what it tells of.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("auth_audit")
            .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
            .col(ColumnDef::new("key").binary_len(16).not_null().unique_key())
            .col(ColumnDef::new("at").big_integer().not_null())
            .col(ColumnDef::new("event").string_len(32).not_null())
            .col(ColumnDef::new("user_id").text())
            .col(ColumnDef::new("session_id").string_len(64))
            .col(ColumnDef::new("related_id").string_len(64))
            .col(ColumnDef::new("ip_address").string_len(45))
            .col(ColumnDef::new("user_agent").string_len(255))
            .col(ColumnDef::new("reason").text())
            .col(ColumnDef::new("ending").string_len(32))
            .col(ColumnDef::new("count").big_integer())
            .col(ColumnDef::new("request_id").string_len(128))
            .take();
        manager.create_table(table).await?;
        // For the sweeper and for who looks at a time; and for who looks at a user.
        let by_time = Index::create().name("auth_audit_at").table("auth_audit").col("at").take();
        manager.create_index(by_time).await?;
        let by_user = Index::create().name("auth_audit_user_id").table("auth_audit").col("user_id").col("at").take();
        manager.create_index(by_user).await
    }
}

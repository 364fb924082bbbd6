//! E-mail addresses and usernames are unique without regard to case, by indexes of this service's own.

use sea_orm_migration::prelude::*;

use super::collisions;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let mut found = Vec::new();
        for column in ["email", "username"] {
            found.extend(collisions::find(connection, column).await?);
        }
        if !found.is_empty() {
            return Err(DbErr::Migration(collisions::explain(&found)));
        }
        for column in ["email", "username"] {
            // The builder's index on an expression comes out differently on the two databases; this doesn't.
            let index =
                format!("CREATE UNIQUE INDEX IF NOT EXISTS auth_users_lower_{column} ON users (lower({column}))");
            connection.execute_unprepared(&index).await?;
        }
        Ok(())
    }
}

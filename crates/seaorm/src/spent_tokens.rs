//! Tokens that were exchanged, in the database.

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::digest::Digest;
use markt_domain::ports::StoreError;
use markt_domain::ports::spent_tokens::SpentTokens;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait as _, PaginatorTrait as _, TryInsertResult};

use crate::Database;
use crate::entities::spent_tokens::{ActiveModel, Column, Entity};

/// Remembers spent tokens in the database: in Redis, a restart could make them good again.
#[derive(Clone, Debug)]
pub struct SeaOrmSpentTokens {
    database: Database,
}

impl SeaOrmSpentTokens {
    /// The tokens in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Forgets the tokens that are void by `now` anyway, `batch` of them (at least one) in each statement. Returns how many
    /// there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was swept until then stays so.
    pub async fn delete_expired(&self, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_spent_tokens(&self.database, now, batch).await
    }

    async fn insert(&self, token: &Digest, expires_at: Timestamp) -> Result<bool, DbErr> {
        let row = ActiveModel { id: Set(token.as_bytes().to_vec()), expires_at: Set(expires_at.unix_milliseconds()) };
        let insert =
            Entity::insert(row).on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned()).try_insert();
        let inserted = insert.exec_without_returning(self.database.writer()).await?;
        Ok(matches!(inserted, TryInsertResult::Inserted(1..)))
    }
}

#[async_trait]
impl SpentTokens for SeaOrmSpentTokens {
    async fn spend(&self, token: &Digest, expires_at: Timestamp) -> Result<bool, StoreError> {
        self.database.bounded("spend token", self.insert(token, expires_at)).await
    }

    async fn is_spent(&self, token: &Digest) -> Result<bool, StoreError> {
        let rows = Entity::find_by_id(token.as_bytes().to_vec()).count(self.database.reader());
        Ok(self.database.bounded("look for spent token", rows).await? > 0)
    }
}

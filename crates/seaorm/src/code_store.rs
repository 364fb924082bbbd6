//! Codes in the database.

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::code::CodePurpose;
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::StoreError;
use markt_domain::ports::code_store::{CodeStore, StoredCode};
use markt_domain::user::UserId;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::Database;
use crate::entities::codes::{ActiveModel, Column, Entity};

/// Keeps codes in the database.
#[derive(Clone, Debug)]
pub struct SeaOrmCodeStore {
    database: Database,
}

impl SeaOrmCodeStore {
    /// A store in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Forgets the codes that are void by `now`, `batch` of them (at least one) in each statement. Returns how many
    /// there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was swept until then stays so.
    pub async fn delete_expired(&self, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_codes(&self.database, now, batch).await
    }
}

#[async_trait]
impl CodeStore for SeaOrmCodeStore {
    async fn put(&self, user: &UserId, purpose: CodePurpose, code: &StoredCode) -> Result<(), StoreError> {
        let row = ActiveModel {
            user_id: Set(user.as_str().to_owned()),
            purpose: Set(purpose.as_str().to_owned()),
            hash: Set(code.hash.expose().to_owned()),
            expires_at: Set(code.expires_at.unix_milliseconds()),
            tries_left: Set(i64::from(code.tries_left)),
        };
        let in_place_of_the_one_before = OnConflict::columns([Column::UserId, Column::Purpose])
            .update_columns([Column::Hash, Column::ExpiresAt, Column::TriesLeft])
            .to_owned();
        let put =
            Entity::insert(row).on_conflict(in_place_of_the_one_before).exec_without_returning(self.database.writer());
        self.database.bounded("put code", put).await?;
        Ok(())
    }

    async fn take_try(
        &self,
        user: &UserId,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<Option<PasswordHash>, StoreError> {
        let take = Entity::update_many()
            .col_expr(Column::TriesLeft, Expr::col(Column::TriesLeft).sub(1))
            .filter(Column::UserId.eq(user.as_str()))
            .filter(Column::Purpose.eq(purpose.as_str()))
            .filter(Column::TriesLeft.gt(0))
            .filter(Column::ExpiresAt.gt(now.unix_milliseconds()))
            .exec_with_returning(self.database.writer());
        let taken = self.database.bounded("take a try of a code", take).await?;
        Ok(taken.into_iter().next().map(|code| PasswordHash::new(code.hash)))
    }

    async fn redeem(&self, user: &UserId, purpose: CodePurpose, hash: &PasswordHash) -> Result<bool, StoreError> {
        let redeem = Entity::delete_many()
            .filter(Column::UserId.eq(user.as_str()))
            .filter(Column::Purpose.eq(purpose.as_str()))
            .filter(Column::Hash.eq(hash.expose()))
            .exec(self.database.writer());
        Ok(self.database.bounded("redeem code", redeem).await?.rows_affected > 0)
    }
}

//! Changes to users. Each counts the user's version up, in its own transaction.

use markt_domain::Timestamp;
use markt_domain::credentials::PasswordHash;
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, UpdateMany,
};

use crate::Database;
use crate::entities::{user_states, users};
use crate::time::to_column;

pub(super) async fn record_login(
    database: &Database,
    id: &UserId,
    at: Timestamp,
) -> Result<Option<UserVersion>, DbErr> {
    let login = users::Entity::update_many().col_expr(users::Column::LastLoginAt, Expr::value(to_column(at)));
    change(database, id, touched(login, at)).await
}

pub(super) async fn mark_email_verified(
    database: &Database,
    id: &UserId,
    at: Timestamp,
) -> Result<Option<UserVersion>, DbErr> {
    let verified = users::Entity::update_many().col_expr(users::Column::EmailVerified, Expr::value(true));
    change(database, id, touched(verified, at)).await
}

/// Leaves `updated_at` alone: to the user, nothing has changed.
pub(super) async fn replace_password_hash(
    database: &Database,
    id: &UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, DbErr> {
    let replaced = users::Entity::update_many()
        .col_expr(users::Column::PasswordHash, Expr::value(new.expose()))
        .filter(users::Column::PasswordHash.eq(old.expose()));
    Ok(change(database, id, replaced).await?.is_some())
}

/// Also for a user that is not there: the row then stands for one that was, whose sessions have to end all the same.
pub(super) async fn begin_session_epoch(database: &Database, id: &UserId) -> Result<UserState, DbErr> {
    count_up(database.writer(), id, true).await
}

/// As SQLAlchemy's `onupdate` does.
fn touched(update: UpdateMany<users::Entity>, at: Timestamp) -> UpdateMany<users::Entity> {
    update.col_expr(users::Column::UpdatedAt, Expr::value(to_column(at)))
}

/// Applies the update to this user, and counts the version up; does neither if it applies to no user.
async fn change(
    database: &Database,
    id: &UserId,
    update: UpdateMany<users::Entity>,
) -> Result<Option<UserVersion>, DbErr> {
    let transaction = database.begin().await?;
    let updated = update.filter(users::Column::Id.eq(id.as_str())).exec(&transaction).await?;
    if updated.rows_affected == 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    let state = count_up(&transaction, id, false).await?;
    transaction.commit().await?;
    Ok(Some(state.version))
}

async fn count_up(connection: &impl ConnectionTrait, id: &UserId, epoch_too: bool) -> Result<UserState, DbErr> {
    use user_states::Column;
    let row = user_states::ActiveModel {
        user_id: Set(id.as_str().to_owned()),
        session_epoch: Set(i64::from(epoch_too)),
        version: Set(1),
    };
    let present = |column: Column| Expr::col((user_states::Entity, column));
    let up = OnConflict::column(Column::UserId)
        .value(Column::SessionEpoch, present(Column::SessionEpoch).add(i64::from(epoch_too)))
        .value(Column::Version, present(Column::Version).add(1_i64))
        .to_owned();
    let state = user_states::Entity::insert(row).on_conflict(up).exec_with_returning(connection).await?;
    Ok(UserState { epoch: SessionEpoch(state.session_epoch), version: UserVersion(state.version) })
}

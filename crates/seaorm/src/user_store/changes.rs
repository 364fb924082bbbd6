//! Changes to users. Each counts the user's version up, in its own transaction.

use markt_domain::Timestamp;
use markt_domain::credentials::PasswordHash;
use markt_domain::session::SessionFamily;
use markt_domain::user::{UserChanges, UserId, UserState, UserVersion};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, UpdateMany};

use super::{load, state};
use crate::Database;
use crate::database::Transaction;
use crate::entities::users::{ActiveModel, Column, Entity};
use crate::time::to_column;

pub(super) async fn mark_email_verified(
    database: &Database,
    id: &UserId,
    at: Timestamp,
) -> Result<Option<UserVersion>, DbErr> {
    let verified = Entity::update_many().col_expr(Column::EmailVerified, Expr::value(true));
    change(database, id, touched(verified, at)).await
}

pub(super) async fn update(
    database: &Database,
    id: &UserId,
    changes: &UserChanges,
    at: Timestamp,
) -> Result<Option<UserVersion>, DbErr> {
    if *changes == UserChanges::default() {
        return load::version(database.reader(), id).await;
    }
    let UserChanges { phone_number, profile_picture } = changes;
    let mut row = ActiveModel::default();
    if phone_number.is_some() {
        row.phone_number = Set(phone_number.clone());
    }
    if profile_picture.is_some() {
        row.profile_picture = Set(profile_picture.clone());
    }
    change(database, id, touched(Entity::update_many().set(row), at)).await
}

/// Leaves `updated_at` alone: to the user, nothing has changed.
pub(super) async fn replace_password_hash(
    database: &Database,
    id: &UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, DbErr> {
    let replaced = with_password(new).filter(Column::PasswordHash.eq(old.expose()));
    Ok(change(database, id, replaced).await?.is_some())
}

pub(super) async fn change_password(
    database: &Database,
    id: &UserId,
    old: &PasswordHash,
    new: &PasswordHash,
    keep: SessionFamily,
    at: Timestamp,
) -> Result<Option<UserState>, DbErr> {
    let changed = touched(with_password(new), at).filter(Column::PasswordHash.eq(old.expose()));
    change_and_begin_epoch(database, id, changed, Some(keep), at).await
}

pub(super) async fn reset_password(
    database: &Database,
    id: &UserId,
    new: &PasswordHash,
    at: Timestamp,
) -> Result<Option<UserState>, DbErr> {
    let reset = with_password(new).col_expr(Column::EmailVerified, Expr::value(true));
    change_and_begin_epoch(database, id, touched(reset, at), None, at).await
}

pub(super) async fn set_active(
    database: &Database,
    id: &UserId,
    active: bool,
    at: Timestamp,
) -> Result<Option<UserState>, DbErr> {
    let set = touched(Entity::update_many().col_expr(Column::IsActive, Expr::value(active)), at);
    if !active {
        return change_and_begin_epoch(database, id, set, None, at).await;
    }
    let Some(transaction) = begin(database, id, set).await? else { return Ok(None) };
    finish(transaction, id).await.map(Some)
}

fn with_password(hash: &PasswordHash) -> UpdateMany<Entity> {
    Entity::update_many().col_expr(Column::PasswordHash, Expr::value(hash.expose()))
}

/// As SQLAlchemy's `onupdate` does.
pub(super) fn touched(update: UpdateMany<Entity>, at: Timestamp) -> UpdateMany<Entity> {
    update.col_expr(Column::UpdatedAt, Expr::value(to_column(at)))
}

/// Applies the update to this user, and counts the version up; does neither if it applies to no user.
async fn change(database: &Database, id: &UserId, update: UpdateMany<Entity>) -> Result<Option<UserVersion>, DbErr> {
    let Some(transaction) = begin(database, id, update).await? else { return Ok(None) };
    Ok(Some(finish(transaction, id).await?.version))
}

/// The same, and begins a new session epoch.
async fn change_and_begin_epoch(
    database: &Database,
    id: &UserId,
    update: UpdateMany<Entity>,
    keep: Option<SessionFamily>,
    at: Timestamp,
) -> Result<Option<UserState>, DbErr> {
    let Some(transaction) = begin(database, id, update).await? else { return Ok(None) };
    let state = state::count_epoch(&transaction, id, keep, at).await?;
    transaction.commit().await?;
    Ok(Some(state))
}

/// A transaction in which the update was applied to this user; none if it applies to no user.
pub(super) async fn begin(
    database: &Database,
    id: &UserId,
    update: UpdateMany<Entity>,
) -> Result<Option<Transaction>, DbErr> {
    let transaction = database.begin().await?;
    let updated = update.filter(Column::Id.eq(id.as_str())).exec(&transaction).await?;
    if updated.rows_affected == 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    Ok(Some(transaction))
}

/// Counts the version up, and commits.
pub(super) async fn finish(transaction: Transaction, id: &UserId) -> Result<UserState, DbErr> {
    let state = state::count_version(&transaction, id).await?;
    transaction.commit().await?;
    Ok(state)
}

//! Sessions that end.

use markt_domain::Timestamp;
use markt_domain::session::{Ending, SessionFamily, SessionId};
use markt_domain::user::{UserId, UserState};
use sea_orm::sea_query::{Expr, ExprTrait as _, IntoCondition, LockType, OnConflict, Query};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};

use super::{key, lookup, state};
use crate::Database;
use crate::database::Transaction;
use crate::entities::ended_sessions;
use crate::entities::sessions::{Column, Entity};

pub(super) async fn delete(database: &Database, id: &SessionId, ending: Ending, now: Timestamp) -> Result<bool, DbErr> {
    let transaction = database.begin().await?;
    let ended = end_one(&transaction, id, ending, now).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// Ends the session that this id finds. Returns whether there was one.
pub(super) async fn end_one(
    transaction: &Transaction,
    id: &SessionId,
    ending: Ending,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let Some(present) = locked(transaction, id, now).await? else { return Ok(false) };
    end(transaction, Column::Id.eq(present), ending, now).await?;
    Ok(true)
}

/// Leaves what has expired to the sweeper: it has ended already, in another way.
pub(super) async fn delete_before_epoch(
    database: &Database,
    user: &UserId,
    state: UserState,
    keep: Option<SessionFamily>,
    ending: Ending,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let transaction = database.begin().await?;
    state::raise(&transaction, user, state.epoch, state.version).await?;
    let before = Column::Epoch.lt(state.epoch.0);
    if let Some(family) = keep {
        Entity::update_many()
            .col_expr(Column::Epoch, Expr::value(state.epoch.0))
            .col_expr(Column::Revision, Expr::col(Column::Revision).add(1_i64))
            .filter(Column::UserId.eq(user.as_str()))
            .filter(Column::Family.eq(family.to_string()))
            .filter(before.clone())
            .exec(&transaction)
            .await?;
    }
    let ended = end(&transaction, lives(user, now).add(before), ending, now).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// The user's sessions that have not expired.
pub(super) fn lives(user: &UserId, now: Timestamp) -> Condition {
    let now = now.unix_milliseconds();
    Condition::all()
        .add(Column::UserId.eq(user.as_str()))
        .add(Column::IdleExpiresAt.gt(now))
        .add(Column::ExpiresAt.gt(now))
}

/// Deletes these sessions, and remembers how they ended. Returns how many there were.
pub(super) async fn end(
    transaction: &Transaction,
    which: impl IntoCondition,
    ending: Ending,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let which = which.into_condition();
    // Locked, so that both statements are about the same sessions under the same ids.
    let endings = Query::select()
        .column(Column::Id)
        .expr(Expr::value(ending.as_str()))
        .expr(Expr::value(now.unix_milliseconds()))
        .from(Entity)
        .cond_where(which.clone())
        .lock(LockType::Update)
        .take();
    let in_place_of_one_before = OnConflict::column(ended_sessions::Column::Id)
        .update_columns([ended_sessions::Column::Ending, ended_sessions::Column::EndedAt])
        .to_owned();
    let remember = Query::insert()
        .into_table(ended_sessions::Entity)
        .columns([ended_sessions::Column::Id, ended_sessions::Column::Ending, ended_sessions::Column::EndedAt])
        .select_from(endings)
        .map_err(|error| DbErr::Custom(error.to_string()))?
        .on_conflict(in_place_of_one_before)
        .take();
    let remembered = transaction.execute(&remember).await?.rows_affected();
    if remembered > 0 {
        Entity::delete_many().filter(which).exec(transaction).await?;
    }
    Ok(remembered)
}

/// The present id of the session that this id finds, which is neither changed, rotated nor deleted for the rest of the
/// transaction.
async fn locked(transaction: &Transaction, id: &SessionId, now: Timestamp) -> Result<Option<Vec<u8>>, DbErr> {
    let mut present = key(id);
    loop {
        let locked = lookup::ids(Entity::find_by_id(present.clone())).lock_exclusive();
        if locked.into_tuple::<Vec<u8>>().one(transaction).await?.is_some() {
            return Ok(Some(present));
        }
        // Rotated away, long ago or while the lock was waited for.
        match lookup::successor(transaction, id, now).await? {
            Some(successor) if successor != present => present = successor,
            _ => return Ok(None),
        }
    }
}

//! Sessions that are used, changed and rotated.

use markt_domain::Timestamp;
use markt_domain::ports::session_store::{Change, Revision};
use markt_domain::session::{Session, SessionId};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, UpdateMany,
};

use super::row::to_row;
use super::{key, lookup};
use crate::Database;
use crate::database::Transaction;
use crate::entities::session_aliases;
use crate::entities::sessions::{ActiveModel, Column, Entity};
use crate::errors::is_conflict;

/// One statement, but where there is nothing to write down. What has expired by then is not revived.
pub(super) async fn touch(
    database: &Database,
    id: &SessionId,
    last_activity: Timestamp,
    idle_expires_at: Timestamp,
) -> Result<bool, DbErr> {
    let now = last_activity.unix_milliseconds();
    let touch = counted(Entity::update_many())
        .col_expr(Column::LastActivity, Expr::value(now))
        .col_expr(Column::IdleExpiresAt, Expr::value(idle_expires_at.unix_milliseconds()))
        .filter(Column::Id.eq(key(id)))
        .filter(Column::LastActivity.lt(now))
        .filter(Column::IdleExpiresAt.gt(now))
        .filter(Column::ExpiresAt.gt(now));
    if touch.exec(database.writer()).await?.rows_affected > 0 {
        return Ok(true);
    }
    lookup::is_there(database.reader(), id).await
}

pub(super) async fn update(
    database: &Database,
    session: &Session,
    revision: Revision,
    now: Timestamp,
) -> Result<Change, DbErr> {
    let row = ActiveModel { id: NotSet, user_id: NotSet, revision: NotSet, ..to_row(session) };
    let update = still_at(counted(Entity::update_many().set(row)), &session.id, revision);
    if update.exec(database.writer()).await?.rows_affected > 0 {
        return Ok(Change::Made);
    }
    refusal(database.writer(), &session.id, now).await
}

pub(super) async fn rotate(
    database: &Database,
    old: &SessionId,
    revision: Revision,
    successor: &Session,
    honoured_until: Timestamp,
    now: Timestamp,
) -> Result<Change, DbErr> {
    let transaction = database.begin().await?;
    match try_rotate(&transaction, old, revision, successor, honoured_until, now).await {
        Ok(Change::Made) => {
            transaction.commit().await?;
            Ok(Change::Made)
        }
        // The successor's id is a session's.
        Err(error) if is_conflict(&error) => {
            transaction.rollback().await?;
            Ok(Change::Conflict)
        }
        refused => {
            transaction.rollback().await?;
            refused
        }
    }
}

async fn try_rotate(
    transaction: &Transaction,
    old: &SessionId,
    revision: Revision,
    successor: &Session,
    honoured_until: Timestamp,
    now: Timestamp,
) -> Result<Change, DbErr> {
    if successor.id == *old {
        return refusal(transaction, old, now).await;
    }
    let row = ActiveModel { user_id: NotSet, revision: NotSet, ..to_row(successor) };
    let alias_of_another = Query::select()
        .expr(Expr::value(1_i64))
        .from(session_aliases::Entity)
        .cond_where(lookup::honoured(&successor.id, now))
        .take();
    let rotated = still_at(counted(Entity::update_many().set(row)), old, revision)
        .filter(Expr::exists(alias_of_another).not())
        .exec(transaction)
        .await?;
    if rotated.rows_affected == 0 {
        return refusal(transaction, old, now).await;
    }
    lead_on(transaction, old, &successor.id, honoured_until, now).await?;
    Ok(Change::Made)
}

/// From now on the id, and all that lead to it, lead to the successor, by one step; the id itself leads nowhere if it
/// isn't honoured any more.
async fn lead_on(
    transaction: &Transaction,
    old: &SessionId,
    successor: &SessionId,
    honoured_until: Timestamp,
    now: Timestamp,
) -> Result<(), DbErr> {
    use session_aliases::{ActiveModel, Column, Entity};
    Entity::update_many()
        .col_expr(Column::Successor, Expr::value(key(successor)))
        .filter(Column::Successor.eq(key(old)))
        .exec(transaction)
        .await?;
    if honoured_until <= now {
        // By a clock that is behind it would be honoured yet.
        Entity::delete_by_id(key(old)).exec(transaction).await?;
        return Ok(());
    }
    let row = ActiveModel {
        id: Set(key(old)),
        successor: Set(key(successor)),
        honoured_until: Set(honoured_until.unix_milliseconds()),
    };
    let in_place_of_one_before =
        OnConflict::column(Column::Id).update_columns([Column::Successor, Column::HonouredUntil]).to_owned();
    Entity::insert(row).on_conflict(in_place_of_one_before).exec_without_returning(transaction).await?;
    Ok(())
}

fn counted(update: UpdateMany<Entity>) -> UpdateMany<Entity> {
    update.col_expr(Column::Revision, Expr::col(Column::Revision).add(1_i64))
}

fn still_at(update: UpdateMany<Entity>, id: &SessionId, revision: Revision) -> UpdateMany<Entity> {
    update.filter(Column::Id.eq(key(id))).filter(Column::Revision.eq(revision.0))
}

/// Why no session was changed.
async fn refusal(connection: &impl ConnectionTrait, id: &SessionId, now: Timestamp) -> Result<Change, DbErr> {
    let there = lookup::leads_to_a_session(connection, id, now).await?;
    Ok(if there { Change::Conflict } else { Change::Gone })
}

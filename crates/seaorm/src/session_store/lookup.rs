//! Sessions that are looked for, and how others ended.

use markt_domain::Timestamp;
use markt_domain::session::{ENDING_REMEMBERED_FOR, SessionId};
use markt_domain::user::UserId;
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _,
    RelationDef, Select,
};

use super::key;
use super::row::{AliasedRow, Found, StoredRow};
use crate::Database;
use crate::entities::{ended_sessions, session_aliases, sessions, user_states};
use crate::time::milliseconds_before;

/// One query for a session by its own id: only where there is none, the ids that were rotated away are looked at.
pub(super) async fn find(database: &Database, id: &SessionId, now: Timestamp) -> Result<Option<Found>, DbErr> {
    let by_its_own = with_state().filter(sessions::Column::Id.eq(key(id)));
    if let Some(row) = by_its_own.into_partial_model::<StoredRow>().one(database.reader()).await? {
        return Ok(Some(row.into()));
    }
    let by_alias = with_state().join(JoinType::InnerJoin, aliases_of_sessions()).filter(honoured(id, now));
    let row: Option<AliasedRow> = by_alias.into_partial_model().one(database.reader()).await?;
    Ok(row.map(Found::from))
}

pub(super) async fn list(database: &Database, user: &UserId) -> Result<Vec<Found>, DbErr> {
    let of_the_user = with_state().filter(sessions::Column::UserId.eq(user.as_str()));
    let rows: Vec<StoredRow> = of_the_user.into_partial_model().all(database.reader()).await?;
    Ok(rows.into_iter().map(Found::from).collect())
}

/// How the session ended that had this id, or that it leads to; nothing of one that is there. One query.
pub(super) async fn ending(database: &Database, id: &SessionId, now: Timestamp) -> Result<Option<String>, DbErr> {
    use ended_sessions::{Column, Entity};
    let successor = Query::select()
        .column(session_aliases::Column::Successor)
        .from(session_aliases::Entity)
        .cond_where(honoured(id, now))
        .take();
    let successor = SimpleExpr::SubQuery(None, Box::new(successor.into()));
    let present = Func::coalesce([successor, Expr::value(key(id))]);
    let there = Query::select()
        .expr(Expr::value(1_i64))
        .from(sessions::Entity)
        .and_where(Expr::col((sessions::Entity, sessions::Column::Id)).equals((Entity, Column::Id)))
        .take();
    Entity::find()
        .select_only()
        .column(Column::Ending)
        .filter(Expr::col((Entity, Column::Id)).eq(present))
        .filter(Column::EndedAt.gt(milliseconds_before(now, ENDING_REMEMBERED_FOR)))
        .filter(Expr::exists(there).not())
        .into_tuple()
        .one(database.reader())
        .await
}

/// The present id of the session that this one was rotated away from, or of what has become of it.
pub(super) async fn successor(
    connection: &impl ConnectionTrait,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, DbErr> {
    session_aliases::Entity::find()
        .select_only()
        .column(session_aliases::Column::Successor)
        .filter(honoured(id, now))
        .into_tuple()
        .one(connection)
        .await
}

/// Whether there is a session that this id finds.
pub(super) async fn leads_to_a_session(
    connection: &impl ConnectionTrait,
    id: &SessionId,
    now: Timestamp,
) -> Result<bool, DbErr> {
    if is_there(connection, id).await? {
        return Ok(true);
    }
    let by_alias = sessions::Entity::find().join(JoinType::InnerJoin, aliases_of_sessions()).filter(honoured(id, now));
    Ok(ids(by_alias).into_tuple::<Vec<u8>>().one(connection).await?.is_some())
}

/// Whether there is a session with this very id.
pub(super) async fn is_there(connection: &impl ConnectionTrait, id: &SessionId) -> Result<bool, DbErr> {
    let by_its_own = ids(sessions::Entity::find_by_id(key(id)));
    Ok(by_its_own.into_tuple::<Vec<u8>>().one(connection).await?.is_some())
}

/// Their ids are all that is read.
pub(super) fn ids(sessions: Select<sessions::Entity>) -> Select<sessions::Entity> {
    sessions.select_only().column(sessions::Column::Id)
}

pub(super) fn honoured(id: &SessionId, now: Timestamp) -> sea_orm::Condition {
    use session_aliases::Column;
    sea_orm::Condition::all().add(Column::Id.eq(key(id))).add(Column::HonouredUntil.gt(now.unix_milliseconds()))
}

/// Sessions with the counters of their users.
pub(super) fn with_state() -> Select<sessions::Entity> {
    let state: RelationDef = sessions::Entity::belongs_to(user_states::Entity)
        .from(sessions::Column::UserId)
        .to(user_states::Column::UserId)
        .into();
    sessions::Entity::find().join(JoinType::LeftJoin, state)
}

fn aliases_of_sessions() -> RelationDef {
    sessions::Entity::belongs_to(session_aliases::Entity)
        .from(sessions::Column::Id)
        .to(session_aliases::Column::Successor)
        .into()
}

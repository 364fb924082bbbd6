//! The counters beside a user.

use markt_domain::Timestamp;
use markt_domain::session::SessionFamily;
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _, InsertStatement, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, QueryFilter as _, QuerySelect as _,
};

use crate::entities::user_states::{ActiveModel, Column, Entity};

/// Counts the user's version up.
pub(super) async fn count_version(connection: &impl ConnectionTrait, id: &UserId) -> Result<UserState, DbErr> {
    let first = ActiveModel { session_epoch: Set(0), ..begin(id) };
    let state = Entity::insert(first).on_conflict(version_only()).exec_with_returning(connection).await?;
    Ok(of_columns(state.session_epoch, state.version, state.kept_family, state.kept_epoch))
}

/// The statement that does so for the user whose id is selected, if there is one, and returns the version.
pub(super) fn count_version_of(id: Expr, from: &'static str) -> Result<InsertStatement, DbErr> {
    let first = Query::select().exprs([id, 0_i64.into(), 1_i64.into()]).from(from).take();
    let mut insert = Query::insert();
    insert.into_table(Entity).columns([Column::UserId, Column::SessionEpoch, Column::Version]);
    insert.select_from(first).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(insert.on_conflict(version_only()).returning_col(Column::Version).take())
}

/// Begins a new session epoch, which this session outlives, and counts the version up.
///
/// Also for a user that is not there: the row then stands for one that was, whose sessions have to end all the same.
pub(super) async fn count_epoch(
    connection: &impl ConnectionTrait,
    id: &UserId,
    keep: Option<SessionFamily>,
    at: Timestamp,
) -> Result<UserState, DbErr> {
    let at = Some(at.unix_milliseconds());
    let kept = keep.map(|family| family.to_string());
    let both = OnConflict::column(Column::UserId)
        .value(Column::Version, up(Column::Version))
        .value(Column::SessionEpoch, up(Column::SessionEpoch))
        .value(Column::KeptFamily, Expr::value(kept.clone()))
        .value(Column::KeptEpoch, up(Column::SessionEpoch))
        .value(Column::EpochBeganAt, Expr::value(at))
        .to_owned();
    let first = ActiveModel {
        session_epoch: Set(1),
        kept_family: Set(kept),
        kept_epoch: Set(Some(1)),
        epoch_began_at: Set(at),
        ..begin(id)
    };
    let state = Entity::insert(first).on_conflict(both).exec_with_returning(connection).await?;
    Ok(of_columns(state.session_epoch, state.version, state.kept_family, state.kept_epoch))
}

/// When the user's session epoch began, if one has.
pub(super) async fn epoch_began_at(connection: &impl ConnectionTrait, id: &UserId) -> Result<Option<Timestamp>, DbErr> {
    let began_at: Option<Option<i64>> =
        Entity::find_by_id(id.as_str()).select_only().column(Column::EpochBeganAt).into_tuple().one(connection).await?;
    Ok(began_at.flatten().map(Timestamp::from_unix_milliseconds))
}

/// Drops the note of what outlived the beginning of this epoch, if it is still of this one.
pub(super) async fn forget_kept(
    connection: &impl ConnectionTrait,
    id: &UserId,
    epoch: SessionEpoch,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::KeptFamily, Expr::value(Option::<String>::None))
        .col_expr(Column::KeptEpoch, Expr::value(Option::<i64>::None))
        .filter(Column::UserId.eq(id.as_str()))
        .filter(Column::KeptEpoch.eq(epoch.0))
        .exec(connection)
        .await?;
    Ok(())
}

/// The state that a row tells. What was kept at the beginning of another epoch is not kept in this one: it may have been
/// begun by an operator, or by a node of an earlier version.
pub(super) fn of_columns(epoch: i64, version: i64, kept: Option<String>, kept_epoch: Option<i64>) -> UserState {
    let kept = kept.filter(|_| kept_epoch == Some(epoch)).and_then(|family| family.parse().ok());
    UserState { epoch: SessionEpoch(epoch), version: UserVersion(version), kept }
}

fn begin(id: &UserId) -> ActiveModel {
    ActiveModel { user_id: Set(id.as_str().to_owned()), version: Set(1), ..Default::default() }
}

/// What is done where the user has a row.
fn version_only() -> OnConflict {
    OnConflict::column(Column::UserId).value(Column::Version, up(Column::Version)).to_owned()
}

fn up(column: Column) -> sea_orm::sea_query::SimpleExpr {
    Expr::col((Entity, column)).add(1_i64)
}

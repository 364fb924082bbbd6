//! The users' counters, as far as sessions need them.

use markt_domain::user::{SessionEpoch, UserId, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ConnectionTrait, DbErr, EntityTrait as _, QuerySelect as _,
};

use crate::Database;
use crate::entities::user_states;

/// Raises the user's counters to these where they are lower, and locks them for the rest of the transaction either way.
/// Which session is kept is the user store's to say.
pub(super) async fn raise(
    connection: &impl ConnectionTrait,
    user: &UserId,
    epoch: SessionEpoch,
    version: UserVersion,
) -> Result<(), DbErr> {
    use user_states::Column;
    let row = user_states::ActiveModel {
        user_id: Set(user.as_str().to_owned()),
        session_epoch: Set(epoch.0),
        version: Set(version.0),
        kept_family: NotSet,
        kept_epoch: NotSet,
        epoch_began_at: NotSet,
    };
    let present = |column: Column| Expr::col((user_states::Entity, column));
    let higher = |column: Column, value: i64| Expr::case(present(column).lt(value), value).finally(present(column));
    user_states::Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::UserId)
                .value(Column::SessionEpoch, higher(Column::SessionEpoch, epoch.0))
                .value(Column::Version, higher(Column::Version, version.0))
                // Where there is nothing to raise, PostgreSQL locks the row without writing it.
                .action_and_where(present(Column::SessionEpoch).lt(epoch.0).or(present(Column::Version).lt(version.0)))
                .to_owned(),
        )
        .try_insert()
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// The user's epoch, which can't change for the rest of the transaction, nor can another session of the user be made.
/// The end of an epoch locks the same row: so it comes before, and is seen here, or after, and sees the session that is
/// made.
///
/// A user of version 0 has not been changed yet and may never come to be, if registering fails: there, no row is made
/// for the lock. Should the user's first epoch end in that very moment, the session is of the one before, and dead.
pub(super) async fn locked_epoch(
    connection: &impl ConnectionTrait,
    user: &UserId,
    version: UserVersion,
) -> Result<SessionEpoch, DbErr> {
    if version > UserVersion(0) {
        raise(connection, user, SessionEpoch(0), version).await?;
    }
    let state = user_states::Entity::find_by_id(user.as_str()).lock_exclusive().one(connection).await?;
    Ok(SessionEpoch(state.map_or(0, |state| state.session_epoch)))
}

pub(super) async fn user_changed(database: &Database, user: &UserId, version: UserVersion) -> Result<(), DbErr> {
    let known = user_states::Entity::find_by_id(user.as_str()).one(database.reader()).await?;
    if known.is_some_and(|state| state.version >= version.0) {
        return Ok(());
    }
    raise(database.writer(), user, SessionEpoch(0), version).await
}

//! Sessions that begin, and those that give way to them.

use std::num::NonZeroU32;

use markt_domain::Timestamp;
use markt_domain::digest::Digest;
use markt_domain::ports::session_store::Creation;
use markt_domain::session::{Ending, Session, SessionId};
use markt_domain::user::UserVersion;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, TryInsertResult,
};

use super::row::to_row;
use super::{end, key, lookup, state};
use crate::Database;
use crate::database::Transaction;
use crate::entities::sessions::{Column, Entity};

pub(super) async fn create(
    database: &Database,
    session: &Session,
    version: UserVersion,
    max_per_user: NonZeroU32,
    replaces: &[SessionId],
    now: Timestamp,
) -> Result<Creation, DbErr> {
    let transaction = database.begin().await?;
    if state::locked_epoch(&transaction, &session.user_id, version).await? > session.epoch {
        transaction.rollback().await?;
        return Ok(Creation::Superseded);
    }
    if lookup::successor(&transaction, &session.id, now).await?.is_some() || !insert(&transaction, session).await? {
        transaction.rollback().await?;
        return Ok(Creation::IdTaken);
    }
    // Everybody locks them in the same order: nobody waits for another who waits in turn.
    let mut replaces: Vec<_> = replaces.iter().filter(|replaced| **replaced != session.id).copied().collect();
    replaces.sort_unstable();
    for replaced in &replaces {
        end::end_one(&transaction, replaced, Ending::Replaced, now).await?;
    }
    let evicted = evict(&transaction, session, max_per_user, now).await?;
    transaction.commit().await?;
    Ok(Creation::Created { evicted })
}

/// Inserts the session, if its id is free.
async fn insert(transaction: &Transaction, session: &Session) -> Result<bool, DbErr> {
    let insert = Entity::insert(to_row(session))
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .try_insert();
    Ok(matches!(insert.exec_without_returning(transaction).await?, TryInsertResult::Inserted(1..)))
}

/// Ends the user's oldest sessions, until there are no more than so many with the new one. Expired ones don't count.
async fn evict(
    transaction: &Transaction,
    session: &Session,
    max_per_user: NonZeroU32,
    now: Timestamp,
) -> Result<Vec<SessionId>, DbErr> {
    let living = Entity::find().filter(end::lives(&session.user_id, now));
    let count: Option<i64> =
        living.clone().select_only().column_as(Column::Id.count(), "n").into_tuple().one(transaction).await?;
    let excess = count.unwrap_or(0).saturating_sub(i64::from(max_per_user.get()));
    let Some(excess) = u64::try_from(excess).ok().filter(|excess| *excess > 0) else { return Ok(Vec::new()) };
    // Locked, so that what is rotated in this very moment gives way under its new id.
    let oldest: Vec<Vec<u8>> = lookup::ids(living.filter(Column::Id.ne(key(&session.id))))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(excess)
        .lock_exclusive()
        .into_tuple()
        .all(transaction)
        .await?;
    end::end(transaction, Column::Id.is_in(oldest.iter().cloned()), Ending::Evicted, now).await?;
    oldest.into_iter().map(to_id).collect()
}

fn to_id(id: Vec<u8>) -> Result<SessionId, DbErr> {
    let id: [u8; 32] = id.try_into().map_err(|_| DbErr::Type("a session's id that is not 32 bytes long".to_owned()))?;
    Ok(SessionId::new(Digest::from_bytes(id)))
}

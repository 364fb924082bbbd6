//! Sessions in the database.
//!
//! The users' counters lie beside them, so that a session's user version is always the present one, and a session of
//! an earlier epoch than the user's is dead from the moment the epoch began, deleted or not.

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::digest::Digest;
use markt_domain::ports::StoreError;
use markt_domain::ports::session_store::{Creation, SessionStore, StoredSession};
use markt_domain::session::{Session, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DbErr, DerivePartialModel, EntityTrait as _, JoinType,
    QueryFilter as _, QuerySelect as _, TryInsertResult,
};

use crate::Database;
use crate::entities::{sessions, user_states};

/// Keeps sessions in the database.
#[derive(Clone, Debug)]
pub struct SeaOrmSessionStore {
    database: Database,
}

impl SeaOrmSessionStore {
    /// A store in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Forgets the sessions that have expired by `now`, `batch` of them (at least one) in each statement, so that
    /// nobody waits long for it. Of several sweepers at once, each does a part. Returns how many there were.
    ///
    /// # Errors
    /// If the store can't be reached or read. What was swept until then stays so.
    pub async fn delete_expired(&self, now: Timestamp, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_sessions(&self.database, now, batch).await
    }

    async fn try_create(&self, session: &Session, version: UserVersion) -> Result<Creation, DbErr> {
        let transaction = self.database.begin().await?;
        if locked_epoch(&transaction, &session.user_id, version).await? > session.epoch {
            transaction.rollback().await?;
            return Ok(Creation::Superseded);
        }
        let insert = sessions::Entity::insert(to_row(session))
            .on_conflict(OnConflict::column(sessions::Column::Id).do_nothing().to_owned())
            .try_insert();
        match insert.exec_without_returning(&transaction).await? {
            TryInsertResult::Inserted(1..) => {}
            _ => {
                transaction.rollback().await?;
                return Ok(Creation::IdTaken);
            }
        }
        transaction.commit().await?;
        Ok(Creation::Created)
    }

    async fn try_find(&self, id: &SessionId) -> Result<Option<StoredRow>, DbErr> {
        sessions::Entity::find()
            .join(JoinType::LeftJoin, states_of_sessions())
            .filter(sessions::Column::Id.eq(id.digest().as_bytes().to_vec()))
            .filter(
                Expr::col((sessions::Entity, sessions::Column::Epoch))
                    .gte(Expr::col((user_states::Entity, user_states::Column::SessionEpoch)).if_null(0_i64)),
            )
            .into_partial_model()
            .one(self.database.reader())
            .await
    }

    async fn try_delete_before_epoch(&self, user: &UserId, state: UserState) -> Result<u64, DbErr> {
        let transaction = self.database.begin().await?;
        raise_state(&transaction, user, state).await?;
        let deleted = sessions::Entity::delete_many()
            .filter(sessions::Column::UserId.eq(user.as_str()))
            .filter(sessions::Column::Epoch.lt(state.epoch.0))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected)
    }
}

#[async_trait]
impl SessionStore for SeaOrmSessionStore {
    async fn create(&self, session: &Session, user_version: UserVersion) -> Result<Creation, StoreError> {
        self.database.bounded("create session", self.try_create(session, user_version)).await
    }

    async fn find(&self, id: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let row = self.database.bounded("find session", self.try_find(id)).await?;
        row.map(from_row).transpose().map_err(|error| StoreError::unreadable("find session", error))
    }

    async fn delete(&self, id: &SessionId) -> Result<bool, StoreError> {
        let delete = sessions::Entity::delete_by_id(id.digest().as_bytes().to_vec()).exec(self.database.writer());
        Ok(self.database.bounded("delete session", delete).await?.rows_affected > 0)
    }

    async fn delete_before_epoch(&self, user: &UserId, state: UserState) -> Result<u64, StoreError> {
        self.database.bounded("delete sessions of a user", self.try_delete_before_epoch(user, state)).await
    }

    /// Writes only if the user store of another database told of the change: in this one, sessions are joined with
    /// their user's counters when they are found.
    async fn user_changed(&self, user: &UserId, version: UserVersion) -> Result<(), StoreError> {
        let work = async {
            let known = user_states::Entity::find_by_id(user.as_str()).one(self.database.reader()).await?;
            if known.is_some_and(|state| state.version >= version.0) {
                return Ok(());
            }
            let state = UserState { epoch: SessionEpoch(0), version };
            raise_state(self.database.writer(), user, state).await
        };
        self.database.bounded("take notice of a change of the user", work).await
    }
}

/// Raises the user's counters to these where they are lower, and locks them for the rest of the transaction either way.
async fn raise_state(connection: &impl ConnectionTrait, user: &UserId, state: UserState) -> Result<(), DbErr> {
    use user_states::Column;
    let row = user_states::ActiveModel {
        user_id: Set(user.as_str().to_owned()),
        session_epoch: Set(state.epoch.0),
        version: Set(state.version.0),
    };
    let present = |column: Column| Expr::col((user_states::Entity, column));
    let higher = |column: Column, value: i64| Expr::case(present(column).lt(value), value).finally(present(column));
    user_states::Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::UserId)
                .value(Column::SessionEpoch, higher(Column::SessionEpoch, state.epoch.0))
                .value(Column::Version, higher(Column::Version, state.version.0))
                // Where there is nothing to raise, PostgreSQL locks the row without writing it.
                .action_and_where(
                    present(Column::SessionEpoch).lt(state.epoch.0).or(present(Column::Version).lt(state.version.0)),
                )
                .to_owned(),
        )
        .try_insert()
        .exec_without_returning(connection)
        .await?;
    Ok(())
}

/// The user's epoch, which can't change for the rest of the transaction. The end of an epoch locks the same row: so it
/// comes before, and is seen here, or after, and sees the session that is made.
///
/// A user of version 0 has not been changed yet and may never come to be, if registering fails: there, no row is made
/// for the lock. Should the user's first epoch end in that very moment, the session is of the one before, and dead.
async fn locked_epoch(
    connection: &impl ConnectionTrait,
    user: &UserId,
    version: UserVersion,
) -> Result<SessionEpoch, DbErr> {
    if version > UserVersion(0) {
        raise_state(connection, user, UserState { epoch: SessionEpoch(0), version }).await?;
    }
    let state = user_states::Entity::find_by_id(user.as_str()).lock_shared().one(connection).await?;
    Ok(SessionEpoch(state.map_or(0, |state| state.session_epoch)))
}

fn states_of_sessions() -> sea_orm::RelationDef {
    sessions::Entity::belongs_to(user_states::Entity)
        .from(sessions::Column::UserId)
        .to(user_states::Column::UserId)
        .into()
}

/// A session and its user's version, as one query reads them.
#[derive(DerivePartialModel)]
struct StoredRow {
    #[sea_orm(nested)]
    session: SessionRow,
    #[sea_orm(from_expr = "Expr::col((user_states::Entity, user_states::Column::Version)).if_null(0_i64)")]
    version: i64,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "sessions::Entity")]
struct SessionRow {
    id: Vec<u8>,
    user_id: String,
    epoch: i64,
    current_role: String,
    created_at: i64,
    last_activity: i64,
    authenticated_at: i64,
    remember: bool,
    transport: String,
    ip_address: String,
    user_agent: String,
    idle_expires_at: i64,
    expires_at: i64,
}

fn to_row(session: &Session) -> sessions::ActiveModel {
    sessions::ActiveModel {
        id: Set(session.id.digest().as_bytes().to_vec()),
        user_id: Set(session.user_id.as_str().to_owned()),
        epoch: Set(session.epoch.0),
        current_role: Set(session.current_role.as_str().to_owned()),
        created_at: Set(session.created_at.unix_milliseconds()),
        last_activity: Set(session.last_activity.unix_milliseconds()),
        authenticated_at: Set(session.authenticated_at.unix_milliseconds()),
        remember: Set(session.remember),
        transport: Set(session.transport.as_str().to_owned()),
        ip_address: Set(session.client.ip_address.to_string()),
        user_agent: Set(session.client.user_agent.clone()),
        idle_expires_at: Set(session.idle_expires_at.unix_milliseconds()),
        expires_at: Set(session.expires_at.unix_milliseconds()),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn from_row(row: StoredRow) -> Result<StoredSession, AnyError> {
    let StoredRow { session: row, version } = row;
    let id: [u8; 32] = row.id.try_into().map_err(|_| "a session's id that is not 32 bytes long")?;
    let time = Timestamp::from_unix_milliseconds;
    let session = Session {
        id: SessionId::new(Digest::from_bytes(id)),
        user_id: UserId::from_store(row.user_id),
        epoch: SessionEpoch(row.epoch),
        current_role: row.current_role.parse()?,
        created_at: time(row.created_at),
        last_activity: time(row.last_activity),
        authenticated_at: time(row.authenticated_at),
        remember: row.remember,
        transport: row.transport.parse()?,
        client: Client { ip_address: row.ip_address.parse()?, user_agent: row.user_agent },
        idle_expires_at: time(row.idle_expires_at),
        expires_at: time(row.expires_at),
    };
    Ok(StoredSession { session, user_version: UserVersion(version) })
}

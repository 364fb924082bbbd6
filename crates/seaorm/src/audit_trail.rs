//! The audit trail in the database, where whoever has to answer for what happened can ask for it in SQL.

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::audit::{AuditEntry, AuditEvent, AuditRecord};
use markt_domain::client::Client;
use markt_domain::ports::StoreError;
use markt_domain::ports::audit_log::{AuditTrail, Position};
use markt_domain::user::UserId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use crate::Database;
use crate::entities::audit::{ActiveModel, Column, Entity, Model};

/// Has the nodes' appends come one after the other, in PostgreSQL. The number means nothing but this.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7311412)";

/// Keeps what happened in the database.
#[derive(Clone, Debug)]
pub struct SeaOrmAuditTrail {
    database: Database,
}

impl SeaOrmAuditTrail {
    /// The trail in this database.
    #[must_use]
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    async fn insert(&self, entries: &[AuditEntry]) -> Result<(), DbErr> {
        if entries.is_empty() {
            return Ok(());
        }
        let known = OnConflict::column(Column::Key).do_nothing().to_owned();
        let insert = Entity::insert_many(entries.iter().map(row)).on_conflict(known).try_insert();
        if self.database.backend() != DbBackend::Postgres {
            return insert.exec_without_returning(self.database.writer()).await.map(drop);
        }
        // Positions are a sequence's: without the lock, a later one could be visible before an earlier one.
        let transaction = self.database.begin().await?;
        transaction.execute_unprepared(LOCK).await?;
        insert.exec_without_returning(&transaction).await?;
        transaction.commit().await
    }

    async fn select(&self, Position(position): Position, limit: u64) -> Result<Vec<Model>, DbErr> {
        let behind = Entity::find().filter(Column::Id.gt(position)).order_by_asc(Column::Id).limit(limit);
        behind.all(self.database.reader()).await
    }

    async fn highest(&self) -> Result<Option<Model>, DbErr> {
        Entity::find().order_by_desc(Column::Id).one(self.database.reader()).await
    }

    async fn last_before(&self, time: Timestamp) -> Result<Option<Model>, DbErr> {
        let before = Entity::find().filter(Column::At.lt(time.unix_milliseconds()));
        before.order_by_desc(Column::At).order_by_desc(Column::Id).one(self.database.reader()).await
    }
}

#[async_trait]
impl AuditTrail for SeaOrmAuditTrail {
    async fn append(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.database.bounded("append to audit trail", self.insert(entries)).await
    }

    async fn after(&self, position: Position, limit: u64) -> Result<Vec<(Position, AuditEntry)>, StoreError> {
        let rows = self.database.bounded("read audit trail", self.select(position, limit)).await?;
        rows.into_iter().map(|row| Ok((Position(row.id), entry(row)?))).collect()
    }

    async fn last(&self) -> Result<Position, StoreError> {
        let row = self.database.bounded("read audit trail", self.highest()).await?;
        Ok(row.map_or(Position::default(), |row| Position(row.id)))
    }

    async fn position_before(&self, time: Timestamp) -> Result<Position, StoreError> {
        let row = self.database.bounded("read audit trail", self.last_before(time)).await?;
        Ok(row.map_or(Position::default(), |row| Position(row.id)))
    }

    async fn delete_before(&self, time: Timestamp, batch: u64) -> Result<u64, StoreError> {
        crate::sweeper::sweep_audit(&self.database, time, batch).await
    }
}

fn row(AuditEntry { key, at, request_id, record }: &AuditEntry) -> ActiveModel {
    ActiveModel {
        id: NotSet,
        key: Set(key.to_be_bytes().to_vec()),
        at: Set(at.unix_milliseconds()),
        event: Set(record.event.as_str().to_owned()),
        user_id: Set(record.user_id.as_ref().map(|id| id.as_str().to_owned())),
        session_id: Set(record.session_id.map(|id| id.to_string())),
        related_id: Set(record.related_id.map(|id| id.to_string())),
        ip_address: Set(record.client.as_ref().map(|client| client.ip_address.to_string())),
        user_agent: Set(record.client.as_ref().map(|client| client.user_agent.to_string())),
        reason: Set(record.reason.clone()),
        ending: Set(record.ending.map(|ending| ending.as_str().to_owned())),
        count: Set(record.count.map(|count| i64::try_from(count).unwrap_or(i64::MAX))),
        request_id: Set(request_id.clone()),
    }
}

fn entry(row: Model) -> Result<AuditEntry, StoreError> {
    let unreadable =
        |error: Box<dyn std::error::Error + Send + Sync>| StoreError::unreadable("read audit trail", error);
    let id =
        |text: Option<String>| text.map(|text| text.parse()).transpose().map_err(|error| unreadable(Box::new(error)));
    let address = row.ip_address.map(|text| text.parse()).transpose();
    let address = address.map_err(|error: std::net::AddrParseError| unreadable(Box::new(error)))?;
    let user_agent = row.user_agent.unwrap_or_default();
    let key = row.key.try_into().map_err(|_| unreadable("a key is not of 16 bytes".into()))?;
    Ok(AuditEntry {
        key: u128::from_be_bytes(key),
        at: Timestamp::from_unix_milliseconds(row.at),
        request_id: row.request_id,
        record: AuditRecord {
            // What only a later version knows, beside this one during an upgrade, is a hole to this one.
            event: row.event.parse().unwrap_or(AuditEvent::RecordsLost),
            user_id: row.user_id.as_deref().map(UserId::from_store),
            session_id: id(row.session_id)?,
            related_id: id(row.related_id)?,
            client: address.map(|ip_address| Client { ip_address, user_agent: user_agent.into() }),
            reason: row.reason,
            // One that only a later version knows says nothing here.
            ending: row.ending.and_then(|ending| ending.parse().ok()),
            count: row.count.map(i64::unsigned_abs),
        },
    })
}

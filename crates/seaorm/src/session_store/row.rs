//! Sessions as rows.

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::digest::Digest;
use markt_domain::ports::session_store::{Revision, StoredSession};
use markt_domain::session::{RefreshChain, Session, SessionFamily, SessionId};
use markt_domain::user::{SessionEpoch, UserId, UserVersion};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, DerivePartialModel};

use super::key;
use crate::entities::{session_aliases, sessions, user_states};

/// A session and its user's version, as one query reads them.
#[derive(DerivePartialModel)]
pub(super) struct StoredRow {
    #[sea_orm(nested)]
    session: SessionRow,
    #[sea_orm(from_expr = "Expr::col((user_states::Entity, user_states::Column::Version)).if_null(0_i64)")]
    version: i64,
}

/// The same, found by an id that was rotated away.
#[derive(DerivePartialModel)]
pub(super) struct AliasedRow {
    #[sea_orm(nested)]
    session: SessionRow,
    #[sea_orm(from_expr = "Expr::col((user_states::Entity, user_states::Column::Version)).if_null(0_i64)")]
    version: i64,
    #[sea_orm(from_expr = "Expr::col((session_aliases::Entity, session_aliases::Column::HonouredUntil))")]
    honoured_until: i64,
}

/// What was found, and until when the id is honoured, if it was rotated away.
pub(super) struct Found {
    row: StoredRow,
    honoured_until: Option<i64>,
}

impl From<StoredRow> for Found {
    fn from(row: StoredRow) -> Self {
        Self { row, honoured_until: None }
    }
}

impl From<AliasedRow> for Found {
    fn from(AliasedRow { session, version, honoured_until }: AliasedRow) -> Self {
        Self { row: StoredRow { session, version }, honoured_until: Some(honoured_until) }
    }
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
    revision: i64,
    family: String,
    refresh_generation: Option<i64>,
    refreshed_at: Option<i64>,
    password_given: bool,
}

/// The row of a session that begins.
pub(super) fn to_row(session: &Session) -> sessions::ActiveModel {
    sessions::ActiveModel {
        id: Set(key(&session.id)),
        user_id: Set(session.user_id.as_str().to_owned()),
        epoch: Set(session.epoch.0),
        current_role: Set(session.current_role.as_str().to_owned()),
        created_at: Set(session.created_at.unix_milliseconds()),
        last_activity: Set(session.last_activity.unix_milliseconds()),
        authenticated_at: Set(session.authenticated_at.unix_milliseconds()),
        remember: Set(session.remember),
        transport: Set(session.transport.as_str().to_owned()),
        ip_address: Set(session.client.ip_address.to_string()),
        user_agent: Set(session.client.user_agent.to_string()),
        idle_expires_at: Set(session.idle_expires_at.unix_milliseconds()),
        expires_at: Set(session.expires_at.unix_milliseconds()),
        revision: Set(0),
        family: Set(session.family.to_string()),
        refresh_generation: Set(session.refresh.map(|chain| chain.generation.get().into())),
        refreshed_at: Set(session.refresh.map(|chain| chain.since.unix_milliseconds())),
        password_given: Set(session.password_given),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Found {
    /// How its id begins, even if the rest can't be read.
    pub(super) fn beginning(&self) -> Option<SessionFamily> {
        let beginning = self.row.session.id.first_chunk()?;
        Some(SessionFamily::from_bytes(*beginning))
    }

    pub(super) fn into_stored(self) -> Result<StoredSession, AnyError> {
        let Self { row: StoredRow { session: row, version }, honoured_until } = self;
        let id: [u8; 32] = row.id.try_into().map_err(|_| "a session's id that is not 32 bytes long")?;
        let time = Timestamp::from_unix_milliseconds;
        let id = SessionId::new(Digest::from_bytes(id));
        let session = Session {
            id,
            family: if row.family.is_empty() { id.family() } else { row.family.parse()? },
            user_id: UserId::from_store(&row.user_id),
            epoch: SessionEpoch(row.epoch),
            current_role: row.current_role.parse()?,
            created_at: time(row.created_at),
            last_activity: time(row.last_activity),
            authenticated_at: time(row.authenticated_at),
            password_given: row.password_given,
            remember: row.remember,
            transport: row.transport.parse()?,
            client: Client { ip_address: row.ip_address.parse()?, user_agent: row.user_agent.into() },
            idle_expires_at: time(row.idle_expires_at),
            expires_at: time(row.expires_at),
            refresh: match (row.refresh_generation, row.refreshed_at) {
                (Some(generation), Some(since)) => {
                    let generation = u32::try_from(generation)?.try_into()?;
                    Some(RefreshChain { generation, since: time(since) })
                }
                _ => None,
            },
        };
        Ok(StoredSession {
            session,
            user_version: UserVersion(version),
            revision: Revision(row.revision),
            honoured_until: honoured_until.map(time),
        })
    }
}

//! The sessions. Times are milliseconds since the Unix epoch.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_sessions")]
pub struct Model {
    /// The 32 bytes of the public id: half of what its text would take, twice, in the index that each request reads.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    pub user_id: String,
    pub epoch: i64,
    pub current_role: String,
    pub created_at: i64,
    pub last_activity: i64,
    pub authenticated_at: i64,
    pub remember: bool,
    pub transport: String,
    pub ip_address: String,
    pub user_agent: String,
    pub idle_expires_at: i64,
    pub expires_at: i64,
    pub revision: i64,
    /// Empty if a node wrote it that didn't know of families yet.
    pub family: String,
    /// Which of its refresh tokens counts; nothing where the client holds the secret.
    pub refresh_generation: Option<i64>,
    /// Since when it does.
    pub refreshed_at: Option<i64>,
    /// Whether the password was given at `authenticated_at`.
    pub password_given: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

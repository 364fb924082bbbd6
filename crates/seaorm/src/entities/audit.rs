//! What happened.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_audit")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What tells it from all others.
    pub key: Vec<u8>,
    /// In milliseconds since 1970.
    pub at: i64,
    pub event: String,
    pub user_id: Option<String>,
    /// 64 hexadecimal digits, as logs and listings have them.
    pub session_id: Option<String>,
    pub related_id: Option<String>,
    pub ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub reason: Option<String>,
    pub ending: Option<String>,
    pub count: Option<i64>,
    pub request_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

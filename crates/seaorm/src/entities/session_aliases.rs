//! The ids that sessions were rotated away from, for as long as they are honoured. Times are milliseconds since the Unix
//! epoch.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_session_aliases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// The session's present id: there are no aliases of aliases. It may be a session's that has ended.
    pub successor: Vec<u8>,
    pub honoured_until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The tokens that were exchanged for sessions.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_spent_tokens")]
pub struct Model {
    /// The digest of what tells the token from all others.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// When the token is void anyway, in milliseconds since 1970.
    pub expires_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

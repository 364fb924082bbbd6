//! The counters beside a user. A user without a row has 0 and 0.
//!
//! No foreign key ties them to the users: the Markt application deletes users without knowing of this table.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "auth_user_states")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    pub session_epoch: i64,
    pub version: i64,
    /// The family of the session that outlived the beginning of an epoch.
    pub kept_family: Option<String>,
    /// The epoch that began then: in a later one, whoever began it, nothing is kept.
    pub kept_epoch: Option<i64>,
    /// When the present epoch began, in milliseconds since 1970; nothing if a node of an earlier version began it, or none
    /// has.
    pub epoch_began_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

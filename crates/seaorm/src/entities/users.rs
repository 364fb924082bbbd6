//! The Markt users. Where a flag is `NULL`, nobody has set it yet.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub email: String,
    pub phone_number: Option<String>,
    pub username: String,
    pub password_hash: Option<String>,
    pub profile_picture: Option<String>,
    pub is_buyer: Option<bool>,
    pub is_seller: Option<bool>,
    pub is_active: Option<bool>,
    pub email_verified: Option<bool>,
    pub last_login_at: Option<TimeDateTime>,
    pub created_at: TimeDateTime,
    pub updated_at: TimeDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! The accounts of users as sellers. Old data may have several of one user: the first counts.

use sea_orm::entity::prelude::*;

/// PostgreSQL has a type of its own for it, SQLite a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "sellerverificationstatus")]
pub enum Verification {
    #[sea_orm(string_value = "UNVERIFIED")]
    Unverified,
    #[sea_orm(string_value = "PENDING")]
    Pending,
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
    #[sea_orm(string_value = "SUSPENDED")]
    Suspended,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sellers")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub user_id: Option<String>,
    pub shop_name: Option<String>,
    pub shop_slug: Option<String>,
    pub description: Option<String>,
    pub policies: Option<Json>,
    pub total_rating: Option<i32>,
    pub total_raters: Option<i32>,
    pub verification_status: Option<Verification>,
    pub is_active: Option<bool>,
    pub created_at: TimeDateTime,
    pub updated_at: TimeDateTime,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

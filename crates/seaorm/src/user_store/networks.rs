//! The networks that users are known to log in from.

use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::client::Network;
use markt_domain::credentials::EmailAddress;
use markt_domain::ports::user_store::KNOWN_NETWORKS;
use markt_domain::user::UserId;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, JoinType, Order, QueryFilter as _, QuerySelect as _,
    RelationDef,
};

use super::equals_without_case;
use crate::Database;
use crate::database::Transaction;
use crate::entities::known_networks::{ActiveModel, Column, Entity};
use crate::entities::users;
use crate::time::milliseconds_before;

/// How long a network is known after the last login from it.
const KNOWN_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// One query, whether there is such a user or not.
pub(super) async fn knows(
    database: &Database,
    email: &EmailAddress,
    network: Network,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let networks: RelationDef = users::Entity::belongs_to(Entity).from(users::Column::Id).to(Column::UserId).into();
    let known: Option<String> = users::Entity::find()
        .select_only()
        .column(users::Column::Id)
        .join(JoinType::InnerJoin, networks)
        .filter(equals_without_case(users::Column::Email, email.as_str()))
        .filter(Column::Network.eq(network.to_string()))
        .filter(Column::LastLoginAt.gt(milliseconds_before(now, KNOWN_FOR)))
        .into_tuple()
        .one(database.reader())
        .await?;
    Ok(known.is_some())
}

/// Notes the network, and forgets all but the last ones, of which there are none if it was known: most logins come from
/// where the last one did, and take one statement.
pub(super) async fn remember(
    transaction: &Transaction,
    user: &UserId,
    network: Network,
    at: Timestamp,
) -> Result<(), DbErr> {
    let known = Entity::update_many()
        .col_expr(Column::LastLoginAt, Expr::value(at.unix_milliseconds()))
        .filter(Column::UserId.eq(user.as_str()))
        .filter(Column::Network.eq(network.to_string()))
        .exec(transaction)
        .await?;
    if known.rows_affected > 0 {
        return Ok(());
    }
    let row = ActiveModel {
        user_id: Set(user.as_str().to_owned()),
        network: Set(network.to_string()),
        last_login_at: Set(at.unix_milliseconds()),
    };
    let again = OnConflict::columns([Column::UserId, Column::Network]).update_column(Column::LastLoginAt).to_owned();
    Entity::insert(row).on_conflict(again).exec_without_returning(transaction).await?;

    let last = Query::select()
        .column(Column::Network)
        .from(Entity)
        .and_where(Column::UserId.eq(user.as_str()))
        .order_by(Column::LastLoginAt, Order::Desc)
        .order_by(Column::Network, Order::Asc)
        .limit(KNOWN_NETWORKS)
        .take();
    Entity::delete_many()
        .filter(Column::UserId.eq(user.as_str()))
        .filter(Column::Network.not_in_subquery(last))
        .exec(transaction)
        .await?;
    Ok(())
}

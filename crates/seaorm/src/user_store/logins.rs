//! Logins, as they are written down.

use markt_domain::Timestamp;
use markt_domain::client::Network;
use markt_domain::user::{UserId, UserVersion};
use sea_orm::sea_query::{CommonTableExpression, Expr, ExprTrait as _, Query, WithQuery};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait as _, QueryFilter as _, QueryTrait as _,
    UpdateMany,
};

use super::{changes, networks, state};
use crate::Database;
use crate::entities::{known_networks, users};
use crate::time::to_column;

/// What the statement below calls the user who logged in.
const RECORDED: &str = "recorded";

pub(super) async fn record(
    database: &Database,
    id: &UserId,
    network: Network,
    at: Timestamp,
) -> Result<Option<UserVersion>, DbErr> {
    // SQLite can't change several tables in one statement, and being in this process has nothing to gain by it.
    if database.backend() == DbBackend::Postgres
        && let Some(row) = database.writer().query_one(&from_known_network(id, network, at)?).await?
    {
        return row.try_get("", "version").map(|version| Some(UserVersion(version)));
    }
    let Some(transaction) = changes::begin(database, id, logged_in(at)).await? else { return Ok(None) };
    networks::remember(&transaction, id, network, at).await?;
    Ok(Some(changes::finish(transaction, id).await?.version))
}

fn logged_in(at: Timestamp) -> UpdateMany<users::Entity> {
    let login = users::Entity::update_many().col_expr(users::Column::LastLoginAt, Expr::value(to_column(at)));
    changes::touched(login, at)
}

/// Writes down a login from a network that the user is known to log in from, as nearly all are, and counts the version
/// up: one round trip, where a transaction takes five. Returns the version, or no row if the network isn't known or there
/// is no such user; nothing has changed then.
///
/// The user's row is locked first, as in the transactions that change the same tables, since all else is of the user whom
/// that returns.
fn from_known_network(id: &UserId, network: Network, at: Timestamp) -> Result<WithQuery, DbErr> {
    use known_networks::{Column, Entity};
    let is_it = || Column::UserId.eq(id.as_str()).and(Column::Network.eq(network.to_string()));
    let known = Entity::find().filter(is_it()).into_query();
    let recorded = logged_in(at)
        .filter(users::Column::Id.eq(id.as_str()))
        .filter(Expr::exists(known))
        .into_query()
        .returning_col(users::Column::Id)
        .to_owned();
    let used = Entity::update_many()
        .col_expr(Column::LastLoginAt, Expr::value(at.unix_milliseconds()))
        .filter(is_it())
        .filter(Column::UserId.in_subquery(Query::select().column(users::Column::Id).from(RECORDED).take()))
        .into_query();
    let mut statement = WithQuery::new();
    statement.cte(CommonTableExpression::new().table_name(RECORDED).query(recorded).to_owned());
    statement.cte(CommonTableExpression::new().table_name("used").query(used).to_owned());
    statement.query(state::count_version_of(Expr::col(users::Column::Id), RECORDED)?);
    Ok(statement)
}

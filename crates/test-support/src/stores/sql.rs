//! SQL by hand, for what no adapter does: to change something past the service, or to see all that it keeps.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

/// Executes statements on the database with this URL, of either kind.
///
/// # Panics
///
/// If the database can't be reached, or refuses a statement.
pub async fn execute_sql(url: &str, statements: &str) {
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    if is_sqlite(url) {
        SqliteConnection::connect(url).await.unwrap().execute(statements).await.unwrap();
    } else {
        PgConnection::connect(url).await.unwrap().execute(statements).await.unwrap();
    }
}

/// The first column, which must be of texts, of what this query finds.
///
/// # Panics
///
/// If the database can't be reached, or refuses the query.
pub async fn query_texts(url: &str, query: &str) -> Vec<String> {
    let query = AssertSqlSafe(query.to_owned());
    if is_sqlite(url) {
        let rows = SqliteConnection::connect(url).await.unwrap().fetch_all(sqlx::query(query)).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    } else {
        let rows = PgConnection::connect(url).await.unwrap().fetch_all(sqlx::query(query)).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

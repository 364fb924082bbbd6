//! Users that can't be told apart without regard to case.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbErr, Statement};

/// How many groups of a kind are named: who has more needs a query of their own anyway.
const SHOWN: usize = 10;

/// Users of whom all but one have to get another value.
pub(super) struct Collision {
    column: &'static str,
    /// Ids and values.
    users: Vec<(String, String)>,
}

impl Collision {
    /// `email: Ann@example.com (USR_1), ann@example.com (USR_2)`
    pub(super) fn describe(&self) -> String {
        let named: Vec<_> = self.users.iter().map(|(id, original)| format!("{original} ({id})")).collect();
        format!("{}: {}", self.column, named.join(", "))
    }
}

/// The first groups of users whose values differ in case only, or not at all.
pub(super) async fn find(connection: &impl ConnectionTrait, column: &'static str) -> Result<Vec<Collision>, DbErr> {
    let sql = format!(
        "SELECT id, {column} AS original, lower({column}) AS folded FROM users WHERE lower({column}) IN (
           SELECT lower({column}) FROM users GROUP BY lower({column}) HAVING COUNT(*) > 1
           ORDER BY lower({column}) LIMIT {SHOWN}
         ) ORDER BY lower({column}), created_at, id"
    );
    let mut collisions: Vec<(String, Collision)> = Vec::new();
    for row in connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await? {
        let (id, original): (String, String) = (row.try_get("", "id")?, row.try_get("", "original")?);
        let folded: String = row.try_get("", "folded")?;
        match collisions.last_mut() {
            Some((last, collision)) if *last == folded => collision.users.push((id, original)),
            _ => collisions.push((folded, Collision { column, users: vec![(id, original)] })),
        }
    }
    Ok(collisions.into_iter().map(|(_, collision)| collision).collect())
}

/// What to tell the operator.
pub(super) fn explain(collisions: &[Collision]) -> String {
    let mut text = String::from(
        "some users' e-mail addresses or usernames differ in case only, but are the same to this service. Nothing was \
         changed. Give all but one user of each group another one, or merge the accounts, then migrate again:",
    );
    for collision in collisions {
        // Writing to a string doesn't fail.
        let _ = write!(text, "\n  {}", collision.describe());
    }
    let _ = write!(text, "\nAt most {SHOWN} groups of a kind are listed.");
    text
}

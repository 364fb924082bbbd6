//! What a database of the Markt application holds, and what the migrations would add to it, told to whoever is about to take
//! it over. PostgreSQL itself sees to it that nothing is changed: all is read in a transaction that may only read.

use std::time::Duration;

use markt_domain::credentials::EmailAddress;
use markt_domain::ports::StoreError;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, TransactionTrait as _,
};

use super::m20260101_000001_markt_tables::USED;
use super::{collisions, pending_migrations};
use crate::errors::store_error;
use crate::{ConnectError, Database};

/// How long it may take to look at all users.
const PATIENCE: Duration = Duration::from_secs(600);

/// How many addresses are looked at together.
const TOGETHER: usize = 5000;

/// What the migrations make besides the Markt tables: their tables, and their indexes on Markt tables.
const ADDED: [(&str, &str); 15] = [
    ("table", "auth_migrations"),
    ("table", "auth_user_states"),
    ("table", "auth_known_networks"),
    ("table", "auth_sessions"),
    ("table", "auth_session_aliases"),
    ("table", "auth_ended_sessions"),
    ("table", "auth_codes"),
    ("table", "auth_limits"),
    ("table", "auth_spent_tokens"),
    ("table", "auth_audit"),
    ("index", "auth_buyers_user_id"),
    ("index", "auth_sellers_user_id"),
    ("index", "auth_user_addresses_user_id"),
    ("index", "auth_users_lower_email"),
    ("index", "auth_users_lower_username"),
];

/// What is in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptionFacts {
    /// `15.14`; nothing if it isn't PostgreSQL, of which nothing else is told then.
    pub version: Option<String>,
    /// The Markt tables.
    pub tables: Vec<TableFacts>,
    /// The names of the migrations that it lacks.
    pub pending: Vec<String>,
    /// The tables and indexes that they would make: `index auth_users_lower_email`.
    pub added: Vec<String>,
    /// The Markt tables that the role may not make indexes on, since another owns them.
    pub not_owned: Vec<String>,
    /// Whether the role may make tables.
    pub may_create: bool,
    /// Users whose addresses or names differ in case only: at most ten groups of a kind.
    pub collisions: Vec<String>,
    /// What there is to know of the users, if there is such a table with the columns that are needed.
    pub users: Option<UserFacts>,
}

/// A table of the Markt application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFacts {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has; nothing if there is no such table.
    pub rows: Option<i64>,
    /// The columns that the service needs and the table lacks.
    pub missing: Vec<&'static str>,
    /// The columns that the service neither reads nor writes.
    pub others: Vec<String>,
}

/// How many users there are of which kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFacts {
    /// All of them.
    pub total: i64,
    /// Those that are deactivated.
    pub deactivated: i64,
    /// Those that are active, but whose address isn't verified.
    pub unverified: i64,
    /// Those that are active, but neither buyer nor seller: they can't log in.
    pub without_role: i64,
    /// Those whose address is none by today's rules: they can't log in.
    pub odd_addresses: i64,
    /// Their passwords.
    pub hashes: HashFacts,
}

/// How many users have which kind of password hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashFacts {
    /// passlib's `$pbkdf2-sha256$`.
    pub passlib: i64,
    /// `$argon2id$`.
    pub argon2id: i64,
    /// None at all.
    pub none: i64,
    /// Of any other kind: nobody can log in by these.
    pub others: i64,
}

impl AdoptionFacts {
    /// Looks at the database of this URL.
    ///
    /// # Errors
    /// If the URL is wrong, or the database doesn't answer.
    pub async fn gather(url: &str) -> Result<Self, ConnectError> {
        let database = Database::connect(url).await?;
        let facts = if database.backend() == DbBackend::Postgres {
            tokio::time::timeout(PATIENCE, of_postgres(&database))
                .await
                .unwrap_or_else(|late| Err(StoreError::unavailable("look at the database", late)))
        } else {
            Ok(Self::default())
        };
        database.close().await;
        facts.map_err(|error| ConnectError::Unreachable(cause(&error)))
    }
}

async fn of_postgres(database: &Database) -> Result<AdoptionFacts, StoreError> {
    let pending = pending_migrations(database).await?;
    let facts = look(database).await.map_err(|error| store_error("look at the database", &error))?;
    Ok(AdoptionFacts { pending, ..facts })
}

async fn look(database: &Database) -> Result<AdoptionFacts, DbErr> {
    let reading = database.reader().inner().begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    // Users may be many; who waits for this is a person.
    reading
        .execute_unprepared("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        .await?;
    let mut facts = AdoptionFacts::default();
    let about = "SELECT current_setting('server_version') AS version,
                        has_schema_privilege(current_schema(), 'CREATE') AS may_create";
    for row in rows(&reading, about).await? {
        facts.version = Some(row.try_get("", "version")?);
        facts.may_create = row.try_get("", "may_create")?;
    }
    for (name, needed) in USED {
        let table = table(&reading, name, needed).await?;
        if table.rows.is_some() && !owns(&reading, name).await? {
            facts.not_owned.push(name.to_owned());
        }
        facts.tables.push(table);
    }
    facts.added = added(&reading, &facts.tables).await?;
    if facts.tables.iter().any(|table| table.name == "users" && table.rows.is_some() && table.missing.is_empty()) {
        for column in ["email", "username"] {
            let found = collisions::find(&reading, column).await?;
            facts.collisions.extend(found.iter().map(collisions::Collision::describe));
        }
        facts.users = Some(users(&reading).await?);
    }
    reading.rollback().await?;
    Ok(facts)
}

async fn table(
    reading: &DatabaseTransaction,
    name: &'static str,
    needed: &[&'static str],
) -> Result<TableFacts, DbErr> {
    let query = format!(
        "SELECT column_name::text AS name FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = '{name}' ORDER BY ordinal_position"
    );
    let mut columns = Vec::new();
    for row in rows(reading, &query).await? {
        columns.push(row.try_get::<String>("", "name")?);
    }
    if columns.is_empty() {
        return Ok(TableFacts { name, rows: None, missing: Vec::new(), others: Vec::new() });
    }
    let rows = number(reading, &format!("SELECT count(*) AS n FROM {name}")).await?;
    let missing = needed.iter().filter(|column| !columns.iter().any(|there| there == *column)).copied().collect();
    columns.retain(|column| !needed.contains(&column.as_str()));
    Ok(TableFacts { name, rows: Some(rows), missing, others: columns })
}

async fn owns(reading: &DatabaseTransaction, table: &str) -> Result<bool, DbErr> {
    let query = format!(
        "SELECT count(*) AS n FROM pg_class
         WHERE oid = '{table}'::regclass AND pg_has_role(relowner, 'USAGE')"
    );
    Ok(number(reading, &query).await? > 0)
}

/// What isn't there yet of all that the migrations make.
async fn added(reading: &DatabaseTransaction, tables: &[TableFacts]) -> Result<Vec<String>, DbErr> {
    let mut added: Vec<String> =
        tables.iter().filter(|table| table.rows.is_none()).map(|table| format!("table {}", table.name)).collect();
    for (kind, name) in ADDED {
        let query = format!("SELECT count(*) AS n FROM pg_class WHERE oid = to_regclass('{name}')");
        if number(reading, &query).await? == 0 {
            added.push(format!("{kind} {name}"));
        }
    }
    Ok(added)
}

async fn users(reading: &DatabaseTransaction) -> Result<UserFacts, DbErr> {
    let query = "
        SELECT count(*) AS total,
               count(*) FILTER (WHERE is_active = false) AS deactivated,
               count(*) FILTER (WHERE is_active IS NOT false AND email_verified IS NOT true) AS unverified,
               count(*) FILTER (WHERE is_active IS NOT false AND is_buyer IS NOT true AND is_seller IS NOT true)
                   AS without_role,
               count(*) FILTER (WHERE password_hash LIKE '$pbkdf2-sha256$%') AS passlib,
               count(*) FILTER (WHERE password_hash LIKE '$argon2id$%') AS argon2id,
               count(*) FILTER (WHERE password_hash IS NULL OR password_hash = '') AS none
        FROM users";
    let mut facts = UserFacts::default();
    for row in rows(reading, query).await? {
        let number = |name: &str| row.try_get::<i64>("", name);
        let (passlib, argon2id, none) = (number("passlib")?, number("argon2id")?, number("none")?);
        let total = number("total")?;
        facts = UserFacts {
            total,
            deactivated: number("deactivated")?,
            unverified: number("unverified")?,
            without_role: number("without_role")?,
            odd_addresses: 0,
            hashes: HashFacts { passlib, argon2id, none, others: total - passlib - argon2id - none },
        };
    }
    facts.odd_addresses = odd_addresses(reading).await?;
    Ok(facts)
}

/// How many users have an address that a login would refuse, a page of them at a time.
async fn odd_addresses(reading: &DatabaseTransaction) -> Result<i64, DbErr> {
    let (mut odd, mut last) = (0, String::new());
    loop {
        let query = format!("SELECT id, email FROM users WHERE id > $1 ORDER BY id LIMIT {TOGETHER}");
        let page = Statement::from_sql_and_values(DbBackend::Postgres, query, [last.clone().into()]);
        let page = reading.query_all_raw(page).await?;
        for row in &page {
            last = row.try_get("", "id")?;
            odd += i64::from(EmailAddress::parse(&row.try_get::<String>("", "email")?).is_err());
        }
        if page.len() < TOGETHER {
            return Ok(odd);
        }
    }
}

async fn rows(reading: &DatabaseTransaction, query: &str) -> Result<Vec<QueryResult>, DbErr> {
    reading.query_all_raw(Statement::from_string(DbBackend::Postgres, query)).await
}

async fn number(reading: &DatabaseTransaction, query: &str) -> Result<i64, DbErr> {
    let row = reading.query_one_raw(Statement::from_string(DbBackend::Postgres, query)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("a number".into()))?.try_get("", "n")
}

/// What the driver says, without values.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

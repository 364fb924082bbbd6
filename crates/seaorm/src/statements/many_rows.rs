//! Tables so full that it matters by which way they are read.

use sea_orm::{ConnectionTrait as _, DbBackend};

use crate::Database;

/// How many rows each table gets.
const ROWS: u32 = 10_000;

/// Columns and values of the rows, by their number `n`; `{id}` is a session's id of it, `{then}` some time. What can
/// expire has done so for a hundredth of the rows.
const TABLES: [(&str, &str, &str); 13] = [
    (
        "users",
        "id, email, username, created_at, updated_at",
        "'U' || n, 'u' || n || '@example.com', 'u' || n, {then}, {then}",
    ),
    ("buyers", "user_id, created_at, updated_at", "'U' || n, {then}, {then}"),
    ("sellers", "id, user_id, shop_slug, created_at, updated_at", "1000000 + n, 'U' || n, 's' || n, {then}, {then}"),
    ("user_addresses", "user_id, created_at, updated_at", "'U' || n, {then}, {then}"),
    ("categories", "id, name, created_at, updated_at", "n, 'c' || n, {then}, {then}"),
    ("seller_categories", "seller_id, category_id, created_at, updated_at", "1000000 + n, n, {then}, {then}"),
    ("auth_user_states", "user_id, session_epoch, version", "'U' || n, 0, 0"),
    (
        "auth_sessions",
        "id, user_id, epoch, \"current_role\", created_at, last_activity, authenticated_at, remember, transport, \
         ip_address, user_agent, idle_expires_at, expires_at",
        "{id}, 'U' || (n % 1000), 0, 'buyer', 1, 1, 1, true, 'cookie', '::1', '', {end}, {end}",
    ),
    ("auth_session_aliases", "id, successor, honoured_until", "{id}, {id}, {end}"),
    ("auth_ended_sessions", "id, ending, ended_at", "{id}, 'logged_out', {end}"),
    ("auth_codes", "user_id, purpose, hash, expires_at, tries_left", "'U' || n, 'verify_email', 'hash', {end}, 5"),
    ("auth_known_networks", "user_id, network, last_login_at", "'U' || (n % 1000), '10.0.0.0/' || n, 1"),
    ("auth_limits", "key, tat", "'test:' || n, {end}"),
];

/// Fills all tables, and lets the database see how full they are.
pub(super) async fn fill(database: &Database) {
    let id = match database.backend() {
        DbBackend::Postgres => "convert_to(lpad(n::text, 32, '0'), 'UTF8')",
        _ => "CAST(printf('%032d', n) AS BLOB)",
    };
    for (table, columns, values) in TABLES {
        let values = values
            .replace("{id}", id)
            .replace("{then}", "'2025-01-02 03:04:05'")
            .replace("{end}", "CASE WHEN n % 100 = 0 THEN 1 ELSE 9000000000000000 + n END");
        execute(
            database,
            &format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {ROWS})
                 INSERT INTO {table} ({columns}) SELECT {values} FROM numbers"
            ),
        )
        .await;
    }
    execute(database, "ANALYZE").await;
}

async fn execute(database: &Database, sql: &str) {
    database.writer().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

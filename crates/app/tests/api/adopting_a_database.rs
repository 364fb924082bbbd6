//! A database that the Markt application made is looked at, taken over, and worked on beside that application.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::process;
use crate::server::{Deployment, PASSWORD};
use crate::setup::Setup;

/// As SQLAlchemy and passlib made it: see `rehearsal/make_database.py`.
pub const MARKT: &str = include_str!("../../../../rehearsal/fixtures/markt.sql");

/// The default of `session.user_cache_ttl`.
const USER_CACHE_TTL: Duration = Duration::from_secs(60);

/// All that is in the tables of the application, and how they are made.
const OLD_TABLES: &str = "
    SELECT table_name || ' ' || column_name || ' ' || udt_name || ' ' || is_nullable || ' ' || COALESCE(column_default, '')
           || ' ' || COALESCE(character_maximum_length, 0)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'auth%'
    UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'auth%'
    UNION ALL SELECT row_to_json(t)::text FROM users t UNION ALL SELECT row_to_json(t)::text FROM buyers t
    UNION ALL SELECT row_to_json(t)::text FROM sellers t UNION ALL SELECT row_to_json(t)::text FROM user_addresses t
    UNION ALL SELECT row_to_json(t)::text FROM categories t UNION ALL SELECT row_to_json(t)::text FROM seller_categories t
    ORDER BY 1";

/// All tables and indexes but those that come along with a table.
const RELATIONS: &str = "
    SELECT CASE relkind WHEN 'r' THEN 'table ' ELSE 'index ' END || relname FROM pg_class
    LEFT JOIN pg_index ON indexrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
      AND (indrelid IS NULL OR indrelid::regclass::text NOT LIKE 'auth%') ORDER BY 1";

/// That database, with a Redis of its own: its users have the same ids in each test.
pub async fn markt() -> Setup {
    let setup = Setup::of(Deployment::Full).await.limited().await;
    setup.execute_sql(MARKT).await;
    setup
}

/// What `adopt --check` says, and its exit code.
async fn checked(setup: &Setup) -> (Value, i32) {
    let output = process::run(setup, &["adopt", "--check", "--json"]).await;
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (json, output.status.code().unwrap())
}

fn ids(json: &Value) -> Vec<&str> {
    let findings = json["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["severity"] != "ok").map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_says_what_is_there_and_what_would_be_added_and_changes_nothing() {
    let setup = markt().await;
    let (before, relations) = (setup.query_texts(OLD_TABLES).await, setup.query_texts(RELATIONS).await);
    let (json, code) = checked(&setup).await;
    assert_eq!(code, 0, "{json:#}");
    assert_eq!(
        ids(&json),
        [
            "adopt-unverified",
            "adopt-no-role",
            "adopt-odd-addresses",
            "adopt-unknown-hashes",
            "adopt-hashes-are-upgraded"
        ]
    );
    assert_eq!(
        json["users"],
        json!({
            "total": 8, "deactivated": 1, "unverified": 1, "without_role": 1, "addresses_that_cannot_log_in": 1,
            "password_hashes": {"passlib_pbkdf2_sha256": 6, "argon2id": 0, "none": 1, "others": 1},
        })
    );
    let tables = json["tables"].as_array().unwrap();
    assert_eq!(
        tables[0],
        json!({"name": "users", "rows": 8, "missing_columns": [], "unused_columns": ["deactivated_at"]})
    );
    let text = process::said(&setup, &["adopt", "--check"]).await;
    assert!(text.contains("table users: 8 rows; not used here: deactivated_at\n"), "{text}");
    assert!(text.contains("\n  table auth_sessions\n") && text.contains("adopt-unverified"), "{text}");
    assert_eq!(setup.query_texts(OLD_TABLES).await, before);
    assert_eq!(setup.query_texts(RELATIONS).await, relations);

    // What it said is what is added.
    process::said(&setup, &["migrate"]).await;
    let mut expected = relations;
    expected.extend(json["added"].as_array().unwrap().iter().map(|added| added.as_str().unwrap().to_owned()));
    expected.sort();
    let mut there = setup.query_texts(RELATIONS).await;
    there.sort();
    assert_eq!(there, expected);
    assert_eq!(setup.query_texts(OLD_TABLES).await, before);
    let (json, code) = checked(&setup).await;
    assert_eq!((code, &json["added"], &json["pending_migrations"]), (0, &json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_way_is_named_and_ends_the_check_with_1() {
    let setup = markt().await;
    setup
        .execute_sql(
            "INSERT INTO users (id, email, username, created_at, updated_at)
             VALUES ('USR_TWIN0001', 'ANN@example.com', 'BOB', now(), now());
             ALTER TABLE buyers DROP COLUMN buyername;
             DROP TABLE seller_categories",
        )
        .await;
    let (json, code) = checked(&setup).await;
    assert_eq!(code, 1, "{json:#}");
    assert_eq!(ids(&json)[..2], ["adopt-columns-missing", "adopt-collisions"]);
    let text = json.to_string();
    assert!(text.contains("email: ann@example.com (USR_OLD00001), ANN@example.com (USR_TWIN0001)"), "{text}");
    assert!(json["added"].as_array().unwrap().contains(&json!("table seller_categories")), "{json:#}");

    let empty = Setup::of(Deployment::Full).await;
    let (json, code) = checked(&empty).await;
    assert_eq!((ids(&json), code), (vec!["adopt-no-users"], 1));
    let embedded = Setup::of(Deployment::Embedded).await;
    let (json, code) = checked(&embedded).await;
    assert_eq!((ids(&json), code), (vec!["adopt-not-postgres"], 1));
    let away = empty.with("MARKT_DATABASE_URL", "postgres://ann:hunter2@127.0.0.1:1/markt");
    let output = process::run(&away, &["adopt", "--check"]).await;
    process::assert_failed(&output, 1, "the database can't be connected");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    process::assert_failed(&process::run(&away, &["adopt"]).await, 2, "--check");
}

const HASH: &str = "SELECT password_hash FROM users WHERE username = 'ann'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_log_in_and_their_hashes_are_upgraded() {
    let server = markt().await.start().await;
    let client = server.client();
    assert_eq!(client.log_in("ann@example.com", PASSWORD).await.json()["is_seller"], true);
    let profile = client.get("/users/profile").await.json();
    assert_eq!(
        (&profile["seller_account"]["shop_name"], &profile["buyer_account"]["buyername"]),
        (&json!("Ann's Shop"), &json!("Ann"))
    );
    assert!(server.setup.query_texts(HASH).await.concat().starts_with("$argon2id$"));
    server.client().log_in("bob@EXAMPLE.com", PASSWORD).await.assert_status(200);
    server.client().log_in("emil@example.com", PASSWORD).await.assert_error(403, "role_unavailable");
    server.client().log_in("cleo@example.com", PASSWORD).await.assert_error(403, "account_deactivated");
    server.client().log_in("dora@example.com", PASSWORD).await.assert_error(403, "unverified_email");
    for name in ["fay", "gus"] {
        server.client().log_in(&format!("{name}@example.com"), PASSWORD).await.assert_error(401, "invalid_credentials");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_stay_as_they_are_while_the_old_application_must_check_them() {
    let setup = markt().await.with("MARKT_PASSWORD__UPGRADE_LEGACY", "false");
    let (json, _) = checked(&setup).await;
    assert!(ids(&json).contains(&"adopt-hashes-stay"), "{json:#}");
    let server = setup.start().await;
    let before = server.setup.query_texts(HASH).await;
    for _ in 0..2 {
        server.client().log_in("ann@example.com", PASSWORD).await.assert_status(200);
        assert_eq!(server.setup.query_texts(HASH).await, before);
    }
}

/// By a session in memory, too, which is asked for nothing else meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_old_application_changes_of_a_user_is_seen_within_the_time_that_is_configured() {
    let server = markt().await.start().await;
    let client = server.logged_in("ann@example.com").await;
    client.get("/users/profile").await.assert_status(200);
    server.setup.execute_sql("UPDATE users SET phone_number = '+49301234' WHERE username = 'ann'").await;
    server.clock().advance(USER_CACHE_TTL);
    assert_eq!(client.get("/users/profile").await.json()["phone_number"], "+49301234");
    server.setup.execute_sql("UPDATE users SET is_active = FALSE WHERE username = 'ann'").await;
    server.clock().advance(USER_CACHE_TTL);
    let answer = client.get("/users/profile").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    answer.assert_error(401, "session_revoked");
}

//! The schema, and how it comes about.

use markt_domain::ports::session_store::{Change, SessionStore as _};
use markt_domain::ports::user_store::UserStore as _;
use markt_seaorm::{Database, MigrateError, SeaOrmSessionStore, SeaOrmUserStore, migrate, pending_migrations};
use markt_test_support::fixtures;

use crate::fixture::{Fixture, NO_LIMIT, Server, clock, network};

#[tokio::test]
async fn pending_migrations_are_told_without_changing_anything() {
    for server in Server::both().await {
        let database = Database::connect(server.url()).await.unwrap();
        let pending = pending_migrations(&database).await.unwrap();
        assert_eq!(pending.len(), 6, "{pending:?}");
        assert!(pending.is_sorted());
        assert_eq!(pending_migrations(&database).await.unwrap(), pending);
        assert!(tables(&server).await.is_empty());
        migrate(&database).await.unwrap();
        assert!(pending_migrations(&database).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn migrating_twice_does_nothing_the_second_time() {
    for fixture in Fixture::both().await {
        let user = fixtures::new_buyer();
        fixture.users().create(&user).await.unwrap();
        let (schema, applied) = (schema(&fixture.server).await, applied(&fixture.server).await);
        migrate(&fixture.database).await.unwrap();
        assert_eq!(self::schema(&fixture.server).await, schema);
        assert_eq!(self::applied(&fixture.server).await, applied);
        assert!(fixture.users().find(&user.id).await.unwrap().is_some());
    }
}

/// Nodes that start together.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_migrations_at_once_one_does_it_and_all_succeed() {
    for server in Server::both().await {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let database = Database::connect(server.url()).await.unwrap();
            tasks.spawn(async move { migrate(&database).await.unwrap() });
        }
        while let Some(finished) = tasks.join_next().await {
            finished.unwrap();
        }
        assert_eq!(applied(&server).await.len(), 6);
    }
}

#[tokio::test]
async fn values_that_differ_in_case_only_stop_the_migration_and_are_named() {
    for server in Server::both().await {
        let raw = server.raw().await;
        raw.execute(crate::takeover::users_table(server.is_postgres())).await;
        for (id, email, username) in [
            ("USR_AAAAAAA1", "Ann@example.com", "ann"),
            ("USR_AAAAAAA2", "ann@example.com", "ann2"),
            ("USR_AAAAAAA3", "bob@example.com", "Bob"),
            ("USR_AAAAAAA4", "rob@example.com", "BOB"),
            ("USR_AAAAAAA5", "eve@example.com", "eve"),
        ] {
            raw.execute(&format!(
                "INSERT INTO users (id, email, username, created_at, updated_at)
                 VALUES ('{id}', '{email}', '{username}', '2025-01-02 03:04:05', '2025-01-02 03:04:05')"
            ))
            .await;
        }
        let before = schema(&server).await;
        let database = Database::connect(server.url()).await.unwrap();
        let MigrateError::Refused(text) = migrate(&database).await.unwrap_err() else { panic!("not refused") };
        for named in [
            "email: Ann@example.com (USR_AAAAAAA1), ann@example.com (USR_AAAAAAA2)",
            "username: Bob (USR_AAAAAAA3), BOB (USR_AAAAAAA4)",
            "migrate again",
        ] {
            assert!(text.contains(named), "{text}");
        }
        assert!(!text.contains("eve"), "{text}");
        assert_eq!(schema(&server).await, before, "nothing may be half-done");
        assert_eq!(pending_migrations(&database).await.unwrap().len(), 6);

        raw.execute("UPDATE users SET email = 'ann2@example.com', username = 'ann3' WHERE id = 'USR_AAAAAAA2'").await;
        raw.execute("UPDATE users SET username = 'rob' WHERE id = 'USR_AAAAAAA4'").await;
        migrate(&database).await.unwrap();
        let taken = fixtures::new_buyer().username;
        assert!(!SeaOrmUserStore::new(database, clock()).is_username_taken(&taken).await.unwrap());
    }
}

#[tokio::test]
async fn tables_of_another_application_stop_the_migration() {
    for server in Server::both().await {
        let raw = server.raw().await;
        raw.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT)").await;
        let before = schema(&server).await;
        let database = Database::connect(server.url()).await.unwrap();
        let MigrateError::Refused(text) = migrate(&database).await.unwrap_err() else { panic!("not refused") };
        assert!(text.contains("users") && text.contains("username") && !text.contains(" id,"), "{text}");
        assert_eq!(schema(&server).await, before);
    }
}

/// While nodes are replaced one by one.
#[tokio::test]
async fn a_schema_of_a_later_version_lacks_nothing() {
    for fixture in Fixture::both().await {
        fixture
            .server
            .raw()
            .await
            .execute("INSERT INTO auth_migrations (version, applied_at) VALUES ('m20990101_000001_later', 0)")
            .await;
        assert!(pending_migrations(&fixture.database).await.unwrap().is_empty());
    }
}

/// As a deployment has it that was made before sessions could be rotated.
#[tokio::test]
async fn sessions_of_the_schema_before_live_on() {
    for fixture in Fixture::both().await {
        let user = fixtures::new_buyer();
        fixture.users().create(&user).await.unwrap();
        let version = fixture.users().record_login(&user.id, network(), fixtures::now()).await.unwrap().unwrap();
        let session = fixtures::session(&user.id);
        fixture.sessions().create(&session, version, NO_LIMIT, &[]).await.unwrap();
        let raw = fixture.server.raw().await;
        for undo in [
            "ALTER TABLE auth_sessions DROP COLUMN revision",
            "ALTER TABLE auth_sessions DROP COLUMN family",
            "ALTER TABLE auth_user_states DROP COLUMN kept_family",
            "ALTER TABLE auth_user_states DROP COLUMN kept_epoch",
            "DROP TABLE auth_session_aliases",
            "DROP TABLE auth_ended_sessions",
            "DROP TABLE auth_known_networks",
            "DROP TABLE auth_limits",
            "DELETE FROM auth_migrations WHERE version LIKE '%000004%'",
        ] {
            raw.execute(undo).await;
        }
        assert_eq!(pending_migrations(&fixture.database).await.unwrap().len(), 1);

        // Statements that were prepared for the schema before are none of a new process's.
        let database = Database::connect(fixture.server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        let sessions = SeaOrmSessionStore::new(database.clone(), clock());
        let found = sessions.find(&session.id).await.unwrap().expect("the session");
        assert_eq!((&found.session, found.user_version), (&session, version));
        assert_eq!(sessions.update(&session, found.revision).await.unwrap(), Change::Made);
        let account = SeaOrmUserStore::new(database, clock()).find(&user.id).await.unwrap().unwrap();
        assert_eq!((account.state.version, account.state.kept), (version, None));
    }
}

async fn tables(server: &Server) -> Vec<String> {
    let sql = if server.is_postgres() {
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
    };
    names(server, sql).await
}

/// Everything that there is, by name and definition.
async fn schema(server: &Server) -> Vec<String> {
    let sql = if server.is_postgres() {
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable AS name
         FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typtype = 'e'
         ORDER BY 1"
    } else {
        "SELECT COALESCE(sql, name) AS name FROM sqlite_master ORDER BY 1"
    };
    names(server, sql).await
}

async fn applied(server: &Server) -> Vec<String> {
    names(server, "SELECT version || ' ' || applied_at AS name FROM auth_migrations ORDER BY 1").await
}

async fn names(server: &Server, sql: &str) -> Vec<String> {
    server.raw().await.rows(sql).await.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

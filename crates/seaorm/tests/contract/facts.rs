//! A database that is looked at before users are kept in it.

use markt_seaorm::{ConnectError, Database, DatabaseFacts, migrate};
use markt_test_support::clock::MovableClock;
use markt_test_support::stores::SqliteDatabase;

use crate::fixture::Server;

async fn gather(url: &str) -> DatabaseFacts {
    DatabaseFacts::gather(url, &MovableClock::at_present()).await.unwrap()
}

#[tokio::test]
async fn a_database_tells_what_it_is_like_and_which_migrations_it_lacks() {
    for server in Server::both().await {
        // SQLite's file has to be there.
        let database = Database::connect(server.url()).await.unwrap();
        let facts = gather(server.url()).await;
        assert_eq!((facts.pending.len(), &facts.schema_unreadable), (6, &None), "{facts:?}");
        migrate(&database).await.unwrap();
        let facts = gather(server.url()).await;
        assert_eq!((facts.pending.len(), &facts.writes_refused), (0, &None), "{facts:?}");
        assert!(facts.version.is_some_and(|version| version.contains('.')));
        assert_eq!(facts.connections.is_some(), server.is_postgres());
        assert_eq!(facts.clock_ahead.is_some(), server.is_postgres());
        assert!(facts.clock_ahead.is_none_or(|ahead| ahead.abs() < 1000), "{:?}", facts.clock_ahead);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let database = SqliteDatabase::create();
    let facts = gather(database.url()).await;
    let file = facts.absent.unwrap();
    assert!(file.ends_with("markt.db") && !file.exists());
}

#[tokio::test]
async fn a_database_that_cannot_be_connected_is_told_without_its_password() {
    let url = "postgres://ann:hunter2@127.0.0.1:1/markt";
    let error = DatabaseFacts::gather(url, &MovableClock::at_present()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

//! Databases that are gone, hang or were never there.

use std::net::SocketAddr;
use std::time::Duration;

use markt_domain::ports::session_store::SessionStore;
use markt_domain::ports::user_store::{CreateUserError, UserStore as _};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::user::UserVersion;
use markt_seaorm::{ConnectError, Database, SeaOrmSessionStore, SeaOrmUserStore, migrate};
use markt_test_support::fixtures;
use markt_test_support::stores::{PostgresDatabase, Relay, server_address, through};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::fixture::{Fixture, NO_LIMIT, clock};

const PROMISED: Duration = Duration::from_secs(2);

struct Relayed {
    relay: Relay,
    database: Database,
    _postgres: PostgresDatabase,
}

async fn relayed() -> Relayed {
    let postgres = PostgresDatabase::create().await;
    let relay = Relay::to(server_address(postgres.url())).await;
    let database = Database::connect(&through(postgres.url(), relay.address())).await.unwrap();
    migrate(&database).await.unwrap();
    Relayed { relay, database, _postgres: postgres }
}

async fn assert_unavailable(database: &Database) {
    let (users, sessions) =
        (SeaOrmUserStore::new(database.clone(), clock()), SeaOrmSessionStore::new(database.clone(), clock()));
    let user = fixtures::new_buyer();
    let session = fixtures::session(&user.id);
    let begin = Instant::now();
    let (ping, find, create, created) = timeout(PROMISED + PROMISED, async {
        tokio::join!(
            database.ping(),
            sessions.find(&session.id),
            sessions.create(&session, UserVersion(0), NO_LIMIT, &[]),
            users.create(&user)
        )
    })
    .await
    .expect("an answer, if not in time");
    assert!(begin.elapsed() < PROMISED, "it took {:?}", begin.elapsed());
    let created = match created {
        Err(CreateUserError::Store(error)) => error,
        other => panic!("{other:?}"),
    };
    for error in [ping.unwrap_err(), find.unwrap_err(), create.unwrap_err(), created] {
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
    }
}

/// Not at once, perhaps, but without help and soon.
async fn assert_recovers(database: &Database) {
    let sessions = SeaOrmSessionStore::new(database.clone(), clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    timeout(Duration::from_secs(10), async {
        while sessions.find(&id).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the database to be used again");
    // All of the pool: not just one connection of it.
    let many = (0..64).map(|_| sessions.find(&id));
    for found in futures(many).await {
        assert_eq!(found.unwrap(), None);
    }
}

async fn futures<F: Future + Send>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut results = Vec::new();
    let mut pinned: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pinned.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                results.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pinned.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_unavailable_in_time_and_used_again_when_it_is_back() {
    let Relayed { relay, database, _postgres } = relayed().await;
    relay.cut().await;
    assert_unavailable(&database).await;
    relay.restore().await;
    assert_recovers(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_unavailable_in_time_and_used_again_when_it_answers() {
    let Relayed { relay, database, _postgres } = relayed().await;
    relay.freeze();
    assert_unavailable(&database).await;
    // More than the pool has connections: those that were given up on must not be waited for.
    let sessions = SeaOrmSessionStore::new(database.clone(), clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    let begin = Instant::now();
    for found in futures((0..40).map(|_| sessions.find(&id))).await {
        assert_eq!(found.unwrap_err().kind, StoreErrorKind::Unavailable);
    }
    assert!(begin.elapsed() < PROMISED, "it took {:?}", begin.elapsed());
    relay.thaw();
    assert_recovers(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_left_alone_and_found_to_be_back_though_nobody_asks() {
    let Relayed { relay, database, _postgres } = relayed().await;
    let sessions = SeaOrmSessionStore::new(database.clone(), clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    relay.freeze();
    for _ in 0..2 {
        assert_unavailable(&database).await;
    }
    let begin = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(sessions.find(&id).await.unwrap_err().kind, StoreErrorKind::Unavailable);
    }
    assert!(begin.elapsed() < PROMISED, "it took {:?}", begin.elapsed());
    relay.thaw();
    tokio::time::sleep(PROMISED).await;
    for found in futures((0..64).map(|_| sessions.find(&id))).await {
        assert_eq!(found.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_wait_for_a_database_and_no_more() {
    let Relayed { relay, database, _postgres } = relayed().await;
    let sessions = SeaOrmSessionStore::new(database.clone(), clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    relay.freeze();
    let errors = futures((0..2_000).map(|_| sessions.find(&id))).await.into_iter().map(Result::unwrap_err);
    let causes: Vec<_> = errors.map(|error| std::error::Error::source(&error).unwrap().to_string()).collect();
    let turned_away = causes.iter().filter(|cause| cause.contains("too many wait")).count();
    assert_eq!(turned_away, 2_000 - 1_024);
    relay.thaw();
    assert_recovers(&database).await;
}

/// Passes connections on to a server. Those that are there when the hole opens hang from then on, for ever; later ones
/// don't: as when the host is gone for good, and another takes its address.
struct BlackHole {
    address: SocketAddr,
    opened: watch::Sender<()>,
}

impl BlackHole {
    async fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hole = Self { address: listener.local_addr().unwrap(), opened: watch::Sender::new(()) };
        let opened = hole.opened.subscribe();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut server = TcpStream::connect(&upstream).await.unwrap();
                let mut opened = opened.clone();
                opened.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = opened.changed() => std::future::pending().await,
                    }
                });
            }
        });
        hole
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_hang_for_ever_give_their_place_to_new_ones() {
    let postgres = PostgresDatabase::create().await;
    let hole = BlackHole::before(server_address(postgres.url())).await;
    let database = Database::connect(&through(postgres.url(), hole.address)).await.unwrap();
    migrate(&database).await.unwrap();
    // All of the pool's connections are in use when it happens.
    let sessions = SeaOrmSessionStore::new(database.clone(), clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    let hung: Vec<_> = (0..40)
        .map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move { while sessions.find(&id).await.is_ok() {} })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    hole.opened.send_replace(());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_recovers(&database).await;
    for task in hung {
        task.abort();
    }
}

/// A server that was restarted while nobody asked for anything: no request shall pay for it.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_while_they_were_idle_are_not_used() {
    let Relayed { relay, database, _postgres } = relayed().await;
    let sessions = SeaOrmSessionStore::new(database, clock());
    let id = fixtures::session(&fixtures::user_id()).id;
    let find_many = async || {
        for found in futures((0..64).map(|_| sessions.find(&id))).await {
            assert_eq!(found.unwrap(), None);
        }
    };
    find_many().await;
    relay.cut().await;
    relay.restore().await;
    // For as long as a connection is taken for good without a look.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    find_many().await;
}

#[tokio::test]
async fn a_statement_that_waits_for_a_lock_is_unavailable_in_time() {
    let fixture = Fixture::postgres().await;
    let user = fixtures::new_buyer();
    fixture.users().create(&user).await.unwrap();
    let raw = fixture.server.raw().await;
    raw.execute("BEGIN; LOCK TABLE auth_user_states IN ACCESS EXCLUSIVE MODE").await;
    let begin = Instant::now();
    let error = fixture.users().begin_session_epoch(&user.id, None).await.unwrap_err();
    assert!(begin.elapsed() < PROMISED, "it took {:?}", begin.elapsed());
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
    let waiting = raw.count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").await;
    assert_eq!(waiting, 0, "the server must give up too");
    raw.execute("ROLLBACK").await;
    fixture.users().begin_session_epoch(&user.id, None).await.unwrap();
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    for fixture in Fixture::both().await {
        fixture.database.close().await;
        assert_unavailable(&fixture.database).await;
    }
}

#[tokio::test]
async fn a_database_that_lacks_its_tables_is_unreadable_and_answers() {
    for fixture in Fixture::both().await {
        fixture.server.raw().await.execute("DROP TABLE auth_sessions").await;
        fixture.database.ping().await.unwrap();
        let found = fixture.sessions().find(&fixtures::session(&fixtures::user_id()).id).await;
        assert_eq!(found.unwrap_err().kind, StoreErrorKind::Unreadable);
    }
}

/// Neither in the error that a caller shows nor in its debug output.
#[tokio::test]
async fn errors_tell_no_values() {
    fn shown(error: &StoreError) -> String {
        let source = std::error::Error::source(error).unwrap();
        format!("{error} {error:?} {source} {source:?}")
    }
    for fixture in Fixture::both().await {
        let user = fixtures::new_buyer();
        fixture.users().create(&user).await.unwrap();
        let raw = fixture.server.raw().await;
        // So that every insert collides with the first, by values that the driver's error would tell.
        raw.execute("DROP INDEX auth_users_lower_email").await;
        raw.execute("CREATE UNIQUE INDEX odd ON users (substr(email, 9))").await;
        let other = fixtures::new_buyer();
        let error = match fixture.users().create(&other).await {
            Err(CreateUserError::Store(error)) => error,
            result => panic!("{result:?}"),
        };
        let shown = shown(&error);
        for secret in ["example.com", other.email.as_str(), other.password_hash.expose()] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("UNIQUE") || shown.contains("odd"), "it must say what happened: {shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_connected_says_why() {
    async fn refused(url: &str) -> ConnectError {
        let begin = Instant::now();
        let error = Database::connect(url).await.unwrap_err();
        assert!(begin.elapsed() < PROMISED);
        error
    }
    // A port that nobody listens on: the one of a relay that was cut.
    let relay = Relay::to("127.0.0.1:9").await;
    relay.cut().await;
    let nobody = refused(&format!("postgres://ann:secret@{}/markt", relay.address())).await;
    assert!(nobody.to_string().contains("refused") && !nobody.to_string().contains("secret"), "{nobody}");

    let postgres = PostgresDatabase::create().await;
    let absent = refused(&format!("{}_absent", postgres.url())).await;
    assert!(absent.to_string().contains("does not exist"), "{absent}");

    let relay = Relay::to(server_address(postgres.url())).await;
    relay.freeze();
    assert!(matches!(refused(&through(postgres.url(), relay.address())).await, ConnectError::Unreachable(_)));

    assert!(matches!(refused("mysql://ann@db/markt").await, ConnectError::UnknownScheme(scheme) if scheme == "mysql"));
    assert!(matches!(refused("markt.db").await, ConnectError::UnknownScheme(_)));
    for memory in ["sqlite::memory:", "sqlite://:memory:", "sqlite://markt.db?mode=memory", "sqlite://"] {
        assert!(matches!(refused(memory).await, ConnectError::InMemory), "{memory}");
    }
    assert!(matches!(refused("sqlite://markt.db?mode=nonsense").await, ConnectError::Malformed(_)));
    let absent = refused("sqlite:///tmp/markt-absent/markt.db").await;
    assert!(matches!(absent, ConnectError::Unreachable(_)), "{absent}");
    assert!(matches!(refused("sqlite:///dev/null/markt.db?mode=rwc").await, ConnectError::Folder { .. }));
}

#[tokio::test]
async fn the_folder_of_a_new_sqlite_database_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/deep/down/markt.db?mode=rwc", folder.path().display());
    let database = Database::connect(&url).await.unwrap();
    migrate(&database).await.unwrap();
    database.close().await;
    assert!(folder.path().join("deep/down/markt.db").exists());
}

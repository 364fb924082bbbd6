//! What the stores really ask the databases: how often, and by which indexes it is answered.

mod many_rows;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::client::Network;
use markt_domain::code::CodePurpose;
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::clock::Clock;
use markt_domain::ports::code_store::{CodeStore as _, StoredCode};
use markt_domain::ports::rate_limiter::{Bucket, Rate, RateLimiter as _};
use markt_domain::ports::session_directory::{Cursor, SessionDirectory as _};
use markt_domain::ports::session_store::{Creation, Revision, SessionStore as _};
use markt_domain::ports::user_store::UserStore as _;
use markt_domain::session::{Ending, Session};
use markt_domain::user::{BuyerChanges, NewUser, SellerChanges, UserChanges, UserId, UserState, UserVersion};
use markt_test_support::clock::MovableClock;
use markt_test_support::fixtures;
use markt_test_support::stores::{PostgresDatabase, SqliteDatabase};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::database::Recording;
use crate::{
    Database, SeaOrmCodeStore, SeaOrmRateLimiter, SeaOrmSessionDirectory, SeaOrmSessionStore, SeaOrmUserStore, migrate,
};

const NO_LIMIT: NonZeroU32 = NonZeroU32::MAX;
const MINUTE: Duration = Duration::from_secs(60);

/// The stores over a database of the test's own, which tells what they ask it.
struct Stores {
    database: Database,
    recording: Recording,
    users: SeaOrmUserStore,
    sessions: SeaOrmSessionStore,
    directory: SeaOrmSessionDirectory,
    codes: SeaOrmCodeStore,
    limits: SeaOrmRateLimiter,
    /// Held for its `Drop`.
    _server: Box<dyn std::any::Any>,
}

impl Stores {
    async fn both() -> [Self; 2] {
        let (sqlite, postgres) = (SqliteDatabase::create(), PostgresDatabase::create().await);
        let (sqlite_url, postgres_url) = (sqlite.url().to_owned(), postgres.url().to_owned());
        [Self::over(&sqlite_url, Box::new(sqlite)).await, Self::over(&postgres_url, Box::new(postgres)).await]
    }

    async fn over(url: &str, server: Box<dyn std::any::Any>) -> Self {
        let (database, recording) = Database::connect(url).await.unwrap().recorded();
        migrate(&database).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(MovableClock::at_present());
        Self {
            users: SeaOrmUserStore::new(database.clone(), Arc::clone(&clock)),
            directory: SeaOrmSessionDirectory::new(database.clone(), Arc::clone(&clock)),
            sessions: SeaOrmSessionStore::new(database.clone(), clock),
            codes: SeaOrmCodeStore::new(database.clone()),
            limits: SeaOrmRateLimiter::new(database.clone()),
            database,
            recording,
            _server: server,
        }
    }

    /// A user with so many sessions.
    async fn user_with_sessions(&self, count: usize) -> (UserId, Vec<Session>) {
        let new = fixtures::new_buyer();
        self.users.create(&new).await.unwrap();
        let mut sessions = Vec::new();
        for _ in 0..count {
            let session = fixtures::session(&new.id);
            let creation = self.sessions.create(&session, UserVersion(0), NO_LIMIT, &[]).await.unwrap();
            assert_eq!(creation, Creation::Created { evicted: Vec::new() });
            sessions.push(session);
        }
        (new.id, sessions)
    }

    /// How many statements this takes.
    async fn count<T>(&self, work: impl Future<Output = T>) -> usize {
        self.recording.take();
        work.await;
        self.recording.take().len()
    }
}

fn successor_of(session: &Session) -> Session {
    Session { id: fixtures::session(&session.user_id).id, ..session.clone() }
}

fn network() -> Network {
    Network::of([192, 0, 2, 7].into())
}

fn buckets() -> Vec<Bucket> {
    let rate = Rate { count: NonZeroU32::new(1).unwrap(), period: MINUTE };
    ["address", "network"].map(|kind| Bucket::new(kind, fixtures::user_id().as_str(), rate)).into()
}

/// What each request, and each look at what is gone, costs.
#[tokio::test]
async fn what_is_asked_all_the_time_takes_one_statement() {
    for stores in Stores::both().await {
        let (user, all) = stores.user_with_sessions(3).await;
        let (id, later) = (all[0].id, all[0].last_activity.plus(MINUTE));
        let (sessions, users) = (&stores.sessions, &stores.users);
        assert_eq!(stores.count(async { sessions.find(&id).await.unwrap().unwrap() }).await, 1);
        assert_eq!(
            stores.count(async { assert!(sessions.touch(&id, later, later.plus(MINUTE)).await.unwrap()) }).await,
            1
        );
        assert_eq!(stores.count(async { sessions.list(&user).await.unwrap() }).await, 1);
        assert_eq!(stores.count(async { sessions.ending(&id).await.unwrap() }).await, 1);
        assert_eq!(stores.count(async { sessions.update(&all[1], Revision(0)).await.unwrap() }).await, 1);
        assert_eq!(stores.count(async { users.find(&user).await.unwrap().unwrap() }).await, 1);
        assert_eq!(stores.count(async { stores.limits.look(&buckets(), later).await.unwrap() }).await, 1);
        for email in [users.find(&user).await.unwrap().unwrap().user().email.clone(), fixtures::new_buyer().email] {
            assert_eq!(stores.count(async { users.knows_network(&email, network()).await.unwrap() }).await, 1);
        }
    }
}

/// Where each is a round trip: as most logins are, from where the last one was.
#[tokio::test]
async fn a_login_from_a_known_network_takes_postgresql_one_statement() {
    let [_, stores] = Stores::both().await;
    let (user, _) = stores.user_with_sessions(0).await;
    let at = fixtures::now();
    let login = async || assert!(stores.users.record_login(&user, network(), at).await.unwrap().is_some());
    let first = stores.count(login()).await;
    assert!(first > 1, "{first}");
    assert_eq!(stores.count(login()).await, 1);
}

/// However many sessions a user has.
#[tokio::test]
async fn what_is_about_many_sessions_takes_no_more_statements_than_what_is_about_one() {
    const MANY: usize = 40;
    for stores in Stores::both().await {
        let mut counts = Vec::new();
        for count in [1, MANY] {
            let (user, all) = stores.user_with_sessions(count).await;
            let listing = stores.count(async { assert_eq!(stores.sessions.list(&user).await.unwrap().len(), count) });
            let listing = listing.await;

            let newcomer = fixtures::session(&user);
            let evicting = stores.count(async {
                let one = NonZeroU32::MIN;
                let creation = stores.sessions.create(&newcomer, UserVersion(0), one, &[]).await.unwrap();
                assert!(matches!(creation, Creation::Created { evicted } if evicted.len() == count));
            });
            let evicting = evicting.await;
            assert!(stores.sessions.find(&all[0].id).await.unwrap().is_none());

            let (user, all) = stores.user_with_sessions(count + 1).await;
            let keep = all[0].family;
            let state = stores.users.begin_session_epoch(&user, Some(keep)).await.unwrap();
            let ending = stores.count(async {
                let everywhere = Ending::LoggedOutEverywhere;
                let ended = stores.sessions.delete_before_epoch(&user, state, Some(keep), everywhere).await.unwrap();
                assert_eq!(ended, u64::try_from(count).unwrap());
            });
            counts.push((listing, evicting, ending.await));
        }
        assert_eq!(counts[0], counts[1]);
        assert!(counts[0].2 <= 5, "{counts:?}");
    }
}

/// Not a table is read through, but the CTE in which a sweep collects its batch.
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_goes_by_indexes() {
    for stores in Stores::both().await {
        many_rows::fill(&stores.database).await;
        stores.recording.take();
        exercise(&stores).await;
        let mut statements = stores.recording.take();
        statements.sort_unstable_by(|one, other| one.sql.cmp(&other.sql));
        statements.dedup_by(|one, other| one.sql == other.sql);
        assert!(statements.len() > 60, "only {} statements were run", statements.len());
        let mut scanned = Vec::new();
        for statement in statements {
            let plan = plan(&stores.database, &statement).await;
            if plan.iter().any(|step| reads_a_table_through(stores.database.backend(), step)) {
                scanned.push(format!("{}\n{}", statement.sql, plan.join("\n")));
            }
        }
        assert!(scanned.is_empty(), "{}", scanned.join("\n\n"));
    }
}

fn reads_a_table_through(backend: DbBackend, step: &str) -> bool {
    match backend {
        DbBackend::Postgres => step.contains("Seq Scan on"),
        // Neither the batch of a sweep nor the rows of an insert are a table.
        _ => step.starts_with("SCAN ") && step != "SCAN expired" && !step.ends_with("-ROW VALUES CLAUSE"),
    }
}

/// How the database answers this statement, a step a line.
async fn plan(database: &Database, statement: &Statement) -> Vec<String> {
    let (explain, column) = match statement.db_backend {
        DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let explained = Statement { sql: format!("{explain} {}", statement.sql), ..statement.clone() };
    let rows = database.writer().query_all_raw(explained).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", statement.sql));
    rows.iter().map(|row| row.try_get("", column).unwrap()).collect()
}

/// Everything that the stores can be asked, but whether there are no users at all.
async fn exercise(stores: &Stores) {
    let (user, all) = stores.user_with_sessions(4).await;
    exercise_sessions(stores, &user, &all).await;
    exercise_users(stores, &user).await;

    let code =
        StoredCode { hash: PasswordHash::new("hash".into()), expires_at: fixtures::now().plus(MINUTE), tries_left: 5 };
    stores.codes.put(&user, CodePurpose::VerifyEmail, &code).await.unwrap();
    stores.codes.take_try(&user, CodePurpose::VerifyEmail, fixtures::now()).await.unwrap().unwrap();
    assert!(stores.codes.redeem(&user, CodePurpose::VerifyEmail, &code.hash).await.unwrap());

    let buckets = buckets();
    for _ in 0..2 {
        stores.limits.count(&buckets, fixtures::now()).await.unwrap();
        stores.limits.look(&buckets, fixtures::now()).await.unwrap();
    }

    // A little at a time, as it is when there is much more than a batch.
    let long_ago = markt_domain::Timestamp::from_unix_milliseconds(10);
    assert!(stores.sessions.delete_expired(long_ago, Duration::ZERO, 5).await.unwrap() > 5);
    assert!(stores.codes.delete_expired(long_ago, 5).await.unwrap() > 5);
    assert!(stores.limits.delete_expired(long_ago, 5).await.unwrap() > 5);
}

async fn exercise_sessions(stores: &Stores, user: &UserId, all: &[Session]) {
    let sessions = &stores.sessions;
    let [first, second, _, _] = all else { panic!("four sessions") };
    let (later, until) = (first.last_activity.plus(MINUTE), first.last_activity.plus(2 * MINUTE));
    // Rotated twice, so that there is an alias to be led on.
    let successor = successor_of(first);
    sessions.rotate(&first.id, Revision(0), &successor, until).await.unwrap();
    sessions.rotate(&successor.id, Revision(1), &successor_of(first), until).await.unwrap();
    sessions.rotate(&first.id, Revision(0), &successor_of(first), until).await.unwrap();
    assert!(sessions.find(&first.id).await.unwrap().unwrap().honoured_until.is_some());
    assert!(sessions.touch(&second.id, later, until).await.unwrap());
    assert!(!sessions.touch(&first.id, later, until).await.unwrap());
    sessions.update(second, Revision(1)).await.unwrap();
    sessions.update(second, Revision(1)).await.unwrap();
    assert_eq!(sessions.list(user).await.unwrap().len(), 4);
    let (page, middle) = (NonZeroU32::new(10).unwrap(), Cursor::new("8000000000000000".to_owned()));
    for cursor in [None, Some(&middle)] {
        stores.directory.page(cursor, page).await.unwrap();
    }
    assert!(sessions.delete(&first.id, Ending::LoggedOut).await.unwrap());
    assert_eq!(sessions.ending(&first.id).await.unwrap(), Some(Ending::LoggedOut));

    sessions.user_changed(user, UserVersion(1)).await.unwrap();
    let two = NonZeroU32::new(2).unwrap();
    let evicted = sessions.create(&fixtures::session(user), UserVersion(1), two, &[]).await.unwrap();
    assert!(matches!(evicted, Creation::Created { evicted } if evicted.len() == 2));
    let kept = sessions.list(user).await.unwrap()[0].session.family;
    let state: UserState = stores.users.begin_session_epoch(user, Some(kept)).await.unwrap();
    let ended = sessions.delete_before_epoch(user, state, Some(kept), Ending::LoggedOutEverywhere).await.unwrap();
    assert_eq!(ended, 1);
}

async fn exercise_users(stores: &Stores, buyer: &UserId) {
    let (users, at, hash) = (&stores.users, fixtures::now(), |number: u8| PasswordHash::new(number.to_string()));
    let mut shop = fixtures::new_seller().seller.unwrap();
    shop.category_ids = vec![1, 2];
    let new = NewUser { seller: Some(shop.clone()), password_hash: hash(1), ..fixtures::new_buyer() };
    let id = &new.id;
    users.create(&new).await.unwrap();
    users.find(id).await.unwrap().unwrap();
    users.find_by_email(&new.email).await.unwrap().unwrap();
    assert!(users.is_username_taken(&new.username).await.unwrap());
    users.find_password(id).await.unwrap().unwrap();
    users.record_login(id, network(), at).await.unwrap().unwrap();
    users.record_login(id, network(), at).await.unwrap().unwrap();
    assert!(users.knows_network(&new.email, network()).await.unwrap());
    assert!(users.replace_password_hash(id, &hash(1), &hash(2)).await.unwrap());
    let family = fixtures::session(id).family;
    let state = users.change_password(id, &hash(2), &hash(3), family, at).await.unwrap().unwrap();
    users.forget_kept_session(id, state.epoch).await.unwrap();
    assert_eq!(users.session_epoch_began_at(id).await.unwrap(), Some(at));
    users.reset_password(id, &hash(4), at).await.unwrap().unwrap();
    users.mark_email_verified(id, at).await.unwrap().unwrap();
    users.update(id, &UserChanges::default(), at).await.unwrap().unwrap();
    let changes = UserChanges { phone_number: Some("1".into()), ..UserChanges::default() };
    users.update(id, &changes, at).await.unwrap().unwrap();
    let changes = BuyerChanges { buyername: Some("A".into()), ..BuyerChanges::default() };
    users.update_buyer(id, &changes, at).await.unwrap();
    users.update_buyer(id, &BuyerChanges::default(), at).await.unwrap();
    let changes = SellerChanges { category_ids: Some(vec![3]), ..SellerChanges::default() };
    users.update_seller(id, &changes, at).await.unwrap();
    users.set_active(id, false, at).await.unwrap().unwrap();

    users.create_seller(buyer, &shop, at).await.unwrap();
    let seller = fixtures::new_seller();
    users.create(&seller).await.unwrap();
    users.create_buyer(&seller.id, &new.buyer.unwrap(), at).await.unwrap();
}

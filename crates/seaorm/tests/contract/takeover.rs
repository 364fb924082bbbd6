//! A database of the Markt application, with its users, is taken over without a change to its tables.

use markt_domain::Timestamp;
use markt_domain::credentials::EmailAddress;
use markt_domain::ports::session_store::{Creation, SessionStore as _};
use markt_domain::ports::user_store::{CreateUserError, UserStore as _};
use markt_domain::role::Role;
use markt_domain::user::{NewUser, UserState, VerificationStatus};
use markt_seaorm::{Database, SeaOrmSessionStore, SeaOrmUserStore, migrate};
use markt_test_support::fixtures;
use serde_json::json;
use time::macros::datetime;

use crate::fixture::{NO_LIMIT, Raw, Server, clock, network};

/// As SQLAlchemy makes it, on this database.
pub(crate) const fn users_table(postgres: bool) -> &'static str {
    if postgres {
        "CREATE TABLE users (
           id VARCHAR(12) NOT NULL, email VARCHAR(120) NOT NULL, phone_number VARCHAR(20), username VARCHAR(50) NOT NULL,
           password_hash VARCHAR(128), profile_picture VARCHAR(255), is_buyer BOOLEAN, is_seller BOOLEAN,
           is_active BOOLEAN, deactivated_at TIMESTAMP WITHOUT TIME ZONE, email_verified BOOLEAN,
           last_login_at TIMESTAMP WITHOUT TIME ZONE, favourite_colour VARCHAR(10),
           created_at TIMESTAMP WITHOUT TIME ZONE NOT NULL, updated_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
           PRIMARY KEY (id), UNIQUE (email), CONSTRAINT uq_users_name UNIQUE (username))"
    } else {
        "CREATE TABLE users (
           id VARCHAR(12) NOT NULL, email VARCHAR(120) NOT NULL, phone_number VARCHAR(20), username VARCHAR(50) NOT NULL,
           password_hash VARCHAR(128), profile_picture VARCHAR(255), is_buyer BOOLEAN, is_seller BOOLEAN,
           is_active BOOLEAN, deactivated_at DATETIME, email_verified BOOLEAN, last_login_at DATETIME,
           favourite_colour VARCHAR(10), created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
           PRIMARY KEY (id), UNIQUE (email), UNIQUE (username))"
    }
}

fn other_tables(postgres: bool) -> String {
    let mut sql = String::new();
    if postgres {
        sql.push_str(
            "CREATE TYPE sellerverificationstatus AS ENUM
               ('UNVERIFIED', 'PENDING', 'VERIFIED', 'REJECTED', 'SUSPENDED');
             CREATE TYPE sellercategory AS ENUM ('FOOD', 'TOYS');",
        );
    }
    let (serial, time, status, category, jsonb, double) = if postgres {
        ("SERIAL", "TIMESTAMP", "sellerverificationstatus", "sellercategory", "JSONB", "DOUBLE PRECISION")
    } else {
        ("INTEGER", "DATETIME", "VARCHAR(11)", "VARCHAR(4)", "JSON", "FLOAT")
    };
    sql + &format!(
        "CREATE TABLE buyers (
           id {serial} NOT NULL, user_id VARCHAR(12), buyername VARCHAR(50), shipping_address JSON, is_active BOOLEAN,
           deactivated_at {time}, created_at {time} NOT NULL, updated_at {time} NOT NULL,
           PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES users (id));
         CREATE TABLE sellers (
           id {serial} NOT NULL, user_id VARCHAR(12), shop_name VARCHAR(100), shop_slug VARCHAR(110), description TEXT,
           policies JSON, category {category}, total_rating INTEGER, total_raters INTEGER, verification_status {status},
           is_active BOOLEAN, deactivated_at {time}, created_at {time} NOT NULL, updated_at {time} NOT NULL,
           PRIMARY KEY (id), UNIQUE (shop_slug), FOREIGN KEY(user_id) REFERENCES users (id));
         CREATE TABLE user_addresses (
           id {serial} NOT NULL, user_id VARCHAR(12), longitude {double}, latitude {double}, house_number VARCHAR(20),
           street VARCHAR(100), city VARCHAR(100), state VARCHAR(100), country VARCHAR(100), postal_code VARCHAR(20),
           created_at {time} NOT NULL, updated_at {time} NOT NULL,
           PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES users (id));
         CREATE TABLE categories (
           id {serial} NOT NULL, name VARCHAR(50) NOT NULL, description TEXT, slug VARCHAR(60), image_url VARCHAR(255),
           parent_id INTEGER, is_active BOOLEAN, category_metadata {jsonb}, created_at {time} NOT NULL,
           updated_at {time} NOT NULL,
           PRIMARY KEY (id), UNIQUE (name), UNIQUE (slug), FOREIGN KEY(parent_id) REFERENCES categories (id));
         CREATE TABLE seller_categories (
           seller_id INTEGER NOT NULL, category_id INTEGER NOT NULL, is_primary BOOLEAN, created_at {time} NOT NULL,
           updated_at {time} NOT NULL,
           PRIMARY KEY (seller_id, category_id), FOREIGN KEY(seller_id) REFERENCES sellers (id),
           FOREIGN KEY(category_id) REFERENCES categories (id));"
    )
}

/// Ann has everything, some of it twice; Bob's row is as old as can be.
const ROWS: &str = "
  INSERT INTO users VALUES
    ('USR_AAAAAAAA', 'Ann@Example.com', '+2348012345678', 'Ann', '$pbkdf2-sha256$29000$salt$hash', 'ann.png', true, true,
     true, NULL, true, '2025-03-04 05:06:07.123456', 'green', '2025-01-02 03:04:05.678901', '2025-02-03 04:05:06'),
    ('usr-2', 'bob@localhost', NULL, 'bob the builder', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    ('USR_CCCCCCCC', 'cleo@example.com', NULL, 'cleo', 'hash', NULL, true, false, false, '2025-01-02 03:04:05', false,
     NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05');
  INSERT INTO buyers VALUES
    (7, 'USR_AAAAAAAA', 'second', NULL, false, NULL, '2025-01-02 03:04:06', '2025-01-02 03:04:06'),
    (3, 'USR_AAAAAAAA', 'first', '{\"street\": \"Main\"}', NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (4, 'USR_CCCCCCCC', NULL, 'null', false, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (1, NULL, 'nobody', NULL, NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05');
  INSERT INTO sellers VALUES
    (5, 'USR_AAAAAAAA', 'Ann''s Shop', 'ann-s-shop', 'Fine', '{\"returns\": [1, 2]}', 'TOYS', 9, 2, 'SUSPENDED', true,
     NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (6, 'usr-2', NULL, NULL, NULL, 'null', NULL, NULL, NULL, NULL, NULL, NULL, '2025-01-02 03:04:05',
     '2025-01-02 03:04:05');
  INSERT INTO user_addresses VALUES
    (2, 'USR_AAAAAAAA', 3.5, -6.25, '12', 'Main', 'Lagos', 'Lagos', 'Nigeria', '100', '2025-01-02 03:04:05',
     '2025-01-02 03:04:05'),
    (9, 'USR_AAAAAAAA', NULL, NULL, '13', NULL, NULL, NULL, NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05');
  INSERT INTO categories VALUES
    (1, 'Food', NULL, 'food', NULL, NULL, true, '{\"a\": 1}', '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (2, 'Fruit', NULL, 'fruit', NULL, 1, NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (3, 'Toys', NULL, 'toys', NULL, NULL, NULL, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05');
  INSERT INTO seller_categories VALUES
    (5, 1, NULL, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (5, 3, true, '2025-01-02 03:04:05', '2025-01-02 03:04:05'),
    (5, 2, false, '2025-01-02 03:04:05', '2025-01-02 03:04:05');";

const TABLES: [&str; 6] = ["users", "buyers", "sellers", "user_addresses", "categories", "seller_categories"];

async fn old_database(server: &Server) -> Raw {
    let raw = server.raw().await;
    raw.execute(users_table(server.is_postgres())).await;
    raw.execute(&other_tables(server.is_postgres())).await;
    raw.execute(ROWS).await;
    if server.is_postgres() {
        // As the application has counted them.
        for (table, next) in [("buyers", 20), ("sellers", 20), ("user_addresses", 20), ("categories", 20)] {
            raw.execute(&format!("SELECT setval('{table}_id_seq', {next})")).await;
        }
    }
    raw
}

/// Columns and constraints of the old tables, and their rows.
async fn old_tables(server: &Server, raw: &Raw) -> Vec<String> {
    let mut seen = Vec::new();
    for table in TABLES {
        let columns = if server.is_postgres() {
            format!(
                "SELECT column_name || ' ' || data_type || ' ' || udt_name || ' ' || is_nullable || ' '
                   || COALESCE(column_default, '') || ' ' || COALESCE(character_maximum_length, 0) AS line
                 FROM information_schema.columns WHERE table_name = '{table}'
                 UNION ALL
                 SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE conrelid = '{table}'::regclass
                 UNION ALL SELECT row_to_json(t)::text FROM {table} t ORDER BY 1"
            )
        } else {
            format!(
                "SELECT cid || ' ' || name || ' ' || type || ' ' || \"notnull\" || ' ' || pk AS line
                 FROM pragma_table_info('{table}')
                 UNION ALL SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'
                 UNION ALL SELECT 'rows ' || COUNT(*) FROM {table}
                 ORDER BY 1"
            )
        };
        let lines = raw.rows(&columns).await;
        assert!(lines.len() > 3);
        seen.extend(lines.iter().map(|row| format!("{table}: {}", row.try_get::<String>("", "line").unwrap())));
    }
    seen
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::from_store(text.to_owned())
}

#[tokio::test]
async fn an_existing_database_is_taken_over_and_its_tables_stay_as_they_were() {
    for server in Server::both().await {
        let raw = old_database(&server).await;
        let before = old_tables(&server, &raw).await;
        let database = Database::connect(server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        assert_eq!(old_tables(&server, &raw).await, before);
        migrate(&database).await.unwrap();
        assert_eq!(old_tables(&server, &raw).await, before);
    }
}

#[tokio::test]
async fn a_user_of_an_existing_database_logs_in() {
    for server in Server::both().await {
        old_database(&server).await;
        let database = Database::connect(server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        let (users, sessions) =
            (SeaOrmUserStore::new(database.clone(), clock()), SeaOrmSessionStore::new(database, clock()));

        let found = users.find_by_email(&email("ANN@example.com")).await.unwrap().unwrap();
        assert_eq!(found.password_hash.unwrap().expose(), "$pbkdf2-sha256$29000$salt$hash");
        let account = found.account;
        assert_eq!(account.state, UserState::default());
        let user = account.user().clone();
        assert_eq!(
            (user.id.as_str(), user.email.as_str(), user.username.as_str()),
            ("USR_AAAAAAAA", "Ann@Example.com", "Ann")
        );
        assert!(user.is_active && user.email_verified && user.has_role(Role::Buyer) && user.has_role(Role::Seller));
        assert_eq!(user.created_at, Timestamp::from(datetime!(2025-01-02 03:04:05.678 UTC)));
        assert_eq!(user.last_login_at, Some(Timestamp::from(datetime!(2025-03-04 05:06:07.123 UTC))));
        assert_eq!(user.profile_picture.as_deref(), Some("ann.png"));

        let address = account.profile.address.unwrap();
        assert_eq!((address.longitude, address.latitude), (Some(3.5), Some(-6.25)));
        assert_eq!(address.house_number.as_deref(), Some("12"), "the first of several counts");
        let buyer = account.profile.buyer.unwrap();
        assert_eq!((buyer.id, buyer.buyername.as_deref()), (3, Some("first")));
        assert_eq!(buyer.shipping_address, Some(json!({"street": "Main"})));
        assert!(buyer.is_active);
        let seller = account.profile.seller.unwrap();
        assert_eq!(seller.verification_status, VerificationStatus::Suspended);
        assert_eq!(seller.policies, Some(json!({"returns": [1, 2]})));
        assert_eq!(seller.category_ids, [3, 1, 2]);
        assert_eq!((seller.total_rating, seller.total_raters), (9, 2));

        let at = fixtures::now();
        let version = users.record_login(&user.id, network(), at).await.unwrap().unwrap();
        let session = fixtures::session(&user.id);
        assert_eq!(
            sessions.create(&session, version, NO_LIMIT, &[]).await.unwrap(),
            Creation::Created { evicted: vec![] }
        );
        let stored = sessions.find(&session.id).await.unwrap().unwrap();
        assert_eq!((stored.session, stored.user_version), (session, version));
        assert_eq!(users.find(&user.id).await.unwrap().unwrap().user().last_login_at, Some(at));
    }
}

/// `NULL` means what nobody has said: active, not verified, of no role.
#[tokio::test]
async fn rows_with_little_in_them_are_read() {
    for server in Server::both().await {
        old_database(&server).await;
        let database = Database::connect(server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        let users = SeaOrmUserStore::new(database, clock());

        let bob = users.find_by_email(&email("bob@localhost")).await.unwrap().unwrap();
        assert!(bob.password_hash.is_none());
        let profile = bob.account.profile;
        let user = profile.user;
        assert_eq!((user.id.as_str(), user.username.as_str()), ("usr-2", "bob the builder"));
        assert!(user.is_active && !user.email_verified && !user.is_buyer && !user.is_seller);
        assert_eq!((profile.address, profile.buyer), (None, None));
        let seller = profile.seller.unwrap();
        assert_eq!((seller.shop_name, seller.shop_slug, seller.policies), (None, None, None));
        assert_eq!(seller.verification_status, VerificationStatus::Unverified);
        assert_eq!((seller.total_rating, seller.total_raters, seller.is_active), (0, 0, true));
        assert!(seller.category_ids.is_empty());

        let cleo = users.find_by_email(&email("cleo@example.com")).await.unwrap().unwrap().account.profile;
        assert!(!cleo.user.is_active);
        let buyer = cleo.buyer.unwrap();
        assert_eq!((buyer.buyername, buyer.shipping_address, buyer.is_active), (None, None, false));
    }
}

#[tokio::test]
async fn new_users_fit_in_beside_the_old_ones() {
    for server in Server::both().await {
        old_database(&server).await;
        let database = Database::connect(server.url()).await.unwrap();
        migrate(&database).await.unwrap();
        let users = SeaOrmUserStore::new(database, clock());

        let mut shop = fixtures::new_seller().seller.unwrap();
        shop.category_ids = vec![3, 1];
        let new = NewUser { seller: Some(shop), ..fixtures::new_buyer() };
        let seller = users.create(&new).await.unwrap().profile.seller.unwrap();
        assert_eq!(seller.shop_slug.as_deref(), Some("ann-s-shop-2"));
        assert_eq!(seller.category_ids, [3, 1]);

        let same_email = NewUser { email: email("ann@EXAMPLE.com"), ..fixtures::new_buyer() };
        assert!(matches!(users.create(&same_email).await, Err(CreateUserError::EmailTaken)));
        // The old application may have written it in the same case: its own constraint is in the way too then.
        let same_email = NewUser { email: email("Ann@Example.com"), ..fixtures::new_buyer() };
        assert!(matches!(users.create(&same_email).await, Err(CreateUserError::EmailTaken)));
    }
}

/// The tables that this service makes are the ones that it takes over: the application finds what it knows.
#[tokio::test]
async fn new_tables_are_like_the_old_ones() {
    let columns = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || udt_name || ' ' || is_nullable
        || ' ' || COALESCE(column_default, '') || ' ' || COALESCE(character_maximum_length, 0) AS line
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE 'auth%'
          AND column_name NOT IN ('favourite_colour', 'category')
        ORDER BY 1";
    let [_, old] = Server::both().await;
    let raw = old_database(&old).await;
    let old = lines(&raw.rows(columns).await);
    let new = crate::fixture::Fixture::postgres().await;
    let new = lines(&new.server.raw().await.rows(columns).await);
    assert_eq!(new, old);
}

fn lines(rows: &[sea_orm::QueryResult]) -> Vec<String> {
    rows.iter().map(|row| row.try_get("", "line").unwrap()).collect()
}

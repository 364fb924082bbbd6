//! A PostgreSQL database of the benchmark's own.

use std::net::SocketAddr;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use url::Url;

use crate::cli::Error;
use crate::entropy::random;

/// Where `with-stores` says that the server is.
const SERVER: &str = "TEST_DATABASE_URL";

/// Copies a user under other ids, for the numbers `$2` to `$3`. Ids and addresses are those of
/// [`Member`](crate::population::Member).
const COPY_USER: [&str; 3] = [
    "INSERT INTO users (id, email, username, phone_number, password_hash, profile_picture, is_buyer, is_seller,
         is_active, email_verified, last_login_at, created_at, updated_at)
     SELECT 'USR_' || lpad(upper(to_hex(n)), 8, '0'), 'member' || lpad(to_hex(n), 8, '0') || '@markt.example',
         'member' || lpad(to_hex(n), 8, '0'), phone_number, password_hash, profile_picture, is_buyer, is_seller,
         is_active, email_verified, last_login_at, created_at, updated_at
     FROM users, generate_series(0, $2 - 1) AS n WHERE id = $1",
    "INSERT INTO buyers (user_id, buyername, shipping_address, is_active, created_at, updated_at)
     SELECT 'USR_' || lpad(upper(to_hex(n)), 8, '0'), buyername, shipping_address, is_active, created_at, updated_at
     FROM buyers, generate_series(0, $2 - 1) AS n WHERE user_id = $1",
    "INSERT INTO auth_user_states (user_id, session_epoch, version)
     SELECT 'USR_' || lpad(upper(to_hex(n)), 8, '0'), session_epoch, version
     FROM auth_user_states, generate_series(0, $2 - 1) AS n WHERE user_id = $1",
];

/// A database with a name that no other has.
pub(crate) struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    pub(crate) async fn create() -> Result<Self, Error> {
        let server = std::env::var(SERVER)
            .map_err(|_| format!("{SERVER} is not set: run `cargo xtask bench`, or `loadtest --compare`"))?;
        let name = format!("markt_bench_{:016x}", u64::from_be_bytes(random()?));
        execute(&server, &format!(r#"CREATE DATABASE "{name}" TEMPLATE template0"#)).await?;
        let mut url = Url::parse(&server)?;
        url.set_path(&name);
        Ok(Self { server, name, url: url.into() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The server's address: `host:port`.
    pub(crate) fn server_address(&self) -> Result<String, Error> {
        let url = Url::parse(&self.url)?;
        let host = url.host_str().ok_or("PostgreSQL's URL has no host")?;
        Ok(format!("{host}:{}", url.port().unwrap_or(5432)))
    }

    /// How the database is reached by way of this address, which passes on what it gets and must be able to read it.
    pub(crate) fn url_through(&self, address: SocketAddr) -> Result<String, Error> {
        let mut url = Url::parse(&self.url)?;
        url.set_ip_host(address.ip()).map_err(|()| "PostgreSQL's URL takes no address")?;
        url.set_port(Some(address.port())).map_err(|()| "PostgreSQL's URL takes no port")?;
        url.query_pairs_mut().append_pair("sslmode", "disable");
        Ok(url.into())
    }

    /// Makes the first `count` members' users, as copies of this one.
    pub(crate) async fn copy_user(&self, id: &str, count: u32) -> Result<(), Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        for statement in COPY_USER {
            sqlx::query(statement).bind(id).bind(i32::try_from(count)?).execute(&mut connection).await?;
        }
        connection.execute("ANALYZE").await?;
        Ok(connection.close().await?)
    }

    /// Drops it, whoever is still connected.
    pub(crate) async fn drop(self) -> Result<(), Error> {
        execute(&self.server, &format!(r#"DROP DATABASE "{}" WITH (FORCE)"#, self.name)).await
    }
}

async fn execute(server: &str, statement: &str) -> Result<(), Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(statement.to_owned())).await?;
    Ok(connection.close().await?)
}

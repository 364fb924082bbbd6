//! Users, sessions, codes and limits in SQLite or PostgreSQL.
//!
//! One [`Database`] is connected at the start; [`SeaOrmUserStore`], [`SeaOrmSessionStore`], [`SeaOrmCodeStore`],
//! [`SeaOrmRateLimiter`], [`SeaOrmSpentTokens`] and [`SeaOrmAuditTrail`] are handles on it, cheap to clone. Users live in the
//! tables of the Markt application, which are taken over as they are; what is this service's own has the prefix `auth_`
//! (see [`migrate`]).
//!
//! Everything but [`migrate`] is bounded in time: a database that is gone or frozen is *unavailable* within two
//! seconds (five with SQLite, where only a long queue of writers can take that long).

mod audit_trail;
mod code_store;
mod database;
mod entities;
mod errors;
mod facts;
mod invalidations;
mod migrations;
mod rate_limiter;
mod session_store;
mod spent_tokens;
#[cfg(test)]
mod statements;
mod sweeper;
mod time;
mod user_store;

pub use audit_trail::SeaOrmAuditTrail;
pub use code_store::SeaOrmCodeStore;
pub use database::{ConnectError, Database};
pub use facts::{ConnectionFacts, DatabaseFacts};
pub use invalidations::SqliteInvalidations;
pub use migrations::adoption::{AdoptionFacts, HashFacts, TableFacts, UserFacts};
pub use migrations::{MigrateError, migrate, pending_migrations};
pub use rate_limiter::SeaOrmRateLimiter;
pub use session_store::{SeaOrmSessionDirectory, SeaOrmSessionStore};
pub use spent_tokens::SeaOrmSpentTokens;
pub use user_store::SeaOrmUserStore;

//! The adapter over real databases: the contracts of its ports, and what is its own.
//!
//! PostgreSQL is the server that `TEST_DATABASE_URL` names; each test makes a database of its own on it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on says so by a panic"
)]

mod audit;
mod availability;
mod facts;
mod fixture;
mod migrations;
mod sessions;
mod sweeper;
mod takeover;
mod users;
mod writers;

use fixture::{Fixture, SharedFixture};
use markt_test_support::{
    audit_trail_contract, code_store_contract, invalidations_contract, rate_limiter_contract,
    session_directory_contract, session_store_contract, spent_tokens_contract, user_store_contract,
};

user_store_contract!(users_over_sqlite, Fixture::sqlite());
user_store_contract!(users_over_postgres, Fixture::postgres());
session_store_contract!(sessions_over_sqlite, Fixture::sqlite());
session_store_contract!(sessions_over_postgres, Fixture::postgres());
session_directory_contract!(directory_over_sqlite, Fixture::sqlite());
session_directory_contract!(directory_over_postgres, Fixture::postgres());
invalidations_contract!(invalidations_of_sqlite, SharedFixture::sqlite());
code_store_contract!(codes_over_sqlite, Fixture::sqlite());
code_store_contract!(codes_over_postgres, Fixture::postgres());
rate_limiter_contract!(limits_over_sqlite, Fixture::sqlite());
rate_limiter_contract!(limits_over_postgres, Fixture::postgres());
spent_tokens_contract!(spent_tokens_over_sqlite, Fixture::sqlite());
spent_tokens_contract!(spent_tokens_over_postgres, Fixture::postgres());
audit_trail_contract!(audit_trail_over_sqlite, Fixture::sqlite());
audit_trail_contract!(audit_trail_over_postgres, Fixture::postgres());

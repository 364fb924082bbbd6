//! Drives the real wiring over real HTTP, on both deployments: SQLite alone, and Redis with PostgreSQL.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on says so by a panic")]

mod answer;
mod client;
mod clients;
mod conflicts;
mod cross_origin;
mod documented_answers;
mod email_verification;
mod errors;
mod health;
mod logging_in;
mod logging_in_and_out;
mod logging_out;
mod odd_requests;
mod openapi;
mod outages;
mod passwords;
mod persistence;
mod postgres_alone;
mod production;
mod profile;
mod raw;
mod refused_registrations;
mod registration;
mod secrets;
mod server;
mod session_lifetime;
mod setup;
mod shapes;
mod swagger_ui;
mod transports;
mod usernames;

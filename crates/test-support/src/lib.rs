//! What tests need: the stores to run against, a clock that is moved, randomness with a seed, and the contract suites
//! that every adapter of a port must pass.
//!
//! Only ever a dev-dependency. The stores themselves are found or started by `with-stores`, the program in this crate
//! that `cargo xtask test` runs the tests under.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on says so by a panic"
)]

pub mod clock;
pub mod collector;
pub mod contracts;
pub mod entropy;
pub mod fixtures;
pub mod gateway;
pub mod haproxy;
pub mod programs;
pub mod smtp;
pub mod stores;

//! The service as a library: what the binary runs, and what the tests drive whole.

pub mod application;
mod assembly;
mod audit;
pub mod cli;
pub mod config;
mod demo;
mod doctor;
pub mod http;
mod metrics;
mod revocation;
mod serving;
pub mod system;
mod telemetry;
mod token_requests;
mod unique;
pub mod wiring;

//! Measures the service as it is released, in processes of its own, against what it is compared with: plain servers
//! (`bench`), and itself in other modes (`compare`).
//!
//! What is measured, and why as ratios, is told in docs/performance.md and docs/sessions-vs-jwt.md.

#![cfg(target_os = "linux")]

mod answer;
mod bench;
mod cli;
mod compare;
mod database;
mod entropy;
mod figures;
mod http;
mod markdown;
mod population;
mod process;
mod redis;
mod reference;
mod scaling;
mod service;
mod signals;
mod statistics;
mod table;
mod tied;
mod wrk;

pub use cli::main;

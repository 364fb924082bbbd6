//! The words of the trade, the ports and the use cases of markt-auth.
//!
//! Nothing in here knows HTTP, SQL, Redis or a runtime: stores, mail, time and randomness come in through
//! [`ports`], and what the service does with them stands in [`use_cases`], one file each.

pub mod accounts;
pub mod admission;
pub mod audit;
pub mod binding;
pub mod breaker;
pub mod bulkhead;
pub mod client;
pub mod code;
pub mod credentials;
pub mod digest;
pub mod ports;
pub mod role;
pub mod selector;
pub mod session;
pub mod session_event;
pub mod store_guard;
pub mod timestamp;
pub mod tokens;
pub mod trace;
pub mod use_cases;
pub mod user;

pub use timestamp::Timestamp;

//! One suite for each port, for every adapter of it.
//!
//! A suite is a module of `async fn`s, one a promise, whose names are sentences, and a macro that makes a test of each
//! for one adapter. Where the servers under an adapter take long to start, `in_turn` as its last argument makes one test
//! of all of them.

pub mod audit_trail;
pub mod code_store;
pub mod invalidations;
pub mod rate_limiter;
pub mod session_directory;
pub mod session_store;
pub mod spent_tokens;
pub mod token_signer;
pub mod user_store;

/// Makes a test of each of a suite's promises; the suites' own macros call it.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($suite:ident, $name:ident, $make:expr, [$($promise:ident),* $(,)?]) => {
        mod $name {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $promise() {
                    let fixture = $make.await;
                    $crate::contracts::$suite::$promise(&fixture).await;
                }
            )*
        }
    };
    ($suite:ident, $name:ident, $make:expr, [$($promise:ident),* $(,)?], in_turn) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            let fixture = $make.await;
            $(
                println!("{}", stringify!($promise));
                $crate::contracts::$suite::$promise(&fixture).await;
            )*
        }
    };
}

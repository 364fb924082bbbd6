//! Sessions in memory, over a real Redis and a real SQLite.

mod fixture;
mod held_back;
mod invalidation;
mod loads;
mod memory;
mod touches;

use fixture::Near;
use markt_test_support::session_store_contract;

session_store_contract!(over_redis, Near::over_redis());
session_store_contract!(over_sqlite, Near::over_sqlite());

/// Makes a test of each function for each store that sessions can be held over.
macro_rules! over_both {
    ($($name:ident),+ $(,)?) => {
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::near_cache::fixture::Near::over_redis().await).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::near_cache::fixture::Near::over_sqlite().await).await;
            })+
        }
    };
}

pub(crate) use over_both;

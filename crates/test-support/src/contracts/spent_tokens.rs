//! What every [`SpentTokens`] promises.
//!
//! ```ignore
//! spent_tokens_contract!(over_sqlite, SqliteFixture::start());
//! ```

use std::sync::Arc;
use std::time::Duration;

use markt_domain::digest::Digest;
use markt_domain::ports::entropy::Entropy as _;
use markt_domain::ports::spent_tokens::SpentTokens;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::entropy::MachineEntropy;
use crate::fixtures;

/// A store to be tested. What must stay alive for it to work (a temporary database) is held by the fixture.
pub trait SpentTokensFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn SpentTokens>;
}

type Fixture<'a> = &'a dyn SpentTokensFixture;

/// Makes a test of each promise of a store of spent tokens: `spent_tokens_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::spent_tokens`](crate::contracts::spent_tokens).
#[macro_export]
macro_rules! spent_tokens_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { spent_tokens, $name, $make, [
            a_token_is_spent_once,
            tokens_keep_apart,
            of_many_at_once_one_spends_a_token,
        ] }
    };
}

fn token() -> Digest {
    let mut bytes = [0; 32];
    MachineEntropy.fill(&mut bytes);
    Digest::from_bytes(bytes)
}

/// However long that is remembered.
pub async fn a_token_is_spent_once(fixture: Fixture<'_>) {
    let (token, until) = (token(), fixtures::now().plus(Duration::from_secs(60)));
    assert!(!fixture.store().is_spent(&token).await.unwrap());
    assert!(fixture.store().spend(&token, until).await.unwrap());
    assert!(fixture.store().is_spent(&token).await.unwrap());
    assert!(!fixture.store().spend(&token, until).await.unwrap());
    assert!(!fixture.store().spend(&token, until.plus(Duration::from_secs(60))).await.unwrap());
}

/// One spent leaves the others good.
pub async fn tokens_keep_apart(fixture: Fixture<'_>) {
    let until = fixtures::now().plus(Duration::from_secs(60));
    for token in [token(), token(), token()] {
        assert!(!fixture.store().is_spent(&token).await.unwrap());
        assert!(fixture.store().spend(&token, until).await.unwrap());
    }
}

/// Two tabs, two nodes.
pub async fn of_many_at_once_one_spends_a_token(fixture: Fixture<'_>) {
    const CALLERS: usize = 16;
    for _ in 0..10 {
        let (token, until) = (token(), fixtures::now().plus(Duration::from_secs(60)));
        let (barrier, mut callers) = (Arc::new(Barrier::new(CALLERS)), JoinSet::new());
        for _ in 0..CALLERS {
            let (barrier, store) = (Arc::clone(&barrier), fixture.store());
            callers.spawn(async move {
                barrier.wait().await;
                store.spend(&token, until).await.unwrap()
            });
        }
        assert_eq!(callers.join_all().await.into_iter().filter(|spent| *spent).count(), 1);
    }
}

//! What every [`CodeStore`] promises.
//!
//! ```ignore
//! code_store_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_redis`, in the way of
//! [`session_store`](crate::contracts::session_store).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::Timestamp;
use markt_domain::code::{CODE_LIFETIME, CODE_TRIES, CodePurpose};
use markt_domain::credentials::PasswordHash;
use markt_domain::ports::code_store::{CodeStore, StoredCode};
use markt_domain::user::UserId;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixtures;

/// There is one so far. With a second, add a promise that codes of different purposes keep apart.
const PURPOSE: CodePurpose = CodePurpose::VerifyEmail;

/// A store to be tested. What must stay alive for it to work (a temporary database) is held by the fixture, and goes
/// with it.
#[async_trait]
pub trait CodeStoreFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn CodeStore>;

    /// A new user that codes can be kept for.
    async fn new_user(&self) -> UserId;
}

/// Makes a test of each promise of a code store: `code_store_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::code_store`](crate::contracts::code_store).
#[macro_export]
macro_rules! code_store_contract {
    ($name:ident, $make:expr $(, $how:ident)?) => {
        $crate::contract_tests! { code_store, $name, $make, [
            without_a_code_there_is_nothing_to_try_or_redeem,
            a_code_can_be_tried_as_often_as_it_says,
            the_hash_comes_back_as_it_was_put,
            a_new_code_takes_the_old_ones_place,
            a_used_up_code_can_be_replaced,
            a_code_is_void_from_its_expiry_on,
            a_code_that_is_void_already_takes_the_old_ones_place_too,
            a_code_is_redeemed_once,
            the_wrong_hash_redeems_nothing_and_costs_nothing,
            the_last_try_can_be_redeemed,
            a_redeemed_code_can_be_replaced,
            codes_of_different_users_keep_apart,
            of_many_callers_no_more_get_a_try_than_there_are,
            of_many_callers_one_redeems_the_code,
        ] $(, $how)? }
    };
}

type Fixture<'a> = &'a dyn CodeStoreFixture;

/// Not found is no error.
pub async fn without_a_code_there_is_nothing_to_try_or_redeem(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    assert_eq!(take_try(fixture, &user).await, None);
    assert!(!redeem(fixture, &user, &hash(1)).await);
}

/// And not once more.
pub async fn a_code_can_be_tried_as_often_as_it_says(fixture: Fixture<'_>) {
    for tries in [1, 2, CODE_TRIES] {
        let user = fixture.new_user().await;
        put(fixture, &user, &StoredCode { tries_left: tries, ..code(1) }).await;
        for _ in 0..tries {
            assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
        }
        for _ in 0..3 {
            assert_eq!(take_try(fixture, &user).await, None);
        }
    }
    let user = fixture.new_user().await;
    put(fixture, &user, &StoredCode { tries_left: 0, ..code(1) }).await;
    assert_eq!(take_try(fixture, &user).await, None);
}

/// Whatever is in it.
pub async fn the_hash_comes_back_as_it_was_put(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    let long = "$pbkdf2-sha256$29000$".to_owned() + &"aB./".repeat(30);
    for text in ["$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA", "\"\\ é", "1", &long] {
        let hash = PasswordHash::new(text.to_owned());
        put(fixture, &user, &StoredCode { hash: hash.clone(), ..code(1) }).await;
        assert_eq!(take_try(fixture, &user).await, Some(hash.clone()));
        assert!(redeem(fixture, &user, &hash).await);
    }
}

/// With all its tries, and the old one is worth nothing any more.
pub async fn a_new_code_takes_the_old_ones_place(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &code(1)).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
    let later = StoredCode { expires_at: code(2).expires_at.plus(CODE_LIFETIME), ..code(2) };
    put(fixture, &user, &later).await;
    assert!(!redeem(fixture, &user, &hash(1)).await);
    let after_the_first = code(1).expires_at.plus(Duration::from_secs(1));
    for _ in 0..CODE_TRIES {
        assert_eq!(take_try_at(fixture, &user, after_the_first).await, Some(hash(2)));
    }
    assert_eq!(take_try_at(fixture, &user, after_the_first).await, None);
}

/// The user asks for another.
pub async fn a_used_up_code_can_be_replaced(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &StoredCode { tries_left: 1, ..code(1) }).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
    assert_eq!(take_try(fixture, &user).await, None);
    put(fixture, &user, &code(2)).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(2)));
}

/// By the caller's clock.
pub async fn a_code_is_void_from_its_expiry_on(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    let code = code(1);
    put(fixture, &user, &code).await;
    let expiry = code.expires_at.unix_milliseconds();
    let just_before = Timestamp::from_unix_milliseconds(expiry - 1);
    assert_eq!(take_try_at(fixture, &user, just_before).await, Some(hash(1)));
    assert_eq!(take_try_at(fixture, &user, code.expires_at).await, None);
    let next_day = code.expires_at.plus(Duration::from_secs(24 * 3600));
    assert_eq!(take_try_at(fixture, &user, next_day).await, None);
}

/// The one before must not be found in its stead.
pub async fn a_code_that_is_void_already_takes_the_old_ones_place_too(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    let now = fixtures::now();
    let long_ago = Timestamp::from_unix_milliseconds(now.unix_milliseconds() - 3_600_000);
    for expires_at in [now, long_ago] {
        put(fixture, &user, &code(1)).await;
        put(fixture, &user, &StoredCode { expires_at, ..code(2) }).await;
        assert_eq!(take_try(fixture, &user).await, None);
        assert!(!redeem(fixture, &user, &hash(1)).await);
    }
}

/// One use.
pub async fn a_code_is_redeemed_once(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &code(1)).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
    assert!(redeem(fixture, &user, &hash(1)).await);
    assert!(!redeem(fixture, &user, &hash(1)).await);
    assert_eq!(take_try(fixture, &user).await, None);
}

/// The code is still there, with all its tries.
pub async fn the_wrong_hash_redeems_nothing_and_costs_nothing(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &code(1)).await;
    let empty = PasswordHash::new(String::new());
    for wrong in [hash(2), empty] {
        assert!(!redeem(fixture, &user, &wrong).await);
    }
    for _ in 0..CODE_TRIES {
        assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
    }
}

/// The try is taken before the code is checked, and the code redeemed after.
pub async fn the_last_try_can_be_redeemed(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &StoredCode { tries_left: 1, ..code(1) }).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(1)));
    assert!(redeem(fixture, &user, &hash(1)).await);
}

/// Nothing of the old one is left to be in the way.
pub async fn a_redeemed_code_can_be_replaced(fixture: Fixture<'_>) {
    let user = fixture.new_user().await;
    put(fixture, &user, &code(1)).await;
    assert!(redeem(fixture, &user, &hash(1)).await);
    put(fixture, &user, &code(2)).await;
    assert_eq!(take_try(fixture, &user).await, Some(hash(2)));
    assert!(redeem(fixture, &user, &hash(2)).await);
}

/// One user's tries, and uses, are not another's.
pub async fn codes_of_different_users_keep_apart(fixture: Fixture<'_>) {
    let (ann, bob) = (fixture.new_user().await, fixture.new_user().await);
    put(fixture, &ann, &StoredCode { tries_left: 1, ..code(1) }).await;
    assert_eq!(take_try(fixture, &bob).await, None);
    put(fixture, &bob, &StoredCode { tries_left: 1, ..code(2) }).await;
    assert_eq!(take_try(fixture, &ann).await, Some(hash(1)));
    assert_eq!(take_try(fixture, &bob).await, Some(hash(2)));
    assert!(!redeem(fixture, &bob, &hash(1)).await);
    assert!(redeem(fixture, &ann, &hash(1)).await);
    assert!(redeem(fixture, &bob, &hash(2)).await);
}

/// Guessing in parallel is no way around the limit.
pub async fn of_many_callers_no_more_get_a_try_than_there_are(fixture: Fixture<'_>) {
    for _ in 0..10 {
        let user = fixture.new_user().await;
        put(fixture, &user, &code(1)).await;
        let tries = at_once(50, || {
            let (store, user) = (fixture.store(), user.clone());
            async move { store.take_try(&user, PURPOSE, fixtures::now()).await.unwrap() }
        });
        let got: Vec<_> = tries.await.into_iter().flatten().collect();
        assert_eq!(got, vec![hash(1); usize::try_from(CODE_TRIES).unwrap()]);
        assert_eq!(take_try(fixture, &user).await, None);
    }
}

/// Of those that checked the same code at once, one gets what it is good for.
pub async fn of_many_callers_one_redeems_the_code(fixture: Fixture<'_>) {
    for _ in 0..10 {
        let user = fixture.new_user().await;
        put(fixture, &user, &code(1)).await;
        let uses = at_once(50, || {
            let (store, user) = (fixture.store(), user.clone());
            async move { store.redeem(&user, PURPOSE, &hash(1)).await.unwrap() }
        });
        assert_eq!(uses.await.into_iter().filter(|redeemed| *redeemed).count(), 1);
    }
}

fn hash(number: u32) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA{number}"))
}

fn code(number: u32) -> StoredCode {
    StoredCode { hash: hash(number), expires_at: fixtures::now().plus(CODE_LIFETIME), tries_left: CODE_TRIES }
}

async fn put(fixture: Fixture<'_>, user: &UserId, code: &StoredCode) {
    fixture.store().put(user, PURPOSE, code).await.unwrap();
}

async fn take_try(fixture: Fixture<'_>, user: &UserId) -> Option<PasswordHash> {
    take_try_at(fixture, user, fixtures::now()).await
}

async fn take_try_at(fixture: Fixture<'_>, user: &UserId, now: Timestamp) -> Option<PasswordHash> {
    fixture.store().take_try(user, PURPOSE, now).await.unwrap()
}

async fn redeem(fixture: Fixture<'_>, user: &UserId, hash: &PasswordHash) -> bool {
    fixture.store().redeem(user, PURPOSE, hash).await.unwrap()
}

/// What so many calls return that are all let go in the same moment.
async fn at_once<C, F>(count: usize, call: C) -> Vec<F::Output>
where
    C: Fn() -> F,
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (start, call) = (Arc::clone(&start), call());
        tasks.spawn(async move {
            start.wait().await;
            call.await
        });
    }
    tasks.join_all().await
}

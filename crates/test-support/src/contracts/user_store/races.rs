//! What holds however many callers there are at once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use markt_domain::ports::user_store::{AccountError, CreateUserError};
use markt_domain::role::Role;
use markt_domain::user::{Account, NewUser};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::support::{
    Fixture, case_by, create, find, hash, hash_of, network, session_family, slug_of, sorted, with_email, with_shop,
    with_username,
};
use crate::fixtures;

/// However they write it.
pub async fn of_many_users_with_one_address_one_is_made(fixture: Fixture<'_>) {
    for _ in 0..5 {
        let address = fixtures::new_buyer().email;
        let users = racers(|number| with_email(&case_by(number, &address)));
        let results = create_at_once(fixture, &users).await;
        assert_one_made(&results, |error| matches!(error, CreateUserError::EmailTaken));
        assert_losers_absent(fixture, &users, &results).await;
    }
}

/// However they write it.
pub async fn of_many_users_with_one_username_one_is_made(fixture: Fixture<'_>) {
    for round in 0..5 {
        let users = racers(|number| {
            let text = format!("racing_{round}");
            with_username(&if number % 2 == 0 { text } else { text.to_uppercase() })
        });
        let results = create_at_once(fixture, &users).await;
        assert_one_made(&results, |error| matches!(error, CreateUserError::UsernameTaken));
        for (user, result) in users.iter().zip(&results) {
            let found = fixture.store().find_by_email(&user.email).await.unwrap();
            assert_eq!(found.is_some(), result.is_ok());
        }
    }
}

/// Ids are drawn: it is unlikely, not impossible.
pub async fn of_many_users_with_one_id_one_is_made(fixture: Fixture<'_>) {
    let id = fixtures::user_id();
    let users = racers(|_| NewUser { id: id.clone(), ..fixtures::new_buyer() });
    let results = create_at_once(fixture, &users).await;
    assert_one_made(&results, |error| matches!(error, CreateUserError::IdTaken));
    for (user, result) in users.iter().zip(&results) {
        let found = fixture.store().find_by_email(&user.email).await.unwrap();
        assert_eq!(found.is_some(), result.is_ok());
    }
}

/// Each with a slug of its own: a shop's name is nobody's property.
pub async fn of_many_shops_with_one_name_all_are_made(fixture: Fixture<'_>) {
    for name in ["Race", "日本語"] {
        let users = racers(|_| with_shop(name));
        let results = create_at_once(fixture, &users).await;
        let slugs: HashSet<_> = results.iter().map(|result| slug_of(result.as_ref().unwrap())).collect();
        assert_eq!(slugs.len(), users.len());
    }
}

/// The others see that it is another by now.
pub async fn of_many_replacements_of_one_hash_one_happens(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(0), ..fixtures::new_buyer() };
    let before = create(fixture, &new).await.state.version;
    let replaced = at_once(20, |number| {
        let (store, id) = (fixture.store(), new.id.clone());
        async move { store.replace_password_hash(&id, &hash(0), &hash(number + 1)).await.unwrap() }
    })
    .await;
    assert_eq!(replaced.iter().filter(|replaced| **replaced).count(), 1);
    let winner = replaced.iter().position(|replaced| *replaced).unwrap();
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(winner + 1)));
    assert_eq!(find(fixture, &new.id).await.state.version.0, before.0 + 1);
}

/// The others see that it is there already.
pub async fn of_many_accounts_of_one_user_one_is_made(fixture: Fixture<'_>) {
    let (buyer, seller) = (fixtures::new_buyer(), fixtures::new_seller());
    for (new, role) in [(&seller, Role::Buyer), (&buyer, Role::Seller)] {
        let before = create(fixture, new).await.state.version.0;
        let results = at_once(RACERS, |_| {
            let (store, id, at) = (fixture.store(), new.id.clone(), fixtures::now());
            let (buyer, seller) = (buyer.buyer.clone().unwrap(), seller.seller.clone().unwrap());
            async move {
                match role {
                    Role::Buyer => store.create_buyer(&id, &buyer, at).await,
                    Role::Seller => store.create_seller(&id, &seller, at).await,
                }
            }
        })
        .await;
        let made: Vec<_> = results.iter().flatten().collect();
        assert_eq!(made.len(), 1, "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(error, AccountError::Exists), "{error:?}");
        }
        let account = find(fixture, &new.id).await;
        assert_eq!((account.state.version.0, made[0].0), (before + 1, before + 1));
        assert!(account.user().has_role(role));
    }
}

/// The others see that it is another by now.
pub async fn of_many_changes_of_one_password_one_happens(fixture: Fixture<'_>) {
    let new = NewUser { password_hash: hash(0), ..fixtures::new_buyer() };
    let before = create(fixture, &new).await.state;
    let sessions: Vec<_> = (0..RACERS).map(|_| session_family()).collect();
    let states = at_once(RACERS, |number| {
        let (store, id, mine) = (fixture.store(), new.id.clone(), sessions[number]);
        async move { store.change_password(&id, &hash(0), &hash(number + 1), mine, fixtures::now()).await.unwrap() }
    })
    .await;
    let winner = states.iter().position(Option::is_some).expect("one that happened");
    assert_eq!(states.iter().flatten().count(), 1);
    assert_eq!(hash_of(fixture, &new.email).await, Some(hash(winner + 1)));
    let state = find(fixture, &new.id).await.state;
    assert_eq!((state.epoch.0, state.kept), (before.epoch.0 + 1, Some(sessions[winner])));
}

/// Two changes that come out with the same version would hide one of them from the caches.
pub async fn concurrent_changes_lose_no_version(fixture: Fixture<'_>) {
    const CHANGES: usize = 48;
    let new = fixtures::new_buyer();
    let before = create(fixture, &new).await.state.version.0;
    let versions = at_once(CHANGES, |number| {
        let (store, id) = (fixture.store(), new.id.clone());
        async move {
            match number % 3 {
                0 => store.record_login(&id, network(1), fixtures::now()).await.unwrap().unwrap().0,
                1 => store.mark_email_verified(&id, fixtures::now()).await.unwrap().unwrap().0,
                _ => store.begin_session_epoch(&id, None).await.unwrap().version.0,
            }
        }
    })
    .await;
    let after = before + i64::try_from(CHANGES).unwrap();
    assert_eq!(sorted(versions), (before + 1..=after).collect::<Vec<_>>());
    let state = find(fixture, &new.id).await.state;
    assert_eq!(state.version.0, after);
    assert_eq!(state.epoch.0, i64::try_from(CHANGES / 3).unwrap());
}

/// From networks that are known, that are forgotten just then, and that are new.
pub async fn of_many_logins_from_here_and_there_none_is_lost(fixture: Fixture<'_>) {
    const LOGINS: usize = 60;
    let new = fixtures::new_buyer();
    let before = create(fixture, &new).await.state.version.0;
    let versions = at_once(LOGINS, |number| {
        let (store, id) = (fixture.store(), new.id.clone());
        let from = network(u8::try_from(number % 15).unwrap());
        let at = new.created_at.plus(Duration::from_secs(number.try_into().unwrap()));
        async move { store.record_login(&id, from, at).await.unwrap().unwrap().0 }
    })
    .await;
    let after = before + i64::try_from(LOGINS).unwrap();
    assert_eq!(sorted(versions), (before + 1..=after).collect::<Vec<_>>());
    assert_eq!(find(fixture, &new.id).await.state.version.0, after);
}

/// Two that are the same would leave the sessions between them alive.
pub async fn concurrent_epochs_are_all_different(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let before = create(fixture, &new).await.state.epoch.0;
    let epochs = at_once(20, |_| {
        let (store, id) = (fixture.store(), new.id.clone());
        async move { store.begin_session_epoch(&id, None).await.unwrap().epoch.0 }
    })
    .await;
    assert_eq!(sorted(epochs), (before + 1..=before + 20).collect::<Vec<_>>());
}

const RACERS: usize = 20;

fn racers(user: impl Fn(usize) -> NewUser) -> Vec<NewUser> {
    (0..RACERS).map(user).collect()
}

type Creation = Result<Account, CreateUserError>;

async fn create_at_once(fixture: Fixture<'_>, users: &[NewUser]) -> Vec<Creation> {
    at_once(users.len(), |number| {
        let (store, user) = (fixture.store(), users[number].clone());
        async move { store.create(&user).await }
    })
    .await
}

fn assert_one_made(results: &[Creation], expected: impl Fn(&CreateUserError) -> bool) {
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(expected(error), "{error:?}");
    }
}

async fn assert_losers_absent(fixture: Fixture<'_>, users: &[NewUser], results: &[Creation]) {
    for (user, result) in users.iter().zip(results) {
        let found = fixture.store().find(&user.id).await.unwrap();
        assert_eq!(found.as_ref(), result.as_ref().ok());
        let taken = fixture.store().is_username_taken(&user.username).await.unwrap();
        assert_eq!(taken, result.is_ok(), "a loser's username must stay free");
    }
}

/// What so many calls return, in their order, that are all let go in the same moment.
async fn at_once<C, F>(count: usize, call: C) -> Vec<F::Output>
where
    C: Fn(usize) -> F,
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (start, call) = (Arc::clone(&start), call(number));
        tasks.spawn(async move {
            start.wait().await;
            (number, call.await)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

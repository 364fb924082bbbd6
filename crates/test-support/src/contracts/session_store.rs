//! What every [`SessionStore`] promises.
//!
//! ```ignore
//! session_store_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_redis`. The second argument is an expression that yields a future of
//! a [`SessionStoreFixture`]; it names what is in scope where the macro stands, and is evaluated anew for each test.
//! The tests run side by side: what they share (a Redis, a database) they use with users and sessions of their own.
//! The calling crate needs `tokio`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use markt_domain::client::Client;
use markt_domain::ports::session_store::{Creation, SessionStore, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionId, Transport};
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::fixtures;

/// A store to be tested, and what writes its users' counters.
///
/// The counters of a user belong to the user store; a session store is told of them. The fixture plays the user
/// store's part: it counts, and the suite tells the session store. An adapter that keeps sessions beside the users
/// (SQL) drives its real user store here; for any other, [`UserCounters`] will do. What must stay alive for the store
/// to work (a temporary database) is held by the fixture, and goes with it.
#[async_trait]
pub trait SessionStoreFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn SessionStore>;

    /// A new user that sessions can be made for, and the user's counters, whatever they begin with.
    async fn new_user(&self) -> (UserId, UserState);

    /// Begins a new session epoch in the place where the user's counters are kept (`begin_session_epoch`), and returns
    /// the counters after it. Doesn't tell the session store.
    async fn begin_epoch(&self, user: &UserId) -> UserState;

    /// Changes the user in the place where users are kept (`record_login`, say), and returns the version after it.
    /// Doesn't tell the session store.
    async fn change_user(&self, user: &UserId) -> UserVersion;
}

/// Makes a test of each promise of a session store: `session_store_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::session_store`](crate::contracts::session_store).
#[macro_export]
macro_rules! session_store_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { session_store, $name, $make, [
            a_created_session_is_found_whole,
            every_kind_of_session_is_found_as_it_was_created,
            an_unknown_session_is_not_found,
            a_created_session_brings_its_users_version,
            a_taken_id_is_refused_and_the_session_with_it_left_alone,
            an_id_is_taken_for_other_users_too,
            a_session_that_has_ended_already_is_created_without_ado_and_never_comes_alive,
            a_deleted_session_is_gone,
            what_is_not_there_cant_be_deleted,
            a_deleted_sessions_id_is_free_again,
            deleting_a_session_leaves_the_others,
            ending_an_epoch_ends_all_the_users_sessions_of_before_and_counts_them,
            ending_an_epoch_of_a_user_without_sessions_ends_none,
            ending_an_epoch_leaves_other_users_sessions,
            ending_an_epoch_leaves_the_sessions_of_the_new_one,
            an_epoch_ended_twice_is_ended_once,
            a_session_of_an_ended_epoch_cant_be_created,
            an_earlier_epochs_end_that_is_told_late_ends_nothing_more_and_forgives_nothing,
            ending_an_epoch_brings_the_users_version_with_it,
            no_session_created_while_its_epoch_ends_survives_it,
            of_many_creations_of_one_id_one_succeeds,
            a_change_of_the_user_shows_in_all_the_users_sessions,
            a_change_of_the_user_shows_in_sessions_created_later_with_an_older_copy,
            a_change_of_the_user_that_is_told_late_takes_nothing_back,
            a_change_of_the_user_leaves_sessions_of_others,
            a_change_of_the_user_changes_nothing_else_and_revives_nothing,
            a_change_of_the_user_shows_in_sessions_created_meanwhile,
            concurrent_creations_and_deletions_lose_no_session,
        ] }
    };
}

type Fixture<'a> = &'a dyn SessionStoreFixture;

/// A session as it began: found with the same fields, and the version of its user.
pub async fn a_created_session_is_found_whole(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    let found = find(fixture, &session.id).await.expect("the session that was just created");
    assert_eq!(found, StoredSession { session, user_version: state.version });
}

/// Odd addresses and user agents, each role, transport and kind of remembrance, times with and without milliseconds.
pub async fn every_kind_of_session_is_found_as_it_was_created(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let addresses = ["0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::8a2e:370:7334"];
    let user_agents = [
        "",
        " ",
        "\"",
        "\\",
        "\\\"}",
        "a\\u0000b</script>%s{}$1\u{2028}",
        "Pi\u{f1}a 日本語 🦀 \u{202e}tfel",
        "\",\"user_version\":9}",
        "\"epoch\":9,\"user_version\":9}",
        &"x".repeat(255),
        &"é".repeat(127),
    ];
    let session = session_of(&user, state);
    let mut kinds = Vec::new();
    for address in addresses {
        let client = Client::new(address.parse().unwrap(), "curl/8.5.0");
        kinds.push(Session { client, ..session.clone() });
    }
    for user_agent in user_agents {
        let client = Client::new(session.client.ip_address, user_agent);
        assert_eq!(client.user_agent, user_agent, "the suite must not test what clients can't be");
        kinds.push(Session { client, ..session.clone() });
    }
    for current_role in [Role::Buyer, Role::Seller] {
        for transport in [Transport::Cookie, Transport::Bearer] {
            for remember in [false, true] {
                kinds.push(Session { current_role, transport, remember, ..session.clone() });
            }
        }
    }
    // Each time is told from the others, to the millisecond.
    for odd in [0, 1, 10, 999] {
        let now = session.created_at;
        let later = |seconds: u64| now.plus(Duration::from_millis(seconds * 1000 + odd));
        kinds.push(Session {
            created_at: later(0),
            authenticated_at: later(1),
            last_activity: later(2),
            idle_expires_at: later(3000),
            expires_at: later(4000),
            ..session.clone()
        });
        kinds.push(Session { idle_expires_at: later(4000), expires_at: later(3000), ..session.clone() });
    }
    for kind in kinds {
        let session = Session { id: session_of(&user, state).id, ..kind };
        create(fixture, &session, state.version).await;
        let found = find(fixture, &session.id).await.expect("the session that was just created");
        assert_eq!(found.session, session);
    }
}

/// Not found is no error.
pub async fn an_unknown_session_is_not_found(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    assert_eq!(find(fixture, &session_of(&user, state).id).await, None);
}

/// The version that the user was read with, not some other.
pub async fn a_created_session_brings_its_users_version(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    for _ in 0..12 {
        let version = fixture.change_user(&user).await;
        let session = session_of(&user, state);
        create(fixture, &session, version).await;
        assert_eq!(version_of(fixture, &session.id).await, version);
    }
}

/// `create` never overwrites.
pub async fn a_taken_id_is_refused_and_the_session_with_it_left_alone(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    let before = find(fixture, &session.id).await;
    let intruder = Session {
        current_role: Role::Seller,
        transport: Transport::Bearer,
        remember: false,
        expires_at: session.expires_at.plus(Duration::from_secs(60)),
        client: Client::new("2001:db8::1".parse().unwrap(), "intruder"),
        ..session.clone()
    };
    for other in [&session, &intruder] {
        let creation = fixture.store().create(other, state.version).await.unwrap();
        assert_eq!(creation, Creation::IdTaken);
        assert_eq!(find(fixture, &session.id).await, before);
    }
}

/// Nor does the attempt count among the other user's sessions.
pub async fn an_id_is_taken_for_other_users_too(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let session = session_of(&ann, anns_state);
    create(fixture, &session, anns_state.version).await;
    let bobs = Session { id: session.id, ..session_of(&bob, bobs_state) };
    let creation = fixture.store().create(&bobs, bobs_state.version).await.unwrap();
    assert_eq!(creation, Creation::IdTaken);
    assert_eq!(end_epoch(fixture, &bob).await.1, 0);
    assert_eq!(find(fixture, &session.id).await.unwrap().session, session);
    assert_eq!(end_epoch(fixture, &ann).await.1, 1);
}

/// A session may have ended by the time that it gets to the store.
pub async fn a_session_that_has_ended_already_is_created_without_ado_and_never_comes_alive(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let now = fixtures::now();
    for ago in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(40 * 24 * 3600)] {
        let then = markt_domain::Timestamp::from_unix_milliseconds(
            now.unix_milliseconds() - i64::try_from(ago.as_millis()).unwrap(),
        );
        let idle = Session { idle_expires_at: then, ..session_of(&user, state) };
        let old = Session { expires_at: then, ..session_of(&user, state) };
        for session in [idle, old] {
            create(fixture, &session, state.version).await;
            let found = find(fixture, &session.id).await;
            assert!(found.is_none_or(|found| found.session.is_expired(now)));
        }
    }
}

/// And stays gone.
pub async fn a_deleted_session_is_gone(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert!(fixture.store().delete(&session.id).await.unwrap());
    assert_eq!(find(fixture, &session.id).await, None);
    assert_eq!(end_epoch(fixture, &user).await.1, 0, "it must not count among the user's any more");
}

/// Neither what never was nor what was deleted before.
pub async fn what_is_not_there_cant_be_deleted(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    assert!(!fixture.store().delete(&session.id).await.unwrap());
    create(fixture, &session, state.version).await;
    assert!(fixture.store().delete(&session.id).await.unwrap());
    assert!(!fixture.store().delete(&session.id).await.unwrap());
}

/// Nothing of the old session is left to be in the way of a new one.
pub async fn a_deleted_sessions_id_is_free_again(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let session = session_of(&ann, anns_state);
    create(fixture, &session, anns_state.version).await;
    assert!(fixture.store().delete(&session.id).await.unwrap());
    let bobs = Session { id: session.id, ..session_of(&bob, bobs_state) };
    create(fixture, &bobs, bobs_state.version).await;
    assert_eq!(end_epoch(fixture, &ann).await.1, 0);
    assert_eq!(find(fixture, &bobs.id).await.unwrap().session, bobs);
}

/// Of the same user and of others.
pub async fn deleting_a_session_leaves_the_others(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let gone = session_of(&ann, anns_state);
    let (anns, bobs) = (session_of(&ann, anns_state), session_of(&bob, bobs_state));
    create(fixture, &gone, anns_state.version).await;
    create(fixture, &anns, anns_state.version).await;
    create(fixture, &bobs, bobs_state.version).await;
    assert!(fixture.store().delete(&gone.id).await.unwrap());
    assert_eq!(find(fixture, &anns.id).await.unwrap().session, anns);
    assert_eq!(find(fixture, &bobs.id).await.unwrap().session, bobs);
}

/// All of them, however many.
pub async fn ending_an_epoch_ends_all_the_users_sessions_of_before_and_counts_them(fixture: Fixture<'_>) {
    for count in [1, 2, 130] {
        let (user, state) = fixture.new_user().await;
        let sessions = create_many(fixture, &user, state, count).await;
        let (_, ended) = end_epoch(fixture, &user).await;
        assert_eq!(ended, u64::try_from(count).unwrap());
        for id in sessions {
            assert_eq!(find(fixture, &id).await, None);
            assert!(!fixture.store().delete(&id).await.unwrap());
        }
    }
}

/// Nothing to end is no error.
pub async fn ending_an_epoch_of_a_user_without_sessions_ends_none(fixture: Fixture<'_>) {
    let (user, _) = fixture.new_user().await;
    assert_eq!(end_epoch(fixture, &user).await.1, 0);
}

/// One user's logging out everywhere is nobody else's.
pub async fn ending_an_epoch_leaves_other_users_sessions(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    create_many(fixture, &ann, anns_state, 2).await;
    let bobs = create_many(fixture, &bob, bobs_state, 2).await;
    assert_eq!(end_epoch(fixture, &ann).await.1, 2);
    for id in bobs {
        assert!(find(fixture, &id).await.is_some());
    }
}

/// What the user began after it lives on, told early or late.
pub async fn ending_an_epoch_leaves_the_sessions_of_the_new_one(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let old = create_many(fixture, &user, state, 2).await;
    let state = fixture.begin_epoch(&user).await;
    let early = session_of(&user, state);
    create(fixture, &early, state.version).await;
    assert_eq!(fixture.store().delete_before_epoch(&user, state).await.unwrap(), 2);
    let late = session_of(&user, state);
    create(fixture, &late, state.version).await;
    for id in old {
        assert_eq!(find(fixture, &id).await, None);
    }
    for session in [early, late] {
        assert_eq!(find(fixture, &session.id).await.unwrap().session, session);
    }
    assert_eq!(end_epoch(fixture, &user).await.1, 2);
}

/// As when a caller tries again whose first try seemed to fail.
pub async fn an_epoch_ended_twice_is_ended_once(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    create_many(fixture, &user, state, 3).await;
    let (state, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, 3);
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert_eq!(fixture.store().delete_before_epoch(&user, state).await.unwrap(), 0);
    assert!(find(fixture, &session.id).await.is_some());
}

/// A login that was under way when the user logged out everywhere comes to nothing.
pub async fn a_session_of_an_ended_epoch_cant_be_created(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let late = session_of(&user, old_state);
    let (state, _) = end_epoch(fixture, &user).await;
    for version in [old_state.version, state.version] {
        let creation = fixture.store().create(&late, version).await.unwrap();
        assert_eq!(creation, Creation::Superseded);
        assert_eq!(find(fixture, &late.id).await, None);
    }
    // Its id was not used up, and it doesn't count.
    let session = Session { epoch: state.epoch, ..late };
    create(fixture, &session, state.version).await;
    assert_eq!(end_epoch(fixture, &user).await.1, 1);
}

/// Two nodes may tell the store of two epochs in the wrong order.
pub async fn an_earlier_epochs_end_that_is_told_late_ends_nothing_more_and_forgives_nothing(fixture: Fixture<'_>) {
    let (user, first) = fixture.new_user().await;
    let second = fixture.begin_epoch(&user).await;
    let (third, _) = end_epoch(fixture, &user).await;
    let session = session_of(&user, third);
    create(fixture, &session, third.version).await;
    let store = fixture.store();
    assert_eq!(store.delete_before_epoch(&user, second).await.unwrap(), 0);
    assert_eq!(find(fixture, &session.id).await.unwrap().session, session);
    for state in [first, second] {
        let creation = store.create(&session_of(&user, state), third.version).await.unwrap();
        assert_eq!(creation, Creation::Superseded);
    }
}

/// The end of an epoch is a change of the user too.
pub async fn ending_an_epoch_brings_the_users_version_with_it(fixture: Fixture<'_>) {
    let (user, old_state) = fixture.new_user().await;
    let (state, _) = end_epoch(fixture, &user).await;
    let session = session_of(&user, state);
    create(fixture, &session, old_state.version).await;
    assert!(version_of(fixture, &session.id).await >= state.version);
}

/// Whatever the order in which the store gets to see the two.
pub async fn no_session_created_while_its_epoch_ends_survives_it(fixture: Fixture<'_>) {
    const ROUNDS: usize = 40;
    const RACERS: usize = 4;
    let (user, mut state) = fixture.new_user().await;
    for _ in 0..ROUNDS {
        let start = Arc::new(Barrier::new(RACERS + 1));
        let over = Arc::new(AtomicBool::new(false));
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let (store, user) = (fixture.store(), user.clone());
            let (start, over) = (Arc::clone(&start), Arc::clone(&over));
            racers.spawn(async move {
                let mut tried = Vec::new();
                start.wait().await;
                loop {
                    let was_over = over.load(Ordering::SeqCst);
                    let session = session_of(&user, state);
                    tried.push(session.id);
                    match store.create(&session, state.version).await.unwrap() {
                        Creation::Superseded => break tried,
                        Creation::Created => assert!(!was_over, "created after the end"),
                        Creation::IdTaken => panic!("a new id is taken"),
                    }
                }
            });
        }
        start.wait().await;
        let (next, _) = end_epoch(fixture, &user).await;
        over.store(true, Ordering::SeqCst);
        for id in racers.join_all().await.into_iter().flatten() {
            assert_eq!(find(fixture, &id).await, None, "a session survived its epoch");
        }
        assert_eq!(fixture.store().delete_before_epoch(&user, next).await.unwrap(), 0);
        state = next;
    }
}

/// And it is the one that is found; the others' users have none.
pub async fn of_many_creations_of_one_id_one_succeeds(fixture: Fixture<'_>) {
    const ROUNDS: usize = 20;
    const RACERS: usize = 16;
    let users = [fixture.new_user().await, fixture.new_user().await];
    for _ in 0..ROUNDS {
        let id = session_of(&users[0].0, users[0].1).id;
        let start = Arc::new(Barrier::new(RACERS));
        let mut racers = JoinSet::new();
        for number in 0..RACERS {
            let (user, state) = users[number % users.len()].clone();
            let (store, start) = (fixture.store(), Arc::clone(&start));
            racers.spawn(async move {
                let mut session = Session { id, ..session_of(&user, state) };
                session.client.user_agent = format!("racer {number}");
                start.wait().await;
                (store.create(&session, state.version).await.unwrap(), session)
            });
        }
        let results = racers.join_all().await;
        let losers = results.iter().filter(|(creation, _)| *creation == Creation::IdTaken).count();
        assert_eq!(losers, RACERS - 1);
        let winner = results.into_iter().find(|(creation, _)| *creation == Creation::Created);
        let (_, winner) = winner.expect("one creation succeeds");
        assert_eq!(find(fixture, &id).await.unwrap().session, winner);
        assert!(fixture.store().delete(&id).await.unwrap());
    }
    for (user, _) in users {
        assert_eq!(end_epoch(fixture, &user).await.1, 0);
    }
}

/// At once, in each of them.
pub async fn a_change_of_the_user_shows_in_all_the_users_sessions(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let sessions = create_many(fixture, &user, state, 12).await;
    // More than ten, so that the number's length changes.
    for _ in 0..12 {
        let version = change_user(fixture, &user).await;
        for id in &sessions {
            assert_eq!(version_of(fixture, id).await, version);
        }
    }
}

/// A login that read the user before the change must not hide it.
pub async fn a_change_of_the_user_shows_in_sessions_created_later_with_an_older_copy(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let version = change_user(fixture, &user).await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    assert!(version_of(fixture, &session.id).await >= version);
}

/// Two nodes may tell the store of two changes in the wrong order.
pub async fn a_change_of_the_user_that_is_told_late_takes_nothing_back(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let before = session_of(&user, state);
    create(fixture, &before, state.version).await;
    let early = fixture.change_user(&user).await;
    let late = change_user(fixture, &user).await;
    for told_late in [early, state.version] {
        fixture.store().user_changed(&user, told_late).await.unwrap();
        let after = session_of(&user, state);
        create(fixture, &after, told_late).await;
        for session in [&before, &after] {
            assert!(version_of(fixture, &session.id).await >= late);
        }
    }
}

/// Other users' copies are not stale of it.
pub async fn a_change_of_the_user_leaves_sessions_of_others(fixture: Fixture<'_>) {
    let (ann, _) = fixture.new_user().await;
    let (bob, bobs_state) = fixture.new_user().await;
    let bobs = session_of(&bob, bobs_state);
    create(fixture, &bobs, bobs_state.version).await;
    change_user(fixture, &ann).await;
    assert_eq!(version_of(fixture, &bobs.id).await, bobs_state.version);
}

/// Neither the session's own fields, nor what was deleted, nor the epoch's end.
pub async fn a_change_of_the_user_changes_nothing_else_and_revives_nothing(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let (kept, gone) = (session_of(&user, state), session_of(&user, state));
    create(fixture, &kept, state.version).await;
    create(fixture, &gone, state.version).await;
    assert!(fixture.store().delete(&gone.id).await.unwrap());
    change_user(fixture, &user).await;
    assert_eq!(find(fixture, &kept.id).await.unwrap().session, kept);
    assert_eq!(find(fixture, &gone.id).await, None);
    let (_, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, 1);
    let version = change_user(fixture, &user).await;
    assert_eq!(find(fixture, &kept.id).await, None);
    let late = session_of(&user, state);
    let creation = fixture.store().create(&late, version).await.unwrap();
    assert_eq!(creation, Creation::Superseded);
}

/// Whatever the order in which the store gets to see the two.
pub async fn a_change_of_the_user_shows_in_sessions_created_meanwhile(fixture: Fixture<'_>) {
    const ROUNDS: usize = 20;
    const RACERS: usize = 4;
    const EACH: usize = 8;
    let (user, state) = fixture.new_user().await;
    let mut version = state.version;
    for _ in 0..ROUNDS {
        let start = Arc::new(Barrier::new(RACERS + 1));
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let (store, user, start) = (fixture.store(), user.clone(), Arc::clone(&start));
            racers.spawn(async move {
                let sessions: Vec<_> = (0..EACH).map(|_| session_of(&user, state)).collect();
                start.wait().await;
                for session in &sessions {
                    let creation = store.create(session, version).await.unwrap();
                    assert_eq!(creation, Creation::Created);
                }
                sessions
            });
        }
        start.wait().await;
        let next = change_user(fixture, &user).await;
        for session in racers.join_all().await.into_iter().flatten() {
            assert!(version_of(fixture, &session.id).await >= next, "a session missed the change");
            assert!(fixture.store().delete(&session.id).await.unwrap());
        }
        version = next;
    }
}

/// A hundred of each at once, of one user.
pub async fn concurrent_creations_and_deletions_lose_no_session(fixture: Fixture<'_>) {
    const EACH: usize = 100;
    let (user, state) = fixture.new_user().await;
    let doomed = create_many(fixture, &user, state, EACH).await;
    let kept: Vec<_> = (0..EACH).map(|_| session_of(&user, state)).collect();
    let start = Arc::new(Barrier::new(2 * EACH));
    let mut tasks = JoinSet::new();
    for id in doomed.clone() {
        let (store, start) = (fixture.store(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            assert!(store.delete(&id).await.unwrap(), "a session was lost");
        });
    }
    for session in kept.clone() {
        let (store, start) = (fixture.store(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let creation = store.create(&session, state.version).await.unwrap();
            assert_eq!(creation, Creation::Created);
        });
    }
    tasks.join_all().await;
    for session in &kept {
        assert_eq!(find(fixture, &session.id).await.unwrap().session, *session);
    }
    for id in &doomed {
        assert_eq!(find(fixture, id).await, None);
    }
    let (_, ended) = end_epoch(fixture, &user).await;
    assert_eq!(ended, u64::try_from(EACH).unwrap(), "the user's sessions were miscounted");
}

/// The users' counters for a fixture whose store doesn't keep the users: in memory, one user as good as another.
#[derive(Debug, Default)]
pub struct UserCounters(std::sync::Mutex<std::collections::HashMap<UserId, UserState>>);

impl UserCounters {
    /// A new user. The counters begin with different numbers, so that no adapter can mix them up unnoticed.
    #[must_use]
    pub fn new_user(&self) -> (UserId, UserState) {
        let (user, state) = (fixtures::user_id(), UserState { epoch: SessionEpoch(7), version: UserVersion(95) });
        self.0.lock().unwrap().insert(user.clone(), state);
        (user, state)
    }

    /// Counts the epoch up, and the version, as the end of an epoch is a change too.
    #[must_use]
    pub fn begin_epoch(&self, user: &UserId) -> UserState {
        self.count(user, |state| {
            state.epoch.0 += 1;
            state.version.0 += 1;
        })
    }

    /// Counts the version up.
    #[must_use]
    pub fn change_user(&self, user: &UserId) -> UserVersion {
        self.count(user, |state| state.version.0 += 1).version
    }

    fn count(&self, user: &UserId, up: impl FnOnce(&mut UserState)) -> UserState {
        let mut users = self.0.lock().unwrap();
        let state = users.get_mut(user).expect("a user of this fixture");
        up(state);
        *state
    }
}

fn session_of(user: &UserId, state: UserState) -> Session {
    Session { epoch: state.epoch, ..fixtures::session(user) }
}

async fn create(fixture: Fixture<'_>, session: &Session, version: UserVersion) {
    let creation = fixture.store().create(session, version).await.unwrap();
    assert_eq!(creation, Creation::Created);
}

/// Creates so many sessions of one user at once, and returns their ids.
async fn create_many(fixture: Fixture<'_>, user: &UserId, state: UserState, count: usize) -> HashSet<SessionId> {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (store, session) = (fixture.store(), session_of(user, state));
        tasks.spawn(async move {
            let creation = store.create(&session, state.version).await.unwrap();
            assert_eq!(creation, Creation::Created);
            session.id
        });
    }
    let ids: HashSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), count);
    ids
}

async fn find(fixture: Fixture<'_>, id: &SessionId) -> Option<StoredSession> {
    fixture.store().find(id).await.unwrap()
}

async fn version_of(fixture: Fixture<'_>, id: &SessionId) -> UserVersion {
    find(fixture, id).await.expect("a session that is there").user_version
}

/// Begins a new epoch, and tells the store. Returns how many sessions that ended.
async fn end_epoch(fixture: Fixture<'_>, user: &UserId) -> (UserState, u64) {
    let state = fixture.begin_epoch(user).await;
    (state, fixture.store().delete_before_epoch(user, state).await.unwrap())
}

/// Changes the user, and tells the store.
async fn change_user(fixture: Fixture<'_>, user: &UserId) -> UserVersion {
    let version = fixture.change_user(user).await;
    fixture.store().user_changed(user, version).await.unwrap();
    version
}

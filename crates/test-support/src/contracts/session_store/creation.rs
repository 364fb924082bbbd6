//! Sessions that come into being.

use std::sync::Arc;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::ports::session_store::{Creation, StoredSession};
use markt_domain::role::Role;
use markt_domain::session::{Session, Transport};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::support::{
    CREATED, Fixture, NO_LIMIT, create, end_epoch, find, found, log_out, session_of, user_that_suits,
};
use crate::fixtures;

/// A session as it began: found with the same fields, and the version of its user.
pub async fn a_created_session_is_found_whole(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    let session = session_of(&user, state);
    create(fixture, &session, state.version).await;
    let found = found(fixture, &session.id).await;
    let expected =
        StoredSession { session, user_version: state.version, revision: found.revision, honoured_until: None };
    assert_eq!(found, expected);
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
        assert_eq!(&*client.user_agent, user_agent, "the suite must not test what clients can't be");
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
        let found = found(fixture, &session.id).await;
        assert_eq!(found.session, session);
    }
}

/// Not found is no error.
pub async fn an_unknown_session_is_not_found(fixture: Fixture<'_>) {
    let (user, state) = fixture.new_user().await;
    assert_eq!(find(fixture, &session_of(&user, state).id).await, None);
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
        let creation = fixture.store().create(other, state.version, NO_LIMIT, &[]).await.unwrap();
        assert_eq!(creation, Creation::IdTaken);
        assert_eq!(find(fixture, &session.id).await, before);
    }
}

/// Nor does the attempt count among the other user's sessions.
pub async fn an_id_is_taken_for_other_users_too(fixture: Fixture<'_>) {
    let (ann, anns_state) = fixture.new_user().await;
    let session = session_of(&ann, anns_state);
    let (bob, bobs_state) = user_that_suits(fixture, &session.id).await;
    create(fixture, &session, anns_state.version).await;
    let bobs = Session { id: session.id, ..session_of(&bob, bobs_state) };
    let creation = fixture.store().create(&bobs, bobs_state.version, NO_LIMIT, &[]).await.unwrap();
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
        let then = Timestamp::from_unix_milliseconds(now.unix_milliseconds() - i64::try_from(ago.as_millis()).unwrap());
        let idle = Session { idle_expires_at: then, ..session_of(&user, state) };
        let old = Session { expires_at: then, ..session_of(&user, state) };
        for session in [idle, old] {
            create(fixture, &session, state.version).await;
            let found = find(fixture, &session.id).await;
            assert!(found.is_none_or(|found| found.session.is_expired(now)));
        }
    }
}

/// And it is the one that is found; the others' users have none.
pub async fn of_many_creations_of_one_id_one_succeeds(fixture: Fixture<'_>) {
    const ROUNDS: usize = 20;
    const RACERS: usize = 16;
    let first = fixture.new_user().await;
    let second = user_that_suits(fixture, &session_of(&first.0, first.1).id).await;
    let users = [first, second];
    for _ in 0..ROUNDS {
        let id = session_of(&users[0].0, users[0].1).id;
        let start = Arc::new(Barrier::new(RACERS));
        let mut racers = JoinSet::new();
        for number in 0..RACERS {
            let (user, state) = users[number % users.len()].clone();
            let (store, start) = (fixture.store(), Arc::clone(&start));
            racers.spawn(async move {
                let mut session = Session { id, ..session_of(&user, state) };
                session.client.user_agent = format!("racer {number}").into();
                start.wait().await;
                (store.create(&session, state.version, NO_LIMIT, &[]).await.unwrap(), session)
            });
        }
        let results = racers.join_all().await;
        let losers = results.iter().filter(|(creation, _)| *creation == Creation::IdTaken).count();
        assert_eq!(losers, RACERS - 1);
        let winner = results.into_iter().find(|(creation, _)| *creation == CREATED);
        let (_, winner) = winner.expect("one creation succeeds");
        assert_eq!(find(fixture, &id).await.unwrap().session, winner);
        assert!(log_out(fixture, &id).await);
    }
    for (user, _) in users {
        assert_eq!(end_epoch(fixture, &user).await.1, 0);
    }
}

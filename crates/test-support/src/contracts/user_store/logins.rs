//! What is written down of a login.

use markt_domain::ports::user_store::KNOWN_NETWORKS;
use markt_domain::user::NewUser;

use super::support::{Fixture, create, email, find, later_than, network};
use crate::fixtures;

/// The time, to the millisecond.
pub async fn a_login_is_written_down(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    let mut before = create(fixture, &new).await;
    for later in [1, 60_000, 86_400_999] {
        let at = later_than(new.created_at, later);
        let version = fixture.store().record_login(&new.id, network(1), at).await.unwrap();
        before.profile.user.last_login_at = Some(at);
        before.profile.user.updated_at = at;
        before.state.version = version.expect("the user");
        assert_eq!(find(fixture, &new.id).await, before);
    }
}

/// By the address, in any case.
pub async fn a_network_is_known_once_its_user_has_logged_in_from_it(fixture: Fixture<'_>) {
    let (ann, bob) = (fixtures::new_buyer(), fixtures::new_buyer());
    create(fixture, &ann).await;
    create(fixture, &bob).await;
    let store = fixture.store();
    assert!(!store.knows_network(&ann.email, network(1)).await.unwrap());
    for _ in 0..2 {
        store.record_login(&ann.id, network(1), fixtures::now()).await.unwrap();
        for text in [ann.email.as_str().to_owned(), ann.email.as_str().to_uppercase()] {
            assert!(store.knows_network(&email(&text), network(1)).await.unwrap());
        }
    }
    assert!(!store.knows_network(&ann.email, network(2)).await.unwrap());
    assert!(!store.knows_network(&bob.email, network(1)).await.unwrap(), "it is another's");
    assert!(!store.knows_network(&fixtures::new_buyer().email, network(1)).await.unwrap());
}

/// Registering logs in, too.
pub async fn a_network_is_known_of_who_has_registered_from_it(fixture: Fixture<'_>) {
    let new = NewUser { network: Some(network(1)), ..fixtures::new_buyer() };
    create(fixture, &new).await;
    for (number, known) in [(1, true), (2, false)] {
        assert_eq!(fixture.store().knows_network(&new.email, network(number)).await.unwrap(), known);
    }
}

/// The longest text that one has is kept whole, too.
pub async fn networks_of_ipv6_are_known_by_their_first_half(fixture: Fixture<'_>) {
    let new = fixtures::new_buyer();
    create(fixture, &new).await;
    let network = |text: &str| markt_domain::client::Network::of(text.parse().unwrap());
    let at_login = network("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff");
    fixture.store().record_login(&new.id, at_login, fixtures::now()).await.unwrap();
    for (text, known) in [("2001:db8:aaaa:bbbb::1", true), ("2001:db8:aaaa:bbbc::1", false)] {
        assert_eq!(fixture.store().knows_network(&new.email, network(text)).await.unwrap(), known, "{text}");
    }
}

/// A network that is used again is not the oldest any more.
pub async fn the_last_networks_are_known_and_older_ones_forgotten(fixture: Fixture<'_>) {
    let (new, other) = (fixtures::new_buyer(), fixtures::new_buyer());
    create(fixture, &new).await;
    create(fixture, &other).await;
    let store = fixture.store();
    let many = u8::try_from(KNOWN_NETWORKS).unwrap();
    store.record_login(&other.id, network(1), new.created_at).await.unwrap();
    // The first is used again before the last comes: the second gives way to that.
    for (later, number) in (0..many).chain([0, many]).enumerate() {
        let at = later_than(new.created_at, u64::try_from(later).unwrap());
        store.record_login(&new.id, network(number), at).await.unwrap();
    }
    for number in 0..=many {
        let known = store.knows_network(&new.email, network(number)).await.unwrap();
        assert_eq!(known, number != 1, "the network {number}");
    }
    assert!(store.knows_network(&other.email, network(1)).await.unwrap(), "it is another's");
}

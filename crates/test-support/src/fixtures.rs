//! Values that tests begin with.

use std::sync::OnceLock;
use std::time::Duration;

use markt_domain::Timestamp;
use markt_domain::client::Client;
use markt_domain::credentials::{EmailAddress, PasswordHash, Username};
use markt_domain::digest::Digest;
use markt_domain::ports::clock::Clock as _;
use markt_domain::ports::entropy::Entropy as _;
use markt_domain::role::Role;
use markt_domain::session::{Session, SessionId, Transport};
use markt_domain::user::{NewBuyer, NewSeller, NewUser, SessionEpoch, UserId};

use crate::clock::MovableClock;
use crate::entropy::MachineEntropy;

/// The present, in whole milliseconds.
#[must_use]
pub fn now() -> Timestamp {
    MovableClock::at_present().now()
}

/// A user id that nobody has.
#[must_use]
pub fn user_id() -> UserId {
    UserId::generate(&MachineEntropy)
}

/// Whether an id may be that of a session of a user's.
type Suits = fn(&SessionId, &UserId) -> bool;

static SUITS: OnceLock<Suits> = OnceLock::new();

/// From now on the ids of [sessions](session) suit their users, as a store that is spread over several servers wants it.
/// For other stores they are as good as any.
pub fn suit_ids_by(suits: Suits) {
    SUITS.get_or_init(|| suits);
}

/// The id of a new session of this user's.
fn session_id(user: &UserId) -> SessionId {
    let mut bytes = [0; 32];
    MachineEntropy.fill(&mut bytes);
    for _ in 0..u16::MAX {
        let id = SessionId::new(Digest::from_bytes(bytes));
        if SUITS.get().is_none_or(|suits| suits(&id, user)) {
            return id;
        }
        let first = u16::from_be_bytes([bytes[0], bytes[1]]).wrapping_add(1);
        bytes[..2].copy_from_slice(&first.to_be_bytes());
    }
    panic!("no id suits {user}");
}

/// A session of this user that began just now, lives for a week unused and a month at most.
#[must_use]
pub fn session(user: &UserId) -> Session {
    let now = now();
    let id = session_id(user);
    Session {
        id,
        family: id.family(),
        user_id: user.clone(),
        epoch: SessionEpoch(0),
        current_role: Role::Buyer,
        created_at: now,
        last_activity: now,
        authenticated_at: now,
        password_given: true,
        remember: true,
        transport: Transport::Cookie,
        client: Client::new("192.0.2.7".parse().unwrap(), "Mozilla/5.0 \"quoted\" \\ 日本語"),
        idle_expires_at: now.plus(Duration::from_secs(7 * 24 * 3600)),
        expires_at: now.plus(Duration::from_secs(30 * 24 * 3600)),
        refresh: None,
    }
}

/// A buyer to be made, with a name and an address that nobody has.
#[must_use]
pub fn new_buyer() -> NewUser {
    let id = user_id();
    let tail = id.as_str()["USR_".len()..].to_lowercase();
    NewUser {
        email: EmailAddress::parse(&format!("{tail}@example.com")).unwrap(),
        email_verified: false,
        username: Username::parse(&format!("u_{tail}")).unwrap(),
        password_hash: PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".into()),
        phone_number: None,
        address: None,
        buyer: Some(NewBuyer { buyername: "Ann".into(), shipping_address: None }),
        seller: None,
        network: None,
        created_at: now(),
        id,
    }
}

/// A seller to be made, without categories, with a name and an address that nobody has.
#[must_use]
pub fn new_seller() -> NewUser {
    let shop = NewSeller {
        shop_name: "Ann's Shop".into(),
        description: "Fine things".into(),
        policies: None,
        category_ids: Vec::new(),
    };
    NewUser { buyer: None, seller: Some(shop), ..new_buyer() }
}

//! Who is at the other end of a request.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// The longest user agent that is kept, in bytes; real ones stay below it.
const MAX_USER_AGENT: usize = 255;

/// Where a request came from, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's address: the peer's, or the one that a trusted proxy names.
    pub ip_address: IpAddr,
    /// Its `User-Agent`, at most 255 bytes of it; empty if it sent none.
    pub user_agent: Arc<str>,
}

impl Client {
    /// A client at this address that calls itself so; control characters and what is too long are dropped.
    #[must_use]
    pub fn new(ip_address: IpAddr, user_agent: &str) -> Self {
        let ip_address = ip_address.to_canonical();
        // As nearly all are.
        if user_agent.len() <= MAX_USER_AGENT && user_agent.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Self { ip_address, user_agent: user_agent.into() };
        }
        let mut kept = String::with_capacity(user_agent.len().min(MAX_USER_AGENT));
        for character in user_agent.chars().filter(|character| !character.is_control()) {
            if kept.len() + character.len_utf8() > MAX_USER_AGENT {
                break;
            }
            kept.push(character);
        }
        Self { ip_address, user_agent: kept.into() }
    }

    /// The network that the client is in.
    #[must_use]
    pub fn network(&self) -> Network {
        Network::of(self.ip_address)
    }
}

/// What one household or one phone keeps for a while: an IPv4 address, or the first 64 bits of an IPv6 address, whose
/// other half systems change by themselves (RFC 8981).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Self(address),
            IpAddr::V6(address) => Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.0.is_ipv4() { 32 } else { 64 };
        write!(f, "{}/{bits}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changing_half_of_an_ipv6_address_does_not_count() {
        let network = |address: &str| Network::of(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:aaaa:bbbb:cccc:dddd"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:3::1"), "2001:db8:1:3::/64");
        assert_eq!(network("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7/32");
    }
}

//! Who is at the other end of a request.

use std::net::IpAddr;

/// The longest user agent that is kept, in bytes; real ones stay below it.
const MAX_USER_AGENT: usize = 255;

/// Where a request came from, as far as it can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's address: the peer's, or the one that a trusted proxy names.
    pub ip_address: IpAddr,
    /// Its `User-Agent`, at most 255 bytes of it; empty if it sent none.
    pub user_agent: String,
}

impl Client {
    /// A client at this address that calls itself so; control characters and what is too long are dropped.
    #[must_use]
    pub fn new(ip_address: IpAddr, user_agent: &str) -> Self {
        let mut kept = String::with_capacity(user_agent.len().min(MAX_USER_AGENT));
        for character in user_agent.chars().filter(|character| !character.is_control()) {
            if kept.len() + character.len_utf8() > MAX_USER_AGENT {
                break;
            }
            kept.push(character);
        }
        Self { ip_address: ip_address.to_canonical(), user_agent: kept }
    }
}

//! Binds a session to the client that logged in, so that a stolen secret is worth less (guide, "Security
//! Considerations").

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::client::{Client, Network};
use crate::ports::device_recognizer::DeviceRecognizer;

/// How closely a session keeps to the user agent that it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserAgentBinding {
    /// Not at all.
    Off,
    /// The same browser on the same system, of any version.
    Family,
    /// To the letter.
    Exact,
}

/// How closely a session keeps to the address that it began at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpBinding {
    /// Not at all: phones change networks.
    Off,
    /// The same network: the first 24 bits of an IPv4 address, the first 64 of an IPv6 address.
    Subnet,
    /// To the bit.
    Exact,
}

/// What becomes of a session that is used by another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MismatchReaction {
    /// It ends.
    Revoke,
    /// It is not fresh for that client, until that client gives the password.
    Unfresh,
    /// Nothing but a line in the log.
    Log,
}

impl fmt::Display for MismatchReaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoke => "the session was ended",
            Self::Unfresh => "the session isn't fresh for it",
            Self::Log => "the session goes on",
        })
    }
}

/// In what two clients differ that should be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// In what they call themselves.
    UserAgent,
    /// In where they are.
    IpAddress,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserAgent => "user_agent",
            Self::IpAddress => "ip_address",
        })
    }
}

/// Compares the client that uses a session with the one that it is bound to.
#[derive(Clone)]
pub struct Binding {
    /// By the user agent.
    pub user_agent: UserAgentBinding,
    /// By the address.
    pub ip: IpBinding,
    /// What becomes of the session if they differ.
    pub on_mismatch: MismatchReaction,
    /// Tells which user agents are of the same family.
    pub devices: Arc<dyn DeviceRecognizer>,
}

impl Binding {
    /// In what the two differ, if they do.
    #[must_use]
    pub fn mismatch(&self, bound: &Client, present: &Client) -> Option<Mismatch> {
        if !self.is_same_user_agent(&bound.user_agent, &present.user_agent) {
            Some(Mismatch::UserAgent)
        } else if !self.is_same_address(bound.ip_address, present.ip_address) {
            Some(Mismatch::IpAddress)
        } else {
            None
        }
    }

    fn is_same_user_agent(&self, bound: &str, present: &str) -> bool {
        match self.user_agent {
            UserAgentBinding::Off => true,
            UserAgentBinding::Exact => bound == present,
            UserAgentBinding::Family => {
                bound == present || self.devices.recognize(bound) == self.devices.recognize(present)
            }
        }
    }

    fn is_same_address(&self, bound: IpAddr, present: IpAddr) -> bool {
        match (self.ip, bound, present) {
            (IpBinding::Off, ..) => true,
            (IpBinding::Subnet, IpAddr::V4(bound), IpAddr::V4(present)) => bound.octets()[..3] == present.octets()[..3],
            (IpBinding::Subnet, ..) => Network::of(bound) == Network::of(present),
            (IpBinding::Exact, ..) => bound == present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::device_recognizer::Device;

    /// Takes what stands before the first slash for the browser.
    struct BeforeTheSlash;

    impl DeviceRecognizer for BeforeTheSlash {
        fn recognize(&self, user_agent: &str) -> Device {
            let browser = user_agent.split('/').next().map(ToOwned::to_owned);
            Device { browser, system: None }
        }
    }

    fn binding(user_agent: UserAgentBinding, ip: IpBinding) -> Binding {
        Binding { user_agent, ip, on_mismatch: MismatchReaction::Revoke, devices: Arc::new(BeforeTheSlash) }
    }

    fn client(address: &str, user_agent: &str) -> Client {
        Client::new(address.parse().unwrap(), user_agent)
    }

    #[test]
    fn a_user_agent_may_change_as_much_as_is_configured() {
        let bound = client("192.0.2.7", "Fox/1");
        for (policy, user_agent, expected) in [
            (UserAgentBinding::Off, "Other/9", None),
            (UserAgentBinding::Family, "Fox/2", None),
            (UserAgentBinding::Family, "Other/1", Some(Mismatch::UserAgent)),
            (UserAgentBinding::Exact, "Fox/1", None),
            (UserAgentBinding::Exact, "Fox/2", Some(Mismatch::UserAgent)),
        ] {
            let present = client("198.51.100.1", user_agent);
            assert_eq!(binding(policy, IpBinding::Off).mismatch(&bound, &present), expected, "{policy:?} {user_agent}");
        }
    }

    #[test]
    fn an_address_may_change_as_much_as_is_configured() {
        for (policy, bound, present, same) in [
            (IpBinding::Off, "192.0.2.7", "2001:db8::1", true),
            (IpBinding::Subnet, "192.0.2.7", "192.0.2.250", true),
            (IpBinding::Subnet, "192.0.2.7", "192.0.3.7", false),
            (IpBinding::Subnet, "2001:db8:1:2::7", "2001:db8:1:2:ffff::1", true),
            (IpBinding::Subnet, "2001:db8:1:2::7", "2001:db8:1:3::7", false),
            (IpBinding::Subnet, "192.0.2.7", "2001:db8::1", false),
            (IpBinding::Subnet, "192.0.2.7", "::ffff:192.0.2.9", true),
            (IpBinding::Exact, "192.0.2.7", "192.0.2.7", true),
            (IpBinding::Exact, "192.0.2.7", "192.0.2.8", false),
        ] {
            let binding = binding(UserAgentBinding::Exact, policy);
            let expected = (!same).then_some(Mismatch::IpAddress);
            let mismatch = binding.mismatch(&client(bound, "Fox/1"), &client(present, "Fox/1"));
            assert_eq!(mismatch, expected, "{policy:?} {bound} {present}");
        }
    }
}

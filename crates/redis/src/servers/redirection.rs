//! What a server of a cluster says when a key isn't its own.

use fred::error::Error;

/// Why a command was not carried out, and may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirection {
    /// Another server has the key.
    Moved,
    /// The key, or another that the command is about, is just being moved to another server.
    OnItsWay,
}

impl Redirection {
    /// Nothing if the error is another one.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.details().split_whitespace().next() {
            Some("MOVED") => Some(Self::Moved),
            Some("ASK" | "TRYAGAIN") => Some(Self::OnItsWay),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use fred::error::ErrorKind;

    use super::*;

    #[test]
    fn only_who_says_that_it_did_nothing_is_followed() {
        for (details, expected) in [
            ("MOVED 3999 127.0.0.1:6381", Some(Redirection::Moved)),
            ("ASK 3999 127.0.0.1:6381", Some(Redirection::OnItsWay)),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Some(Redirection::OnItsWay)),
            ("CLUSTERDOWN The cluster is down", None),
            ("Connection closed.", None),
            ("", None),
        ] {
            assert_eq!(Redirection::of(&Error::new(ErrorKind::Cluster, details)), expected, "{details}");
        }
    }
}

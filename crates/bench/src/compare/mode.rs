//! The ways of knowing who asks that are compared.

use crate::service::Variable;

/// What says how long access tokens live.
pub(super) const ACCESS_TTL: &str = "MARKT_JWT__ACCESS_TTL";

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    SessionNearCache,
    SessionRedis,
    Hs256,
    EdDsa,
    DenyList,
}

/// All of them; the first is what the others are held against.
pub(super) const MODES: [Mode; 5] =
    [Mode::SessionNearCache, Mode::SessionRedis, Mode::Hs256, Mode::EdDsa, Mode::DenyList];

impl Mode {
    /// What it is called in JSON and in the names of files.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::SessionNearCache => "session-near-cache",
            Self::SessionRedis => "session-redis",
            Self::Hs256 => "jwt-hs256",
            Self::EdDsa => "jwt-eddsa",
            Self::DenyList => "jwt-deny-list",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::SessionNearCache => "session, near cache",
            Self::SessionRedis => "session, Redis each time",
            Self::Hs256 => "JWT, HS256",
            Self::EdDsa => "JWT, EdDSA",
            Self::DenyList => "JWT, HS256, deny list",
        }
    }

    /// What sets it up, beside what is common to all.
    pub(super) fn variables(self) -> Vec<Variable> {
        let tokens = |algorithm: &str, deny_list: bool| {
            vec![
                ("MARKT_AUTH__MODE", "jwt".to_owned()),
                ("MARKT_JWT__ALGORITHM", algorithm.to_owned()),
                ("MARKT_JWT__DENYLIST", deny_list.to_string()),
                // Nobody has to renew one while that isn't measured.
                (ACCESS_TTL, "24h".to_owned()),
            ]
        };
        let secret = ("MARKT_JWT__SECRET", "a secret for as long as a comparison lasts".to_owned());
        match self {
            Self::SessionNearCache => vec![("MARKT_SESSION__NEAR_CACHE__ENABLED", "true".to_owned())],
            Self::SessionRedis => vec![("MARKT_SESSION__NEAR_CACHE__ENABLED", "false".to_owned())],
            Self::Hs256 => [tokens("HS256", false), vec![secret]].concat(),
            Self::DenyList => [tokens("HS256", true), vec![secret]].concat(),
            // Signed with the key that the first one makes, in the folder that all are started in.
            Self::EdDsa => tokens("EdDSA", false),
        }
    }

    /// Whether tokens are accepted for as long as they live, whatever became of the session that they were issued for.
    pub(super) fn outlives_revocation(self) -> bool {
        matches!(self, Self::Hs256 | Self::EdDsa)
    }
}

//! Which sessions are meant: by the id of one, or by what they have in common.

use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use markt_domain::Timestamp;
use markt_domain::role::Role;
use markt_domain::selector::Selector;
use markt_domain::session::{SessionId, Transport};
use markt_domain::user::UserId;

use super::Tools;
use crate::cli::{Failure, users, wrong_usage};
use crate::config::values::Value;

/// What the sessions have in common.
#[derive(Args, Debug)]
pub struct Conditions {
    /// Of the user with this id.
    #[arg(long, value_name = "USR_…", value_parser = text)]
    user: Option<String>,
    /// Of the user with this e-mail address.
    #[arg(long, value_name = "E-MAIL", value_parser = text, conflicts_with = "user")]
    email: Option<String>,
    /// That began at this address, or in this network.
    #[arg(long, value_name = "CIDR", value_parser = network)]
    ip: Option<IpNet>,
    /// Whose user agent contains this, in any case.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    user_agent: Option<String>,
    /// Whose device ("Firefox on Linux") contains this, in any case.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    device: Option<String>,
    /// Used in this role: buyer or seller.
    #[arg(long)]
    role: Option<Role>,
    /// Whose secret is kept so: cookie or bearer.
    #[arg(long)]
    transport: Option<Transport>,
    /// That began earlier than this long ago (30d), or before this time (2026-01-15T10:30:00Z).
    #[arg(long, value_name = "WHEN", value_parser = when)]
    created_before: Option<When>,
    /// That began this long ago or later, or since this time.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    created_after: Option<When>,
    /// Not used for this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    inactive_for: Option<Duration>,
}

/// All of the names above, for the group of which one has to be given.
pub const NAMES: [&str; 10] = [
    "user",
    "email",
    "ip",
    "user_agent",
    "device",
    "role",
    "transport",
    "created_before",
    "created_after",
    "inactive_for",
];

/// A time, or how long ago it is.
#[derive(Clone, Copy, Debug)]
enum When {
    Ago(Duration),
    At(Timestamp),
}

impl When {
    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.minus(duration),
            Self::At(time) => time,
        }
    }
}

impl Conditions {
    /// The selector that picks such sessions.
    ///
    /// # Errors
    /// If there is no user with the address, or the store can't be asked.
    pub(super) async fn selector(&self, tools: &Tools<'_>) -> Result<Selector, Failure> {
        let user = match (&self.user, &self.email) {
            // Also of a user who is gone.
            (Some(id), _) => Some(UserId::from_store(id)),
            (None, Some(email)) => Some(users::find(&tools.stores, email).await?.user().id.clone()),
            (None, None) => None,
        };
        let now = tools.now();
        Ok(Selector {
            user,
            network: self.ip,
            user_agent: self.user_agent.clone(),
            device: self.device.clone(),
            role: self.role,
            transport: self.transport,
            created_before: self.created_before.map(|when| when.before(now)),
            created_after: self.created_after.map(|when| when.before(now)),
            unused_since: self.inactive_for.map(|duration| now.minus(duration)),
        })
    }
}

/// A session's public id. What can't be one isn't repeated: it may be a secret.
pub fn session_id(text: &str) -> SessionId {
    text.parse().unwrap_or_else(|_| {
        wrong_usage("not a session's public id: must be 64 hexadecimal digits, as in the log and in lists")
    })
}

fn text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn network(text: &str) -> Result<IpNet, String> {
    <IpNet as Value>::parse(text).ok_or_else(|| "must be an address or a network, such as 10.0.0.0/8 or ::1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    <Duration as Value>::parse(text).ok_or_else(|| format!("must be {}", <Duration as Value>::ALLOWED))
}

fn when(text: &str) -> Result<When, String> {
    let at = || text.parse().ok().map(When::At);
    let when = <Duration as Value>::parse(text).map(When::Ago).or_else(at);
    when.ok_or_else(|| "must be how long ago, such as 30d or 12h, or a time such as 2026-01-15T10:30:00Z".to_owned())
}

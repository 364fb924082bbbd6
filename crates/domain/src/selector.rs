//! Which of all sessions somebody wants to see, or to end.

use ipnet::IpNet;

use crate::Timestamp;
use crate::ports::device_recognizer::DeviceRecognizer;
use crate::role::Role;
use crate::session::{Session, Transport};
use crate::user::UserId;

/// What sessions have in common; what is nothing doesn't matter. Texts are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Whose they are.
    pub user: Option<UserId>,
    /// The network that their clients logged in from.
    pub network: Option<IpNet>,
    /// A part of what their clients call themselves.
    pub user_agent: Option<String>,
    /// A part of what the device is known as: `firefox`, `on android`.
    pub device: Option<String>,
    /// The role that they are used in.
    pub role: Option<Role>,
    /// How their clients keep the secret.
    pub transport: Option<Transport>,
    /// They began before.
    pub created_before: Option<Timestamp>,
    /// They began then or after.
    pub created_after: Option<Timestamp>,
    /// They were last used before.
    pub unused_since: Option<Timestamp>,
}

impl Selector {
    /// Whether it picks all sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The user, if nothing else matters.
    #[must_use]
    pub fn only_user(&self) -> Option<&UserId> {
        let user = self.user.as_ref()?;
        (*self == Self { user: Some(user.clone()), ..Self::default() }).then_some(user)
    }

    /// Whether it picks this session.
    #[must_use]
    pub fn picks(&self, session: &Session, devices: &dyn DeviceRecognizer) -> bool {
        let client = &session.client;
        is_or_none(self.user.as_ref(), |user| *user == session.user_id)
            && is_or_none(self.role, |role| role == session.current_role)
            && is_or_none(self.transport, |transport| transport == session.transport)
            && is_or_none(self.created_before, |time| session.created_at < time)
            && is_or_none(self.created_after, |time| session.created_at >= time)
            && is_or_none(self.unused_since, |time| session.last_activity < time)
            && is_or_none(self.network, |network| network.contains(&client.ip_address))
            && is_or_none(self.user_agent.as_deref(), |part| contains(&client.user_agent, part))
            // The dearest last.
            && is_or_none(self.device.as_deref(), |part| {
                contains(&devices.recognize(&client.user_agent).to_string(), part)
            })
    }
}

fn is_or_none<T>(wanted: Option<T>, is: impl FnOnce(T) -> bool) -> bool {
    wanted.is_none_or(is)
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::Client;
    use crate::ports::device_recognizer::Device;
    use crate::ports::entropy::Counting;
    use crate::session::SessionSecret;
    use crate::user::SessionEpoch;

    struct FirstWord;

    impl DeviceRecognizer for FirstWord {
        fn recognize(&self, user_agent: &str) -> Device {
            let browser = user_agent.split('/').next().map(ToOwned::to_owned);
            Device { browser, system: Some("Linux".to_owned()) }
        }
    }

    const NOON: Timestamp = Timestamp::from_unix_milliseconds(1_768_478_400_000);

    fn session() -> Session {
        let id = SessionSecret::generate(&Counting::default()).id();
        let hour = Duration::from_secs(3600);
        Session {
            id,
            family: id.family(),
            user_id: UserId::from_store("USR_AAAAAAAA"),
            epoch: SessionEpoch(0),
            current_role: Role::Seller,
            created_at: NOON,
            last_activity: NOON.plus(hour),
            authenticated_at: NOON,
            password_given: true,
            remember: true,
            transport: Transport::Bearer,
            client: Client::new([10, 1, 2, 3].into(), "Fox/7 (mobile)"),
            idle_expires_at: NOON.plus(24 * hour),
            expires_at: NOON.plus(48 * hour),
            refresh: None,
        }
    }

    #[test]
    fn each_condition_picks_what_it_says_and_all_of_them_together() {
        let second = Duration::from_secs(1);
        let hour = NOON.plus(Duration::from_secs(3600));
        let user = |id: &str| Some(UserId::from_store(id));
        let all = Selector::default;
        let whole = Selector {
            user: user("USR_AAAAAAAA"),
            network: Some("10.0.0.0/8".parse().unwrap()),
            user_agent: Some("MOBILE".into()),
            device: Some("fox on linux".into()),
            role: Some(Role::Seller),
            transport: Some(Transport::Bearer),
            created_before: Some(NOON.plus(second)),
            created_after: Some(NOON),
            unused_since: Some(hour.plus(second)),
        };
        assert!(whole.picks(&session(), &FirstWord));
        assert!(all().picks(&session(), &FirstWord));
        for other in [
            Selector { user: user("USR_BBBBBBBB"), ..all() },
            Selector { network: Some("10.2.0.0/16".parse().unwrap()), ..all() },
            Selector { network: Some("::/0".parse().unwrap()), ..all() },
            Selector { user_agent: Some("tablet".into()), ..all() },
            Selector { device: Some("mobile".into()), ..all() },
            Selector { role: Some(Role::Buyer), ..all() },
            Selector { transport: Some(Transport::Cookie), ..all() },
            Selector { created_before: Some(NOON), ..all() },
            Selector { created_after: Some(NOON.plus(second)), ..all() },
            Selector { unused_since: Some(hour), ..all() },
        ] {
            assert!(!other.picks(&session(), &FirstWord), "{other:?}");
            assert!(!other.is_empty());
        }
    }

    #[test]
    fn a_user_alone_is_told_from_a_user_and_more() {
        let user = UserId::from_store("USR_AAAAAAAA");
        let alone = Selector { user: Some(user.clone()), ..Selector::default() };
        assert_eq!(alone.only_user(), Some(&user));
        assert_eq!(Selector { role: Some(Role::Buyer), ..alone }.only_user(), None);
        assert_eq!(Selector::default().only_user(), None);
    }
}

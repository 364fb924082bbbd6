//! The types of configuration values: how each is read, what is allowed, and how it is shown.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::secret::{Secret, SecretUrl};

/// A type that a configuration value can have.
pub trait Value: Sized {
    /// What is allowed, to be read after "must be".
    const ALLOWED: &'static str;
    /// Whether it may not be shown.
    const SECRET: bool = false;

    /// Reads a value.
    fn parse(text: &str) -> Option<Self>;

    /// The value as it may be shown to anybody.
    fn shown(&self) -> String;
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The choice as it is written in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl Value for $name {
            const ALLOWED: &'static str = $allowed;

            fn parse(text: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|choice| choice.as_str().eq_ignore_ascii_case(text))
            }

            fn shown(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}

choice!(
    /// Where the service runs.
    Environment, "development or production", {
        /// On a developer's machine: no TLS, demo data.
        Development = "development",
        /// For real: what is insecure is refused.
        Production = "production",
    }
);
choice!(
    /// How callers prove who they are.
    AuthMode, "session, jwt or dual", {
        /// By sessions.
        Session = "session",
        /// By tokens.
        Jwt = "jwt",
        /// By either.
        Dual = "dual",
    }
);
impl AuthMode {
    /// Whether this key of the configuration has no effect in this mode.
    #[must_use]
    pub fn ignores(self, key: &str) -> bool {
        match self {
            Self::Session => key.starts_with("jwt."),
            Self::Jwt => key.starts_with("jwt.legacy."),
            Self::Dual => false,
        }
    }
}

choice!(
    /// Who is handed the secret in the body of an answer.
    BearerPolicy, "auto, explicit or off", {
        /// Who says so, and who can't be a browser.
        Auto = "auto",
        /// Who says so.
        Explicit = "explicit",
        /// Nobody; bearer secrets are not taken either.
        Off = "off",
    }
);
choice!(
    /// When browsers send the cookie along.
    SameSite, "Lax, Strict or None", {
        /// From the same site, and when the user follows a link.
        Lax = "Lax",
        /// From the same site.
        Strict = "Strict",
        /// Always.
        None = "None",
    }
);
choice!(
    /// How closely a session keeps to the user agent it began with.
    UserAgentBinding, "off, family or exact", {
        /// Not at all.
        Off = "off",
        /// The same browser on the same system, of any version.
        Family = "family",
        /// To the letter.
        Exact = "exact",
    }
);
choice!(
    /// How closely a session keeps to the address it began at.
    IpBinding, "off, subnet or exact", {
        /// Not at all.
        Off = "off",
        /// The same network.
        Subnet = "subnet",
        /// To the bit.
        Exact = "exact",
    }
);
choice!(
    /// What becomes of a session that is used from elsewhere.
    MismatchReaction, "revoke, unfresh or log", {
        /// It ends.
        Revoke = "revoke",
        /// It is no longer fresh.
        Unfresh = "unfresh",
        /// Nothing but a line in the log.
        Log = "log",
    }
);
choice!(
    /// How tokens are signed.
    JwtAlgorithm, "EdDSA or HS256", {
        /// By a key pair.
        EdDsa = "EdDSA",
        /// By a shared secret.
        Hs256 = "HS256",
    }
);
choice!(
    /// Where mail goes.
    MailTransport, "file or smtp", {
        /// Into a folder, a file each.
        File = "file",
        /// To a mail server.
        Smtp = "smtp",
    }
);
choice!(
    /// How the log is written.
    LogFormat, "pretty or json", {
        /// For people.
        Pretty = "pretty",
        /// For machines.
        Json = "json",
    }
);
choice!(
    /// How much is logged.
    LogLevel, "error, warn, info, debug or trace", {
        /// What failed.
        Error = "error",
        /// What may fail soon, too.
        Warn = "warn",
        /// What happens, too.
        Info = "info",
        /// Each request, too.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
);

impl Value for bool {
    const ALLOWED: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    const ALLOWED: &'static str = "a whole number from 1 to 4294967295";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const ALLOWED: &'static str = "a text without control characters, not empty";

    fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    }

    fn shown(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const ALLOWED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn shown(&self) -> String {
        self.display().to_string()
    }
}

impl Value for SocketAddr {
    const ALLOWED: &'static str = "an address and a port, such as 127.0.0.1:8000 or [::]:8000";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for Secret {
    const ALLOWED: &'static str = "a text, not empty";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }

    fn shown(&self) -> String {
        "***".to_owned()
    }
}

impl Value for SecretUrl {
    const ALLOWED: &'static str = "a URL";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// The URL of a Redis.
#[derive(Clone, Debug)]
pub struct RedisUrl(pub SecretUrl);

impl Value for RedisUrl {
    const ALLOWED: &'static str = "a URL of one host and its port, such as redis://host:6379/0, \
                                   redis-cluster://host:6379?node=host2:6379 or \
                                   redis-sentinel://host:26379?node=host2:26379&sentinelServiceName=mymaster";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        SecretUrl::parse(text).map(Self)
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

/// Milliseconds in the units of durations.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Value for Duration {
    const ALLOWED: &'static str = "a duration above zero, such as 500ms, 60s, 15m, 24h or 7d (3650d at most)";

    fn parse(text: &str) -> Option<Self> {
        Pause::parse(text).map(|Pause(duration)| duration).filter(|duration| !duration.is_zero())
    }

    fn shown(&self) -> String {
        let milliseconds = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        // As people say them: 24h and 60s, not 1d and 1m.
        let fits = |(name, unit): &&(&str, u64)| {
            milliseconds.is_multiple_of(*unit) && (*name == "s" || milliseconds / unit > 1)
        };
        let unit = UNITS.iter().rev().find(fits);
        unit.map_or_else(|| format!("{milliseconds}ms"), |(name, unit)| format!("{}{name}", milliseconds / unit))
    }
}

/// A duration that may be none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause(pub Duration);

impl Value for Pause {
    const ALLOWED: &'static str = "0s, or a duration such as 500ms, 5s or 1m (3650d at most)";

    fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let milliseconds = number.parse::<u64>().ok()?.checked_mul(*milliseconds)?;
        (milliseconds <= 3650 * 86_400_000).then(|| Self(Duration::from_millis(milliseconds)))
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub usize);

impl Value for ByteSize {
    const ALLOWED: &'static str = "a size above zero, such as 512B, 64KiB or 1MiB (1GiB at most)";

    fn parse(text: &str) -> Option<Self> {
        let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024), ("B", 1)];
        let (number, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
        let bytes = number.parse::<usize>().ok()?.checked_mul(*unit)?;
        (1..=1024 * 1024 * 1024).contains(&bytes).then_some(Self(bytes))
    }

    fn shown(&self) -> String {
        match self.0 {
            bytes if bytes.is_multiple_of(1024 * 1024) => format!("{}MiB", bytes / 1024 / 1024),
            bytes if bytes.is_multiple_of(1024) => format!("{}KiB", bytes / 1024),
            bytes => format!("{bytes}B"),
        }
    }
}

/// So many in such a time; or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub Option<(u32, Duration)>);

impl Rate {
    /// So many in such a time.
    #[must_use]
    pub const fn of(count: u32, period: Duration) -> Self {
        Self(Some((count, period)))
    }
}

impl Value for Rate {
    const ALLOWED: &'static str = "off, or a number and a duration, such as 10/15m";

    fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self(None));
        }
        let (count, period) = text.split_once('/')?;
        Some(Self::of(<u32 as Value>::parse(count)?, <Duration as Value>::parse(period)?))
    }

    fn shown(&self) -> String {
        self.0.map_or_else(|| "off".to_owned(), |(count, period)| format!("{count}/{}", period.shown()))
    }
}

/// Values in a row, with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: Value> Value for List<T> {
    const ALLOWED: &'static str = T::ALLOWED;

    fn parse(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(T::parse).collect::<Option<_>>().map(Self)
    }

    fn shown(&self) -> String {
        self.0.iter().map(T::shown).collect::<Vec<_>>().join(",")
    }
}

impl Value for IpNet {
    const ALLOWED: &'static str = "addresses or networks with commas between them, such as 10.0.0.0/8,::1";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// The origin of a front end, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin of a plain-HTTP server.
    pub(super) fn http(host: &str, port: u16) -> Self {
        Self(format!("http://{host}:{port}"))
    }

    /// The origin as browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Origin {
    const ALLOWED: &'static str = "origins with commas between them, each exactly as a browser sends it, such as \
                                   https://app.example.com: no path, no slash at the end, never *";

    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let web = matches!(url.scheme(), "http" | "https");
        // A URL's host may well be a pattern; an origin that a browser sends never is one.
        (web && !text.contains('*') && url.origin().ascii_serialization() == text).then(|| Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        self.0.clone()
    }
}

//! Keys and their values before they are typed.

use std::collections::BTreeMap;
use std::fmt;

use super::values::Value;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In a configuration file.
    File(String),
    /// In this variable of the environment.
    Environment(String),
    /// On the command line.
    Flag,
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag => f.write_str("command line"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key's value, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// A key with its effective value, as it may be shown to anybody.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Shown {
    /// `session.idle_timeout`
    pub key: String,
    /// Empty where nothing is set, `***` for a secret.
    pub value: String,
    /// `default`, a file, a variable of the environment, or `command line`
    pub origin: String,
}

/// Something that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What kind of mistake it is; stays the same in later versions: `config-unknown-key`.
    pub id: &'static str,
    /// The key; the file, where the mistake is one of the file's as a whole.
    pub key: String,
    /// The value that can't be read, if it may be shown.
    pub value: Option<String>,
    /// Names the key, the value and what is allowed. Holds no secret.
    pub text: String,
}

impl ConfigError {
    /// What kind of mistake it is that a value can't be read.
    pub const BAD_VALUE: &'static str = "config-bad-value";

    pub(super) fn new(id: &'static str, key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id, key: key.into(), value: None, text: text.into() }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  - {}", error.text))
    }
}

impl std::error::Error for ConfigErrors {}

/// What was set, to be read key by key. What nobody reads is unknown.
#[derive(Debug, Default)]
pub(super) struct Settings {
    values: BTreeMap<String, Setting>,
    known: Vec<&'static str>,
    shown: Vec<Shown>,
    errors: ConfigErrors,
}

impl Settings {
    /// Sets a key, in place of what an earlier source set.
    pub(super) fn set(&mut self, key: String, setting: Setting) {
        self.values.insert(key, setting);
    }

    /// Notes something wrong.
    pub(super) fn refuse(&mut self, error: ConfigError) {
        self.errors.0.push(error);
    }

    /// The value of a key that has a default.
    pub(super) fn read<T: Value>(&mut self, key: &'static str, default: T) -> T {
        if let Some(value) = self.take(key) {
            return value;
        }
        self.shown.push(Shown { key: key.into(), value: default.shown(), origin: Origin::Default.to_string() });
        default
    }

    /// The value of a key that may be unset; set to nothing, it is unset.
    pub(super) fn read_optional<T: Value>(&mut self, key: &'static str) -> Option<T> {
        if self.values.get(key).is_some_and(|setting| setting.value.is_empty()) {
            self.values.remove(key);
        }
        let value = self.take(key);
        if value.is_none() {
            self.shown.push(Shown { key: key.into(), value: String::new(), origin: Origin::Default.to_string() });
        }
        value
    }

    fn take<T: Value>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let Setting { value, origin } = self.values.remove(key)?;
        if let Some(parsed) = T::parse(&value) {
            self.shown.push(Shown { key: key.into(), value: parsed.shown(), origin: origin.to_string() });
            return Some(parsed);
        }
        let shown = if T::SECRET { "***" } else { &value };
        let text = format!("{key} = {shown:?} ({origin}): must be {}", T::ALLOWED);
        let value = (!T::SECRET).then_some(value);
        self.refuse(ConfigError { value, ..ConfigError::new(ConfigError::BAD_VALUE, key, text) });
        None
    }

    /// Ends the reading: what was read, and which values were bad or keys are left that nobody read.
    pub(super) fn finish(mut self) -> (Vec<Shown>, ConfigErrors) {
        for (key, Setting { value, origin }) in &self.values {
            let section = key.split('.').next().unwrap_or_default();
            let in_section = |known: &&&str| known.split('.').next() == Some(section);
            let mut allowed: Vec<&str> = self.known.iter().filter(in_section).copied().collect();
            if allowed.is_empty() {
                allowed.clone_from(&self.known);
            }
            // The value is not shown: under a misspelt key it may be a secret.
            let length = value.chars().count();
            let allowed = allowed.join(", ");
            let text = format!("{key} ({origin}, {length} characters): unknown key; allowed here: {allowed}");
            self.errors.0.push(ConfigError::new("config-unknown-key", key, text));
        }
        self.shown.sort_by(|a, b| a.key.cmp(&b.key));
        (self.shown, self.errors)
    }
}

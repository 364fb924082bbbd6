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

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl ConfigErrors {
    pub(super) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration is wrong:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  - {error}"))
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
    pub(super) fn refuse(&mut self, error: String) {
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
        let value = if T::SECRET { "***" } else { &value };
        self.refuse(format!("{key} = {value:?} ({origin}): must be {}", T::ALLOWED));
        None
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// If a value was bad, or a key is left that nobody read.
    pub(super) fn finish(mut self) -> Result<Vec<Shown>, ConfigErrors> {
        for (key, Setting { value, origin }) in &self.values {
            let section = key.split('.').next().unwrap_or_default();
            let in_section = |known: &&&str| known.split('.').next() == Some(section);
            let mut allowed: Vec<&str> = self.known.iter().filter(in_section).copied().collect();
            if allowed.is_empty() {
                allowed.clone_from(&self.known);
            }
            // The value is not shown: under a misspelt key it may be a secret.
            let length = value.chars().count();
            self.errors.0.push(format!(
                "{key} ({origin}, {length} characters): unknown key; allowed here: {}",
                allowed.join(", ")
            ));
        }
        self.shown.sort_by(|a, b| a.key.cmp(&b.key));
        self.errors.into_result(self.shown)
    }
}

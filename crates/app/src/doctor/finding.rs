//! What the doctor says.

use serde::Serialize;

/// How bad a finding is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The service doesn't start, or users notice.
    Error,
    /// It works, until something else happens, or for somebody who shouldn't be let in.
    Warning,
    /// Worth knowing.
    Hint,
    /// It was looked at, and is as it should be.
    Ok,
}

impl Severity {
    /// `error`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Hint => "hint",
            Self::Ok => "ok",
        }
    }

    /// An error where users depend on it, else a warning.
    pub fn error_in(production: bool) -> Self {
        if production { Self::Error } else { Self::Warning }
    }
}

/// Where something is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// The service's configuration.
    #[serde(rename = "markt-auth")]
    Service,
    /// Redis' configuration.
    #[serde(rename = "redis")]
    Redis,
    /// PostgreSQL's configuration.
    #[serde(rename = "postgresql")]
    Postgres,
    /// The command line.
    #[serde(rename = "shell")]
    Shell,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where.
    #[serde(rename = "in")]
    pub place: Place,
    /// The key: `cookie.secure`. Empty for a command.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub key: &'static str,
    /// What to set it to, or the command; unset, if it is empty.
    pub value: String,
    /// What to think of when doing so.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'static str,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which finding it is; stays the same in later versions: `redis-evicts`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub what: String,
    /// What users or operators see of it. Empty where all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<Change>,
    /// The keys that it speaks of without asking for a change.
    #[serde(skip)]
    about: Vec<&'static str>,
}

impl Finding {
    /// Something that isn't as it should be.
    pub fn new(severity: Severity, id: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { id, severity, what: what.into(), why: why.into(), change: Vec::new(), about: Vec::new() }
    }

    /// Users notice it.
    pub fn error(id: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Severity::Error, id, what, why)
    }

    /// Users will notice it one day.
    pub fn warning(id: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Severity::Warning, id, what, why)
    }

    /// Worth knowing.
    pub fn hint(id: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(Severity::Hint, id, what, why)
    }

    /// It is as it should be.
    pub fn ok(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Ok, id, what, "")
    }

    /// Mended by setting a key of the service's configuration.
    pub fn set(self, key: &'static str, value: impl Into<String>) -> Self {
        self.change_in(Place::Service, key, value)
    }

    /// Mended elsewhere.
    pub fn change_in(mut self, place: Place, key: &'static str, value: impl Into<String>) -> Self {
        self.change.push(Change { place, key, value: value.into(), note: "" });
        self
    }

    /// Adds what is to be thought of at the last change.
    pub fn note(mut self, note: &'static str) -> Self {
        if let Some(change) = self.change.last_mut() {
            change.note = note;
        }
        self
    }

    /// Mended by a command.
    pub fn run(self, command: impl Into<String>) -> Self {
        self.change_in(Place::Shell, "", command)
    }

    /// Says something of these keys of the service's configuration.
    pub fn about(mut self, keys: &[&'static str]) -> Self {
        self.about.extend(keys);
        self
    }

    /// Whether it says something of one of these keys.
    pub fn concerns(&self, keys: &[&str]) -> bool {
        let of_service = self.change.iter().filter(|change| change.place == Place::Service);
        of_service.map(|change| change.key).chain(self.about.iter().copied()).any(|key| keys.contains(&key))
    }
}

//! Where settings come from: a file, then the environment, then the command line.

use std::path::{Path, PathBuf};

use super::settings::{ConfigError, ConfigErrors, Origin, Setting, Settings};

/// The file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "markt-auth.toml";

/// The keys whose values may stand in a file of their own, named by the same key with `_file` (`_FILE`) behind it.
const SECRET_KEYS: [&str; 6] =
    ["adopt.flask_secret_key", "database_url", "redis_url", "jwt.secret", "jwt.legacy.secret", "mail.smtp_url"];

/// Where the configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file to read; `markt-auth.toml`, if it is there, without one.
    pub file: Option<PathBuf>,
    /// The environment; only variables that begin with `MARKT_` count.
    pub environment: Vec<(String, String)>,
    /// Keys and values from the command line.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The process's own environment and these flags.
    #[must_use]
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let text = |name: std::ffi::OsString| name.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { file, environment, flags }
    }

    pub(super) fn read(&self) -> Result<Settings, ConfigErrors> {
        let mut settings = Settings::default();
        let file = self.read_file(&mut settings)?;
        for source in [file, self.read_environment(), self.read_flags()] {
            set_all(&mut settings, source);
        }
        Ok(settings)
    }

    fn read_environment(&self) -> Vec<(String, Setting)> {
        let read = |(name, value): &(String, String)| {
            let key = name.strip_prefix("MARKT_")?.to_lowercase().replace("__", ".");
            Some((key, Setting { value: value.clone(), origin: Origin::Environment(name.clone()) }))
        };
        self.environment.iter().filter_map(read).collect()
    }

    fn read_flags(&self) -> Vec<(String, Setting)> {
        let read =
            |(key, value): &(String, String)| (key.clone(), Setting { value: value.clone(), origin: Origin::Flag });
        self.flags.iter().map(read).collect()
    }

    fn read_file(&self, settings: &mut Settings) -> Result<Vec<(String, Setting)>, ConfigErrors> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
            None => return Ok(Vec::new()),
        };
        let shown = path.display();
        let wrong = |error: String| {
            let text = format!("{shown}: {error}");
            ConfigErrors(vec![ConfigError::new("config-file-unreadable", shown.to_string(), text)])
        };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        // The parser's own message would quote the line, and a secret with it.
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            wrong(format!("line {line}: not TOML: {}", error.message()))
        })?;
        let origin = Origin::File(shown.to_string());
        let mut read = Vec::new();
        for (key, value) in flattened(String::new(), table) {
            match as_text(&value) {
                Some(value) => read.push((key, Setting { value, origin: origin.clone() })),
                None => {
                    let text = format!("{key} ({origin}): must be a text, a number, true, false or a list of texts");
                    settings.refuse(ConfigError::new(ConfigError::BAD_VALUE, key, text));
                }
            }
        }
        Ok(read)
    }
}

/// The table's values, and those of the tables in it, by their whole keys.
fn flattened(prefix: String, table: toml::Table) -> Vec<(String, toml::Value)> {
    let mut values = Vec::new();
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(table) => values.extend(flattened(key, table)),
            value => values.push((key, value)),
        }
    }
    values
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

/// Sets what stands in one source.
fn set_all(settings: &mut Settings, source: Vec<(String, Setting)>) {
    for (key, Setting { origin, .. }) in &source {
        let of_file = |(other, _): &&(String, Setting)| secret_key(other) == Some(key);
        if let Some((file_key, Setting { origin: file_origin, .. })) = source.iter().find(of_file) {
            let text = format!("{key} ({origin}) and {file_key} ({file_origin}): only one of them may be set");
            settings.refuse(ConfigError::new("config-set-twice", key, text));
        }
    }
    for (key, setting) in source {
        set(settings, key, setting);
    }
}

/// The key whose value stands in the file that this key names.
fn secret_key(key: &str) -> Option<&str> {
    key.strip_suffix("_file").filter(|key| SECRET_KEYS.contains(key))
}

fn set(settings: &mut Settings, key: String, Setting { value, origin }: Setting) {
    let Some(secret_key) = secret_key(&key) else {
        settings.set(key, Setting { value, origin });
        return;
    };
    match std::fs::read_to_string(&value) {
        // Editors end a file with a line break that is not part of the secret.
        Ok(text) => {
            let value = text.trim_end_matches(['\r', '\n']).to_owned();
            settings.set(secret_key.to_owned(), Setting { value, origin });
        }
        Err(error) => {
            let text = format!("{key} = {value:?} ({origin}): must be a file that can be read: {error}");
            settings.refuse(ConfigError::new("config-secret-file-unreadable", secret_key, text));
        }
    }
}

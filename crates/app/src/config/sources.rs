//! Where settings come from: a file, then the environment, then the command line.

use std::path::{Path, PathBuf};

use super::settings::{ConfigErrors, Origin, Setting, Settings};

/// The file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "markt-auth.toml";

/// The keys whose values may stand in a file of their own, named by the same key with `_file` (`_FILE`) behind it.
const SECRET_KEYS: [&str; 5] = ["database_url", "redis_url", "jwt.secret", "jwt.legacy.secret", "mail.smtp_url"];

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
        self.read_file(&mut settings)?;
        for (name, value) in &self.environment {
            if let Some(rest) = name.strip_prefix("MARKT_") {
                let key = rest.to_lowercase().replace("__", ".");
                set(&mut settings, key, value.clone(), &Origin::Environment(name.clone()));
            }
        }
        for (key, value) in &self.flags {
            set(&mut settings, key.clone(), value.clone(), &Origin::Flag);
        }
        Ok(settings)
    }

    fn read_file(&self, settings: &mut Settings) -> Result<(), ConfigErrors> {
        let path = match &self.file {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
            None => return Ok(()),
        };
        let shown = path.display();
        let wrong = |error: String| ConfigErrors(vec![format!("{shown}: {error}")]);
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        // The parser's own message would quote the line, and a secret with it.
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            wrong(format!("line {line}: not TOML: {}", error.message()))
        })?;
        flatten(settings, String::new(), table, &Origin::File(shown.to_string()));
        Ok(())
    }
}

fn flatten(settings: &mut Settings, prefix: String, table: toml::Table, origin: &Origin) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(table) => flatten(settings, key, table, origin),
            value => match as_text(&value) {
                Some(text) => set(settings, key, text, origin),
                None => settings
                    .refuse(format!("{key} ({origin}): must be a text, a number, true, false or a list of texts")),
            },
        }
    }
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

fn set(settings: &mut Settings, key: String, value: String, origin: &Origin) {
    let secret_key = key.strip_suffix("_file").filter(|key| SECRET_KEYS.contains(key));
    let Some(secret_key) = secret_key else {
        settings.set(key, Setting { value, origin: origin.clone() });
        return;
    };
    match std::fs::read_to_string(&value) {
        // Editors end a file with a line break that is not part of the secret.
        Ok(text) => {
            let value = text.trim_end_matches(['\r', '\n']).to_owned();
            settings.set(secret_key.to_owned(), Setting { value, origin: origin.clone() });
        }
        Err(error) => {
            settings.refuse(format!("{key} = {value:?} ({origin}): must be a file that can be read: {error}"))
        }
    }
}

//! Devices, told from what they say of themselves in `User-Agent`.
//!
//! The patterns are those of the ua-parser project (`data/README.md`). `names.rs` has the names that people know, and
//! the names of apps and tools that no pattern knows.

mod names;

use std::sync::OnceLock;

use markt_domain::ports::device_recognizer::{Device, DeviceRecognizer};
use quick_cache::sync::Cache;
use serde::Deserialize;
use ua_parser::{os, user_agent};

/// How many texts' devices are remembered. At about 500 bytes each this stays below 3 MiB.
const CAPACITY: usize = 4096;

/// How much of a text is looked at, in bytes. Of real ones, the rest says nothing new.
const MAX_TEXT: usize = 255;

/// Compiled once, since they take milliseconds and megabytes.
static PATTERNS: OnceLock<Patterns> = OnceLock::new();

/// Why devices can't be recognised.
#[derive(Debug, thiserror::Error)]
pub enum BrokenPatterns {
    /// The file of patterns can't be read.
    #[error("the patterns for user agents can't be read")]
    Unreadable(#[from] serde_json::Error),
    /// One of them is no regular expression, or refers to a group that it lacks.
    #[error("the patterns for user agents can't be compiled")]
    Invalid(#[from] ua_parser::Error),
}

/// Recognises devices by patterns, and remembers them.
pub struct Recognizer {
    patterns: &'static Patterns,
    recognized: Cache<Box<str>, Device>,
}

impl Recognizer {
    /// A recogniser with the patterns that are built in. The first of a process compiles them.
    ///
    /// # Errors
    /// If the patterns are broken.
    pub fn new() -> Result<Self, BrokenPatterns> {
        let patterns = match PATTERNS.get() {
            Some(patterns) => patterns,
            None => {
                let compiled = Patterns::compile()?;
                PATTERNS.get_or_init(|| compiled)
            }
        };
        Ok(Self { patterns, recognized: Cache::new(CAPACITY) })
    }
}

impl DeviceRecognizer for Recognizer {
    fn recognize(&self, user_agent: &str) -> Device {
        let text = &user_agent[..user_agent.floor_char_boundary(MAX_TEXT)];
        if let Some(device) = self.recognized.get(text) {
            return device;
        }
        let device = self.patterns.recognize(text);
        self.recognized.insert(text.into(), device.clone());
        device
    }
}

struct Patterns {
    browsers: user_agent::Extractor<'static>,
    systems: os::Extractor<'static>,
}

#[derive(Deserialize)]
struct Data {
    browsers: Vec<user_agent::Parser<'static>>,
    systems: Vec<os::Parser<'static>>,
}

impl Patterns {
    fn compile() -> Result<Self, BrokenPatterns> {
        let data: Data = serde_json::from_str(include_str!("../data/patterns.json"))?;
        let browsers = user_agent::Builder::new().push_all(data.browsers)?.build();
        let systems = os::Builder::new().push_all(data.systems).map_err(ua_parser::Error::from)?.build();
        Ok(Self {
            browsers: browsers.map_err(ua_parser::Error::from)?,
            systems: systems.map_err(ua_parser::Error::from)?,
        })
    }

    fn recognize(&self, text: &str) -> Device {
        let system = names::system_of_app(text).or_else(|| {
            let system = self.systems.extract(text)?;
            names::system(&system.os)
        });
        let browser = if names::says_browser(text) { self.browser(text) } else { names::app(text) };
        // "Android on Android" says no more than "Android".
        Device { browser: browser.filter(|browser| Some(browser) != system.as_ref()), system }
    }

    fn browser(&self, text: &str) -> Option<String> {
        let family = self.browsers.extract(text).map(|browser| browser.family);
        match family {
            Some(family) if !names::is_frame(&family) => Some(names::browser(&family)),
            family => names::framed_app(text).or_else(|| family.map(|family| names::browser(&family))),
        }
        .or_else(|| names::app(text))
    }
}

#[cfg(test)]
mod tests;

//! What a `User-Agent` says of the device that sent it.

use std::fmt;

/// A browser or an app, and the system that it runs on; versions aside, since these change by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// `Firefox`, or the name that an app gives itself (`okhttp`).
    pub browser: Option<String>,
    /// `Linux`.
    pub system: Option<String>,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.browser, &self.system) {
            (Some(browser), Some(system)) => write!(f, "{browser} on {system}"),
            (Some(name), None) | (None, Some(name)) => f.write_str(name),
            (None, None) => f.write_str("Unknown device"),
        }
    }
}

/// Recognises devices. Cheap enough to be asked at each request.
pub trait DeviceRecognizer: Send + Sync {
    /// The device that calls itself so. The same text gives the same device; another version of the same browser on
    /// the same system, too. Of a text that says nothing known, something is left to tell it from others by.
    fn recognize(&self, user_agent: &str) -> Device;
}

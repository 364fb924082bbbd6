//! What was found out about the machine, the stores and the running service.

use std::path::PathBuf;

pub use crate::wiring::examination::{ConnectionFacts, DatabaseFacts, MailFacts, MailTrouble, RedisFacts};

/// All that is known beyond the configuration. `None` is what wasn't asked for: it isn't configured, or the key that
/// says where couldn't be read.
#[derive(Debug, Default)]
pub struct Facts {
    /// How many cores this machine has.
    pub cores: u32,
    /// What Redis is like.
    pub redis: Option<Result<RedisFacts, StoreTrouble>>,
    /// What the database is like.
    pub database: Option<Result<DatabaseFacts, StoreTrouble>>,
    /// Why the folder that the database's file is to be in can't be written to, where there is no file yet.
    pub database_folder: Option<Result<(), String>>,
    /// What the mail server is like.
    pub mail_server: Option<Result<MailFacts, MailTrouble>>,
    /// Whether the folder for mail can be written to.
    pub mail_folder: Option<Result<(), String>>,
    /// Whether tokens can be signed and verified with the keys that are configured.
    pub signing: Option<Result<(), String>>,
    /// The files with secrets in them that others than their owner can read.
    pub readable_files: Vec<ReadableFile>,
    /// What the running service says, if one runs.
    pub service: Option<Result<ServiceFacts, String>>,
    /// Whether something listens where traces go.
    pub traces: Option<Result<(), String>>,
}

impl Facts {
    /// How many requests came with a client's address from who isn't trusted, if there is a service that counts them.
    pub fn untrusted_forwards(&self) -> Option<f64> {
        self.service.as_ref()?.as_ref().ok()?.untrusted_forwards
    }
}

/// Why a store can't be looked at. The text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreTrouble {
    /// Whether it answers, but refuses the user or the password.
    pub is_refused: bool,
    /// What was said.
    pub text: String,
}

/// A file with a secret in it that others than its owner can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadableFile {
    /// The key that names it, or that is set in it.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Its permissions: `0o644`.
    pub mode: u32,
}

/// What the admin listener of a running service says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceFacts {
    /// What isn't there that it needs, if it isn't ready: `redis`.
    pub unavailable: Option<Vec<String>>,
    /// How many requests came with `Forwarded` or `X-Forwarded-For` from who isn't trusted, if that is counted.
    pub untrusted_forwards: Option<f64>,
}

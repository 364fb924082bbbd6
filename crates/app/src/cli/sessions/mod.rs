//! `markt-auth sessions`

mod list;
mod representation;
mod revoke;
mod selection;
mod show;
mod stats;
mod watch;

use std::sync::Arc;

use clap::Subcommand;
use markt_domain::Timestamp;
use markt_domain::ports::device_recognizer::DeviceRecognizer;
use markt_domain::use_cases::walk_sessions::WalkSessions;

use super::Outcome;
use crate::audit::AuditWriter;
use crate::config::Config;
use crate::wiring::{Stores, Surroundings, open_devices, open_stores};

/// What is done about sessions.
#[derive(Subcommand)]
pub enum SessionsCommand {
    /// Lists the sessions that are alive.
    List(list::Arguments),
    /// Shows a session, and whether it would be let in now.
    Show(show::Arguments),
    /// Ends sessions, everywhere and at once.
    Revoke(revoke::Arguments),
    /// Counts the sessions.
    Stats(stats::Arguments),
    /// Shows what happens to users and their sessions, on all nodes, as it happens.
    Watch(watch::Arguments),
}

/// What the commands work with.
struct Tools<'a> {
    config: &'a Config,
    stores: Stores,
    surroundings: &'a Surroundings,
    devices: Arc<dyn DeviceRecognizer>,
    audit: Arc<AuditWriter>,
}

impl Tools<'_> {
    fn walk(&self) -> WalkSessions {
        WalkSessions {
            directory: Arc::clone(&self.stores.directory),
            sessions: Arc::clone(&self.stores.sessions),
            devices: Arc::clone(&self.devices),
            clock: Arc::clone(&self.surroundings.clock),
        }
    }

    fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }
}

/// Runs the command on the stores that are configured.
pub async fn run(command: SessionsCommand, config: &Config, surroundings: &Surroundings) -> Outcome {
    if let SessionsCommand::Show(arguments) = &command {
        arguments.check();
    }
    if let SessionsCommand::Revoke(arguments) = &command {
        arguments.check();
    }
    let stores = open_stores(config, surroundings).await?;
    let audit = AuditWriter::start(Arc::clone(&stores.audit), surroundings);
    let tools = Tools { config, stores, surroundings, devices: open_devices()?, audit };
    let outcome = match &command {
        SessionsCommand::List(arguments) => list::run(arguments, &tools).await,
        SessionsCommand::Show(arguments) => show::run(arguments, &tools).await,
        SessionsCommand::Revoke(arguments) => revoke::run(arguments, &tools).await,
        SessionsCommand::Stats(arguments) => stats::run(arguments, &tools).await,
        SessionsCommand::Watch(arguments) => watch::run(arguments, &tools).await,
    };
    tools.audit.close().await;
    tools.stores.close().await;
    outcome
}

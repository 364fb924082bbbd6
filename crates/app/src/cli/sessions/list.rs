//! `markt-auth sessions list`

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;
use markt_domain::use_cases::inspect_sessions::{InspectSessions, Position};
use serde_json::json;

use super::selection::Conditions;
use super::{Tools, representation};
use crate::cli::Outcome;
use crate::cli::output::{Progress, counted, print_json, say};

/// Which sessions are listed, and how.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    conditions: Conditions,
    /// So many at most.
    #[arg(long, value_name = "N", default_value = "50")]
    limit: NonZeroU32,
    /// Goes on where a list ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<Position>,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, tools: &Tools<'_>) -> Outcome {
    let selector = arguments.conditions.selector(tools).await?;
    let inspect = InspectSessions { walk: tools.walk(), users: Arc::clone(&tools.stores.users) };
    let position = arguments.cursor.clone().unwrap_or_default();
    let progress = Progress::default();
    let listing = inspect.list(&selector, position, arguments.limit, &|count| progress.show(count)).await?;
    drop(progress);
    let (devices, now) = (tools.devices.as_ref(), tools.now());
    if arguments.json {
        return Ok(print_json(&json!({
            "sessions": representation::json(&listing.sessions, devices, now),
            "unreadable": listing.unreadable,
            "next_cursor": listing.next.map(|next| next.to_string()),
        }))?);
    }
    if listing.sessions.is_empty() {
        say("No sessions.")?;
    } else {
        representation::print_table(&listing.sessions, devices, now)?;
    }
    if listing.unreadable > 0 {
        say(format_args!("\n{} can't be read as sessions.", counted(listing.unreadable, "record")))?;
    }
    if let Some(next) = listing.next {
        say(format_args!("\nThere may be more: --cursor {next}"))?;
    }
    Ok(())
}

//! `markt-auth sessions watch`

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use markt_domain::audit::{AuditEntry, AuditEvent};
use markt_domain::ports::audit_log::Position;
use markt_domain::session::Ending;
use markt_domain::user::UserId;
use serde_json::json;

use super::Tools;
use crate::cli::Outcome;
use crate::cli::output::say;
use crate::config::values::Value;

/// How often it is looked whether something has happened.
const PAUSE: Duration = Duration::from_millis(500);

/// How much is read at a time.
const PAGE: u64 = 500;

/// Behind how much later ones an entry may still appear: those of several nodes become visible out of order (ADR 31).
const LATE: Duration = Duration::from_secs(10);

/// What is shown.
#[derive(Args)]
pub struct Arguments {
    /// Of one user only.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of these kinds only, such as login_failed; can be repeated.
    #[arg(long, value_name = "EVENT")]
    event: Vec<AuditEvent>,
    /// From so long ago on, such as 1h; from now on without this.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// Ends when there is nothing more to show, in place of waiting for it.
    #[arg(long)]
    no_follow: bool,
    /// In JSON, one object a line.
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    <Duration as Value>::parse(text).ok_or_else(|| format!("must be {}", <Duration as Value>::ALLOWED))
}

impl Arguments {
    fn is_meant(&self, AuditEntry { record, .. }: &AuditEntry) -> bool {
        let is_users = self.user.as_ref().is_none_or(|user| record.user_id.as_ref().map(UserId::as_str) == Some(user));
        is_users && (self.event.is_empty() || self.event.contains(&record.event))
    }
}

/// Shows what happens, until it is interrupted.
pub(super) async fn run(arguments: &Arguments, tools: &Tools<'_>) -> Outcome {
    let begin = tools.now().minus(arguments.since.unwrap_or_default());
    let trail = &tools.stores.audit;
    let (mut settled, mut shown) = (trail.position_before(begin.minus(LATE)).await?, BTreeSet::new());
    loop {
        let mut read = settled;
        loop {
            let page = trail.after(read, PAGE).await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for (position, entry) in page {
                read = position;
                if shown.insert(position) && entry.at >= begin && arguments.is_meant(&entry) {
                    show(arguments, tools, &entry)?;
                }
            }
            if is_last {
                break;
            }
        }
        if arguments.no_follow {
            return Ok(());
        }
        // What is older than that has all its forerunners.
        settled = trail.position_before(tools.now().minus(LATE)).await?.max(settled);
        shown = shown.split_off(&Position(settled.0.saturating_add(1)));
        tokio::time::sleep(PAUSE).await;
    }
}

fn show(arguments: &Arguments, tools: &Tools<'_>, entry: &AuditEntry) -> std::io::Result<()> {
    if arguments.json {
        return say(json_of(entry, tools));
    }
    let serde_json::Value::Object(fields) = json_of(entry, tools) else { return Ok(()) };
    let text =
        |name: &str| fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let details = ["user_id", "session_id", "related_id", "ip_address", "device", "reason", "ending", "count"];
    let details =
        details.into_iter().filter_map(|name| Some(format!("{name}={}", text(name).filter(|text| text != "null")?)));
    let (at, event) = (text("at").unwrap_or_default(), entry.record.event.as_str());
    say(format_args!("{at}  {event:<24}{}", details.collect::<Vec<_>>().join(" ")))
}

fn json_of(AuditEntry { at, request_id, record, .. }: &AuditEntry, tools: &Tools<'_>) -> serde_json::Value {
    let device = record.client.as_ref().map(|client| tools.devices.recognize(&client.user_agent).to_string());
    json!({
        "at": at.to_string(),
        "event": record.event.as_str(),
        "user_id": record.user_id.as_ref().map(UserId::as_str),
        "session_id": record.session_id.map(|id| id.to_string()),
        "related_id": record.related_id.map(|id| id.to_string()),
        "ip_address": record.client.as_ref().map(|client| client.ip_address.to_string()),
        "user_agent": record.client.as_ref().map(|client| &client.user_agent),
        "device": device,
        "reason": record.reason,
        "ending": record.ending.map(Ending::as_str),
        "count": record.count,
        "request_id": request_id,
    })
}

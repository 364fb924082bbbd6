//! `markt-auth sessions stats`

use std::collections::HashMap;
use std::io;

use clap::Args;
use markt_domain::ports::session_directory::IndexPage;
use markt_domain::role::Role;
use markt_domain::session::Transport;
use markt_domain::use_cases::count_sessions::{Census, CountSessions};
use serde_json::{Map, Value, json};

use super::Tools;
use crate::cli::Outcome;
use crate::cli::output::{Brief, Field, Progress, print_fields, print_json, say};

/// How many kinds of devices are shown, the rest being one.
const DEVICES: usize = 12;

/// How the numbers are shown.
#[derive(Args)]
pub struct Arguments {
    /// In JSON.
    #[arg(long)]
    json: bool,
}

struct Statistics {
    census: Census,
    /// Devices with how many sessions each has, the most first.
    devices: Vec<(String, u64)>,
    bytes: Option<u64>,
    index: Option<IndexPage>,
}

pub(super) async fn run(arguments: &Arguments, tools: &Tools<'_>) -> Outcome {
    let count = CountSessions { walk: tools.walk() };
    let progress = Progress::default();
    let census = count.census(&|count| progress.show(count)).await?;
    let index = count.check_index(&|count| progress.show(count)).await?;
    drop(progress);
    let bytes = count.bytes().await?;
    let devices = by_name(census.by_device.iter().map(|(device, count)| (device.to_string(), *count)));
    let statistics = Statistics { census, devices, bytes, index };
    if arguments.json {
        return Ok(print_json(&statistics.to_json())?);
    }
    Ok(statistics.print(tools)?)
}

/// Devices that look the same are one.
fn by_name(counts: impl Iterator<Item = (String, u64)>) -> Vec<(String, u64)> {
    let mut sums: HashMap<String, u64> = HashMap::new();
    for (name, count) in counts {
        *sums.entry(name).or_default() += count;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(name, count), (other, others)| others.cmp(count).then_with(|| name.cmp(other)));
    sums
}

impl Statistics {
    fn roles(&self) -> [(&'static str, u64); 2] {
        Role::ALL.map(|role| (role.as_str(), self.census.by_role.get(&role).copied().unwrap_or_default()))
    }

    fn transports(&self) -> [(&'static str, u64); 2] {
        [Transport::Cookie, Transport::Bearer].map(|transport| {
            (transport.as_str(), self.census.by_transport.get(&transport).copied().unwrap_or_default())
        })
    }

    fn to_json(&self) -> Value {
        let Self { census, devices, bytes, index } = self;
        let object = |counts: &[(&str, u64)]| {
            counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<Map<_, _>>()
        };
        let devices: Map<_, _> = devices.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
        json!({
            "active": census.active,
            "expired": census.expired,
            "unreadable": census.unreadable,
            "expiring_within_24h": census.expiring_soon,
            "by_role": object(&self.roles()),
            "by_transport": object(&self.transports()),
            "by_device": devices,
            "oldest": census.oldest.as_ref().map(|session| json!({
                "id": session.id.to_string(),
                "user_id": session.user_id.as_str(),
                "created_at": session.created_at.to_string(),
            })),
            "bytes": bytes,
            "index": index.as_ref().map(|index| json!({
                "entries": index.entries,
                "ended": index.ended,
                "dangling": index.dangling,
                "missing": index.missing,
                "unreadable": index.unreadable,
            })),
        })
    }

    fn print(&self, tools: &Tools<'_>) -> io::Result<()> {
        let Self { census, devices, bytes, index } = self;
        let mut fields = vec![Field::new("active", census.active)];
        fields.extend(self.roles().map(|(name, count)| Field::new(name, count)));
        fields.extend(self.transports().map(|(name, count)| Field::new(name, count)));
        fields.push(Field::new("expiring within 24 h", census.expiring_soon));
        let oldest = census.oldest.as_ref();
        fields.push(Field::new("oldest", Value::Null).shown_as(oldest.map_or_else(
            || "-".to_owned(),
            |session| {
                let age = Brief(tools.now().since(session.created_at));
                format!("{} ({age} ago), of {}: {}", session.created_at, session.user_id, session.id)
            },
        )));
        fields.push(Field::new("expired, not yet forgotten", census.expired));
        fields.push(Field::new("unreadable", census.unreadable));
        fields.push(Field::new("bytes", *bytes));
        print_fields(&fields)?;
        print_devices(devices)?;
        index.as_ref().map_or(Ok(()), print_index)
    }
}

fn print_devices(devices: &[(String, u64)]) -> io::Result<()> {
    let (shown, others) = devices.split_at(devices.len().min(DEVICES));
    say("\nby device")?;
    let widest = shown.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or_default();
    for (name, count) in shown {
        say(format_args!("  {count:widest$}  {name}"))?;
    }
    if !others.is_empty() {
        let count: u64 = others.iter().map(|(_, count)| count).sum();
        say(format_args!("  {count:widest$}  on {} other kinds", others.len()))?;
    }
    Ok(())
}

fn print_index(index: &IndexPage) -> io::Result<()> {
    let IndexPage { entries, ended, dangling, missing, unreadable, .. } = index;
    say(format_args!("\nindex of users' sessions: {entries} entries"))?;
    say(format_args!("  {ended} of sessions that have ended; they leave at the user's next write"))?;
    say(format_args!("  {dangling} of sessions that are gone before their end: removed past this service"))?;
    say(format_args!("  {missing} sessions are in no index: \"log out everywhere\" ends them by the epoch alone"))?;
    if *unreadable > 0 {
        say(format_args!("  {unreadable} indexes can't be read"))?;
    }
    Ok(())
}

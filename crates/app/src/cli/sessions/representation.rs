//! Sessions as operators see them.

use std::io;

use markt_domain::Timestamp;
use markt_domain::ports::device_recognizer::DeviceRecognizer;
use markt_domain::ports::session_store::StoredSession;
use serde_json::Value;

use crate::cli::output::{Brief, Field, Table, to_json};

/// All that is kept of a session, by the names that it has in the API.
pub fn fields(stored: &StoredSession, devices: &dyn DeviceRecognizer, now: Timestamp) -> Vec<Field> {
    let session = &stored.session;
    let mut fields = vec![
        Field::new("id", session.id.to_string()),
        Field::new("user_id", session.user_id.as_str()),
        Field::new("current_role", session.current_role.as_str()),
        Field::new("device", devices.recognize(&session.client.user_agent).to_string()),
        Field::new("ip_address", session.client.ip_address.to_string()),
        Field::new("user_agent", &*session.client.user_agent),
        Field::new("transport", session.transport.as_str()),
        Field::new("remember", session.remember),
        Field::time("created_at", session.created_at, now),
        Field::time("last_activity", session.last_activity, now),
        Field::time("authenticated_at", session.authenticated_at, now),
        Field::new("password_given", session.password_given),
        Field::time("idle_expires_at", session.idle_expires_at, now),
        Field::time("expires_at", session.expires_at, now),
        Field::new("family", session.family.to_string()),
        Field::new("revision", stored.revision.0),
        Field::new("epoch", session.epoch.0),
        Field::new("user_version", stored.user_version.0),
    ];
    if let Some(chain) = session.refresh {
        fields.push(Field::new("refresh_generation", chain.generation.get()));
        fields.push(Field::time("refreshed_at", chain.since, now));
    }
    fields
}

/// Sessions as a JSON array.
pub fn json(sessions: &[StoredSession], devices: &dyn DeviceRecognizer, now: Timestamp) -> Value {
    sessions.iter().map(|stored| to_json(fields(stored, devices, now))).collect()
}

/// Prints sessions, one a line: the one that was used last first.
pub fn print_table(sessions: &[StoredSession], devices: &dyn DeviceRecognizer, now: Timestamp) -> io::Result<()> {
    let mut sessions: Vec<_> = sessions.iter().map(|stored| &stored.session).collect();
    sessions.sort_by_key(|session| std::cmp::Reverse((session.last_activity, session.created_at)));
    let mut table = Table::new(["USER", "ROLE", "VIA", "DEVICE", "ADDRESS", "AGE", "UNUSED", "ENDS IN", "ID"]);
    for session in sessions {
        table.push([
            session.user_id.as_str().to_owned(),
            session.current_role.to_string(),
            session.transport.as_str().to_owned(),
            devices.recognize(&session.client.user_agent).to_string(),
            session.client.ip_address.to_string(),
            Brief(now.since(session.created_at)).to_string(),
            Brief(now.since(session.last_activity)).to_string(),
            Brief(session.ends_at().since(now)).to_string(),
            session.id.to_string(),
        ]);
    }
    table.print()
}

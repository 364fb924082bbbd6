//! `markt-auth sessions show`

use std::sync::Arc;

use clap::Args;
use markt_domain::admission::Refusal;
use markt_domain::session::{SessionId, SessionSecret};
use markt_domain::use_cases::inspect_sessions::{InspectSessions, Inspected, Shown};
use serde_json::{Value, json};

use super::selection::session_id;
use super::{Tools, representation};
use crate::cli::output::{Brief, Field, print_fields, print_json, say, to_json};
use crate::cli::typed::secret_line;
use crate::cli::{Failure, Outcome};

/// Which session is shown, and how.
#[derive(Args)]
pub struct Arguments {
    /// The session's public id.
    #[arg(value_name = "ID", required_unless_present = "secret_stdin", conflicts_with = "secret_stdin")]
    id: Option<String>,
    /// The session that is opened by the secret on standard input. It is hashed, and shown nowhere.
    #[arg(long)]
    secret_stdin: bool,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Ends the process if the id can't be one.
    pub fn check(&self) {
        self.id.as_deref().map(session_id);
    }

    async fn id(&self) -> Result<SessionId, Failure> {
        if let Some(id) = &self.id {
            return Ok(session_id(id));
        }
        let line = secret_line("secret").await?;
        let secret = SessionSecret::parse(line.trim()).map_err(|error| format!("standard input: {error}"))?;
        Ok(secret.id())
    }
}

pub(super) async fn run(arguments: &Arguments, tools: &Tools<'_>) -> Outcome {
    let id = arguments.id().await?;
    let inspect = InspectSessions { walk: tools.walk(), users: Arc::clone(&tools.stores.users) };
    let (reason, ending) = match inspect.show(&id).await? {
        Shown::Session(inspected) => return print(arguments, &inspected, tools),
        Shown::Unreadable { store, place } => {
            (format!("what stands in {store} under {place} can't be read as a session"), None)
        }
        Shown::Ended(ending) => (format!("session {id} has ended: {ending}"), Some(ending)),
        Shown::Unknown => (format!("there is no session {id}, and none is remembered"), None),
    };
    if arguments.json {
        print_json(&json!({
            "id": id.to_string(),
            "let_in": false,
            "ending": ending.map(|ending| ending.as_str()),
        }))?;
    }
    Err(reason.into())
}

fn print(arguments: &Arguments, inspected: &Inspected, tools: &Tools<'_>) -> Outcome {
    let fields = fields(inspected, tools);
    if arguments.json {
        return Ok(print_json(&to_json(fields))?);
    }
    print_fields(&fields)?;
    Ok(say(format_args!("\n{}", verdict(inspected)))?)
}

fn fields(inspected: &Inspected, tools: &Tools<'_>) -> Vec<Field> {
    let Inspected { stored, located, account, refusal } = inspected;
    let now = tools.now();
    let mut fields = representation::fields(stored, tools.devices.as_ref(), now);
    if let Some(until) = stored.honoured_until {
        fields.push(Field::time("former_id_honoured_until", until, now));
    }
    let user = account.as_ref().map(|account| account.user());
    fields.push(Field::new("user_email", user.map(|user| user.email.as_str())));
    fields.push(Field::new("user_is_active", user.map(|user| user.is_active)));
    fields.push(Field::new("user_session_epoch", account.as_ref().map(|account| account.state.epoch.0)));
    fields.push(Field::new("store", located.store));
    fields.push(Field::new("place", located.place.as_str()));
    let ttl = Field::new("time_to_live_seconds", located.time_to_live.map(|ttl| ttl.as_secs()));
    fields.push(match located.time_to_live {
        Some(ttl_left) => ttl.shown_as(format!("{} ({})", ttl_left.as_secs(), Brief(ttl_left))),
        None => ttl.shown_as("- (it is forgotten some time after its end)".to_owned()),
    });
    fields.push(Field::new("let_in", refusal.is_none()));
    fields.push(Field::new("reason", refusal.map_or(Value::Null, |refusal| refusal.as_str().into())));
    fields
}

/// Whether it would be let in now, in a sentence.
fn verdict(Inspected { stored, account, refusal, .. }: &Inspected) -> String {
    let session = &stored.session;
    let Some(refusal) = refusal else {
        return match stored.honoured_until {
            None => "It would be let in now, by the client that it is bound to (session.binding).".to_owned(),
            Some(until) => format!("Its secret was replaced, and is let in until {until}, for requests under way."),
        };
    };
    let why = match refusal {
        Refusal::Replaced => "its secret was replaced, and isn't honoured any more".to_owned(),
        Refusal::Idle => format!("it wasn't used for its idle timeout, which ended at {}", session.idle_expires_at),
        Refusal::TooOld => format!("it reached its absolute timeout at {}", session.expires_at),
        Refusal::Deactivated => "its user was deactivated".to_owned(),
        Refusal::EpochEnded => {
            let present = account.as_ref().map(|account| account.state.epoch.0).unwrap_or_default();
            let of = session.epoch.0;
            format!("all of its user's sessions were ended: it is of epoch {of}, and the user's is {present}")
        }
        Refusal::UserGone => format!("there is no user {}", session.user_id),
    };
    format!("It would be refused now: {why}.")
}

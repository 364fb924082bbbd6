//! `markt-auth users`

mod create;

use std::sync::Arc;

use clap::{Args, Subcommand};
use markt_domain::credentials::EmailAddress;
use markt_domain::ports::audit_log::AuditLog;
use markt_domain::use_cases::set_active::SetActive;
use markt_domain::user::{Account, UserId};
use serde_json::{Value, json};

use super::output::{print_json, say};
use super::{Failure, Outcome};
use crate::audit::AuditWriter;
use crate::config::Config;
use crate::wiring::{Stores, Surroundings, open_stores};

/// What is done about a user.
#[derive(Subcommand)]
pub enum UsersCommand {
    /// Makes a user. The password is read from standard input.
    Create(create::NewUserFlags),
    /// Shows a user.
    Show(Selected),
    /// Ends all of a user's sessions, everywhere and at once, and lets the user not log in any more.
    Deactivate(Selected),
    /// Lets a user log in again.
    Activate(Selected),
}

/// Which user.
#[derive(Args)]
pub struct Selected {
    /// The user's id (USR_…) or e-mail address.
    #[arg(value_name = "USER")]
    user: String,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command on the stores that are configured.
pub async fn run(command: UsersCommand, config: &Config, surroundings: &Surroundings) -> Outcome {
    let stores = open_stores(config, surroundings).await?;
    let audit = AuditWriter::start(Arc::clone(&stores.audit), surroundings);
    let outcome = execute(&command, &stores, config, surroundings, Arc::clone(&audit) as _).await;
    audit.close().await;
    if !matches!(command, UsersCommand::Show(_) | UsersCommand::Create(_)) {
        // What it says has happened has happened everywhere.
        stores.settle(config).await;
    }
    stores.close().await;
    outcome
}

async fn execute(
    command: &UsersCommand,
    stores: &Stores,
    config: &Config,
    surroundings: &Surroundings,
    audit: Arc<dyn AuditLog>,
) -> Outcome {
    let set_active = SetActive {
        users: Arc::clone(&stores.users),
        sessions: Arc::clone(&stores.sessions),
        clock: Arc::clone(&surroundings.clock),
        audit: Arc::clone(&audit),
    };
    let (in_json, text, json) = match command {
        UsersCommand::Create(flags) => {
            let account = create::create(flags, stores, config, surroundings, audit).await?;
            (flags.json, format!("{} is created, and can log in.", named(&account)), shown(&account))
        }
        UsersCommand::Show(selected) => {
            let account = find(stores, &selected.user).await?;
            (selected.json, described(&account), shown(&account))
        }
        UsersCommand::Deactivate(selected) => {
            let account = find(stores, &selected.user).await?;
            let id = &account.user().id;
            let ended = set_active.deactivate(id).await?;
            let text = format!("{} is deactivated; {ended} sessions were ended.", named(&account));
            (selected.json, text, json!({ "id": id.as_str(), "is_active": false, "ended_sessions": ended }))
        }
        UsersCommand::Activate(selected) => {
            let account = find(stores, &selected.user).await?;
            let id = &account.user().id;
            set_active.activate(id).await?;
            let text = format!("{} can log in.", named(&account));
            (selected.json, text, json!({ "id": id.as_str(), "is_active": true }))
        }
    };
    if in_json {
        print_json(&json)?;
    } else {
        say(text)?;
    }
    Ok(())
}

fn named(account: &Account) -> String {
    let user = account.user();
    format!("{} ({})", user.id, user.email.as_str())
}

/// The account of the user with this id or e-mail address.
pub(super) async fn find(stores: &Stores, text: &str) -> Result<Account, Failure> {
    let found = if text.contains('@') {
        let email = EmailAddress::from_store(text.trim().to_owned());
        stores.users.find_by_email(&email).await?.map(|found| found.account)
    } else {
        stores.users.find(&UserId::from_store(text.trim())).await?
    };
    found.ok_or_else(|| format!("there is no user {text}").into())
}

fn shown(account: &Account) -> Value {
    let user = account.user();
    json!({
        "id": user.id.as_str(),
        "email": user.email.as_str(),
        "username": user.username.as_str(),
        "is_active": user.is_active,
        "email_verified": user.email_verified,
        "is_buyer": user.is_buyer,
        "is_seller": user.is_seller,
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
        "last_login_at": user.last_login_at.map(|time| time.to_string()),
        "session_epoch": account.state.epoch.0,
    })
}

fn described(account: &Account) -> String {
    let Value::Object(fields) = shown(account) else { return String::new() };
    let widest = fields.keys().map(String::len).max().unwrap_or_default();
    let line = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        format!("{name:widest$}  {value}")
    };
    fields.iter().map(line).collect::<Vec<_>>().join("\n")
}

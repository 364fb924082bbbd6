//! `markt-auth sessions revoke`

use std::sync::Arc;

use clap::{ArgGroup, Args};
use markt_domain::selector::Selector;
use markt_domain::session::SessionId;
use markt_domain::use_cases::revoke_sessions::{Picked, RevokeSessions, SAMPLE};
use markt_domain::user::UserId;
use serde_json::json;

use super::selection::{self, Conditions, session_id};
use super::{Tools, representation};
use crate::cli::Outcome;
use crate::cli::output::{Progress, counted, print_json, say};
use crate::config::values::{AuthMode, Value as _};

/// Which sessions are revoked, and how.
#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).arg("id").args(selection::NAMES)))]
pub struct Arguments {
    /// The public id of one session.
    #[arg(value_name = "ID", conflicts_with_all = selection::NAMES)]
    id: Option<String>,
    #[command(flatten)]
    conditions: Conditions,
    /// Counts what would be revoked, and shows some of it.
    #[arg(long)]
    dry_run: bool,
    /// Revokes more than one session by what they have in common.
    #[arg(long)]
    yes: bool,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Ends the process if the id can't be one.
    pub fn check(&self) {
        self.id.as_deref().map(session_id);
    }
}

pub(super) async fn run(arguments: &Arguments, tools: &Tools<'_>) -> Outcome {
    let revoke = Revoke {
        sessions: RevokeSessions {
            walk: tools.walk(),
            sessions: Arc::clone(&tools.stores.sessions),
            users: Arc::clone(&tools.stores.users),
            audit: Arc::clone(&tools.audit) as _,
        },
        arguments,
        tools,
    };
    if let Some(id) = arguments.id.as_deref().map(session_id) {
        return revoke.one(&id).await;
    }
    let selector = arguments.conditions.selector(tools).await?;
    match selector.only_user() {
        Some(user) if !arguments.dry_run => revoke.all_of(user).await,
        _ => revoke.all(&selector).await,
    }
}

struct Revoke<'a> {
    sessions: RevokeSessions,
    arguments: &'a Arguments,
    tools: &'a Tools<'a>,
}

impl Revoke<'_> {
    async fn one(&self, id: &SessionId) -> Outcome {
        if self.arguments.dry_run {
            let found = self.tools.stores.sessions.find(id).await?;
            let sample: Vec<_> =
                found.filter(|stored| !stored.session.is_expired(self.tools.now())).into_iter().collect();
            return self.report_dry(&Picked { count: u64::from(!sample.is_empty()), sample });
        }
        if !self.sessions.one(id).await? {
            let ending = self.tools.stores.sessions.ending(id).await?;
            let how = ending.map_or_else(String::new, |ending| format!(": it has ended before ({ending})"));
            return Err(format!("there is no session {id}{how}").into());
        }
        self.report(1).await
    }

    async fn all_of(&self, user: &UserId) -> Outcome {
        let stores = &self.tools.stores;
        // Sessions of a user who is gone are still worth ending.
        if stores.users.find(user).await?.is_none() && stores.sessions.list(user).await?.is_empty() {
            return Err(format!("there is no user {user}").into());
        }
        self.report(self.sessions.all_of(user).await?).await
    }

    async fn all(&self, selector: &Selector) -> Outcome {
        if !self.arguments.yes || self.arguments.dry_run {
            let picked = {
                let progress = Progress::default();
                self.sessions.survey(selector, &|count| progress.show(count)).await?
            };
            if self.arguments.dry_run {
                return self.report_dry(&picked);
            }
            return match (picked.count, &*picked.sample) {
                (0, _) => self.report(0).await,
                (1, [stored]) => self.report(self.sessions.one(&stored.session.id).await?.into()).await,
                (count, _) => Err(format!(
                    "{} would be revoked: look at some with --dry-run, revoke them with --yes",
                    counted(count, "session")
                )
                .into()),
            };
        }
        let revoked = {
            let progress = Progress::default();
            self.sessions.all(selector, &|count| progress.show(count)).await?
        };
        self.report(revoked).await
    }

    fn report_dry(&self, picked: &Picked) -> Outcome {
        let (devices, now) = (self.tools.devices.as_ref(), self.tools.now());
        if self.arguments.json {
            return Ok(print_json(&json!({
                "dry_run": true,
                "matching": picked.count,
                "sample": representation::json(&picked.sample, devices, now),
            }))?);
        }
        say(format_args!("{} would be revoked.", counted(picked.count, "session")))?;
        if !picked.sample.is_empty() {
            let some =
                if picked.count > picked.sample.len() as u64 { format!("{SAMPLE} of them:\n") } else { String::new() };
            say(some)?;
            representation::print_table(&picked.sample, devices, now)?;
        }
        Ok(())
    }

    /// Says what was done, once it shows everywhere.
    async fn report(&self, revoked: u64) -> Outcome {
        self.tools.stores.settle(self.tools.config).await;
        let (auth, jwt) = (&self.tools.config.auth, &self.tools.config.jwt);
        let tokens_live_on = auth.mode != AuthMode::Session && !jwt.denylist && revoked > 0;
        if self.arguments.json {
            return Ok(print_json(&json!({
                "dry_run": false,
                "revoked": revoked,
                "access_tokens_accepted_for_seconds": if tokens_live_on { jwt.access_ttl.as_secs() } else { 0 },
            }))?);
        }
        say(format_args!("{} revoked.", counted(revoked, "session")))?;
        if tokens_live_on {
            say(format_args!(
                "Access tokens that were handed out for them are accepted until they expire: for {} at most.",
                jwt.access_ttl.shown()
            ))?;
        }
        Ok(())
    }
}

//! `markt-auth doctor`: what is wrong with a set-up, why that matters, and what to change.
//!
//! [`gather()`] asks the machine, the stores and the service what they are like. Each check is a function from the
//! configuration and these [`Facts`] to [`Finding`]s, so that it is tested without any of them. [`origin`] says what
//! browsers do with the cookie for the pages of one origin.

mod accounts;
pub mod adoption;
mod cookie;
mod cors;
mod database;
pub mod facts;
mod finding;
mod gather;
mod lifetimes;
mod listeners;
mod mail;
pub mod origin;
mod redis;
mod refused;
mod report;
mod site;
mod telemetry;
#[cfg(test)]
mod testing;
mod tokens;

pub use facts::Facts;
pub use finding::Finding;
pub use gather::gather;
pub use refused::{findings as findings_of, unread_keys};
pub use report::Report;
pub use site::WebOrigin;

use crate::config::{Config, ConfigErrors};

/// The findings about a configuration that could be read, be it in part: what stops the start first, then the rest, the
/// worst first.
///
/// What is said of a key that couldn't be read would be about its default, and is left out.
pub fn examine(config: &Config, errors: &ConfigErrors, facts: &Facts, service: Option<&WebOrigin>) -> Vec<Finding> {
    let unread = unread_keys(errors);
    let mut findings = [
        cookie::check(config, service),
        cors::check(config, service),
        lifetimes::check(&config.session),
        lifetimes::check_binding(config, facts),
        listeners::check(config, facts),
        accounts::check(config, facts),
        tokens::check(config, facts),
        redis::check(config, facts),
        database::check(config, facts),
        mail::check(config, facts),
        telemetry::check(config, facts),
    ]
    .concat();
    findings.retain(|finding| !finding.concerns(&unread));
    if errors.0.is_empty() {
        findings.push(Finding::ok("configuration", "The configuration can be read, and the service starts with it."));
    }
    findings.splice(0..0, findings_of(errors));
    // Of the same severity in the order of their areas.
    findings.sort_by_key(|finding| finding.severity);
    findings
}

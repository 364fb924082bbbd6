//! What the checks' tests share.

use super::finding::{Finding, Severity};
use crate::config::{Config, ConfigErrors, Sources};

fn read(settings: &[(&str, &str)]) -> (Config, ConfigErrors) {
    let flags = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Config::read(&Sources { flags, ..Sources::default() }).unwrap()
}

/// The configuration with these keys set, as far as it can be read.
pub(super) fn config(settings: &[(&str, &str)]) -> Config {
    read(settings).0
}

/// What is wrong with such a configuration.
pub(super) fn errors_of(settings: &[(&str, &str)]) -> ConfigErrors {
    read(settings).1
}

/// The finding with this id, which must be there.
#[track_caller]
pub(super) fn find<'a>(findings: &'a [Finding], id: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id} in {findings:#?}"))
}

/// The ids and severities of what isn't as it should be.
pub(super) fn bad(findings: &[Finding]) -> Vec<(Severity, &'static str)> {
    let bad = findings.iter().filter(|finding| finding.severity != Severity::Ok);
    bad.map(|finding| (finding.severity, finding.id)).collect()
}

//! `cargo xtask alerts`: whether what `docs/operations/monitoring` has for Prometheus and Grafana works.
//!
//! Whether rules and queries can be read, and alerts fire when they should, Prometheus' own `promtool` says. That what
//! they name exists, and that each alert leads to its section in the runbook, is checked here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cargo::{self, Failure};
use crate::programs;

/// Where all of it is.
const FOLDER: &str = "docs/operations/monitoring";

/// Debian's package of promtool.
const PACKAGE: &str = "prometheus";

/// What the metrics' names begin with.
const PREFIXES: [&str; 2] = ["markt_", "process_"];

/// What each alert has to say.
const NEEDED: [&str; 5] = ["for", "severity", "summary", "description", "runbook_url"];

/// What Grafana fills in, and something that it could fill in.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "5m"), ("$__interval", "1m"), ("$instance", ".+")];

pub(crate) fn run() -> Result<(), Failure> {
    let folder = cargo::root().join(FOLDER);
    let read = |name: &str| read(&folder.join(name));
    programs::ensure("promtool", PACKAGE)?;
    promtool(&["check", "config"], &folder.join("prometheus.yml"))?;
    promtool(&["test", "rules"], &folder.join("alerts-test.yml"))?;
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")?)?;
    let queries = queries(&dashboard);
    check_queries(&queries)?;

    let (alerts, runbook) = (read("alerts.yml")?, read("runbook.md")?);
    let metrics = Metrics::parse(&read("metrics.md")?);
    let mut wrong = metrics.unknown("the dashboard", &queries.join("\n"), Names::Series);
    wrong.extend(metrics.unknown("alerts.yml", &alerts, Names::Series));
    wrong.extend(metrics.unknown("runbook.md", &runbook, Names::Any));
    wrong.extend(check_alerts(&alerts, &read("alerts-test.yml")?, &runbook));
    if wrong.is_empty() {
        eprintln!("{} alerts and {} queries are in order", blocks(&alerts).count(), queries.len());
        return Ok(());
    }
    Err(format!("{} wrong in {FOLDER}:\n{}", wrong.len(), wrong.join("\n")).into())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()).into())
}

fn promtool(command: &[&str], file: &Path) -> Result<(), Failure> {
    cargo::run(Command::new("promtool").args(command).arg(file))
}

/// Every query in the dashboard, as Prometheus could be asked it.
fn queries(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("expr").and_then(Value::as_str).map(|query| {
                VARIABLES.iter().fold(query.to_owned(), |query, (name, example)| query.replace(name, example))
            });
            own.into_iter().chain(fields.values().flat_map(queries)).collect()
        }
        Value::Array(items) => items.iter().flat_map(queries).collect(),
        _ => Vec::new(),
    }
}

/// Has promtool read them as rules, which is what it reads without a server. (JSON is YAML.)
fn check_queries(queries: &[String]) -> Result<(), Failure> {
    let rule = |(number, query): (usize, &String)| json!({ "record": format!("query_{number}"), "expr": query });
    let rules: Vec<Value> = queries.iter().enumerate().map(rule).collect();
    let file = std::env::temp_dir().join(format!("markt-dashboard-{}.yml", std::process::id()));
    fs::write(&file, json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string())?;
    let checked = promtool(&["check", "rules"], &file);
    fs::remove_file(file)?;
    checked
}

/// Which names of a metric are in place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Those of its series, as queries need them.
    Series,
    /// Also a histogram's own, of which there is no series.
    Any,
}

/// The metrics that the table has.
struct Metrics {
    series: BTreeSet<String>,
    histograms: BTreeSet<String>,
}

impl Metrics {
    /// Reads the table's rows: `` | `name` | type | … ``.
    fn parse(text: &str) -> Self {
        let mut metrics = Self { series: BTreeSet::new(), histograms: BTreeSet::new() };
        for row in text.lines().filter_map(|line| line.strip_prefix("| `")) {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
            let (Some(name), Some(kind)) = (cells.next(), cells.next()) else { continue };
            if kind == "histogram" {
                metrics.histograms.insert(name.to_owned());
                metrics.series.extend(["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")));
            } else {
                metrics.series.insert(name.to_owned());
            }
        }
        metrics
    }

    /// The metrics that this text names, but the table doesn't.
    fn unknown(&self, place: &str, text: &str, names: Names) -> Vec<String> {
        let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let named: BTreeSet<&str> =
            words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix))).collect();
        let is_known = |name: &str| self.series.contains(name) || names == Names::Any && self.histograms.contains(name);
        let unknown = named.into_iter().filter(|name| !is_known(name));
        unknown.map(|name| format!("{place} names {name}, which metrics.md doesn't have")).collect()
    }
}

/// Each alert's name, and the lines that follow until the next one.
fn blocks(alerts: &str) -> impl Iterator<Item = (&str, &str)> {
    alerts.split("- alert: ").skip(1).map(|block| block.split_once('\n').unwrap_or((block, "")))
}

/// What alerts lack: a key, a section in the runbook, a test in which they fire, one in which they don't.
fn check_alerts(alerts: &str, tests: &str, runbook: &str) -> Vec<String> {
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let mut wrong = Vec::new();
    for (name, block) in blocks(alerts) {
        for key in NEEDED.into_iter().filter(|key| value(block, key).is_none()) {
            wrong.push(format!("{name} has no {key}"));
        }
        let url = value(block, "runbook_url").unwrap_or_default();
        let section = url.strip_prefix(FOLDER).and_then(|url| url.strip_prefix("/runbook.md#"));
        if !section.is_some_and(|section| sections.contains(section)) {
            wrong.push(format!("{name}: runbook.md has no section for {url}"));
        }
        let outcomes: BTreeSet<bool> = outcomes(tests, name).collect();
        if outcomes.len() < 2 {
            wrong.push(format!("{name}: alerts-test.yml must have it fire, and not fire"));
        }
    }
    wrong
}

/// What stands behind a key, on whichever level; nothing if the key isn't there.
fn value<'text>(text: &'text str, key: &str) -> Option<&'text str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// For each test of this alert, whether it is to fire.
fn outcomes<'text>(tests: &'text str, alert: &'text str) -> impl Iterator<Item = bool> + 'text {
    let following = tests.split("alertname: ").skip(1).filter_map(|text| text.split_once('\n'));
    following.filter(move |(name, _)| *name == alert).filter_map(|(_, rest)| Some(value(rest, "exp_alerts")? != "[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| name | type |\n| --- | --- |\n| `markt_logins_total` | counter |\n| `markt_wait_seconds` | \
                         histogram |\n";

    #[test]
    fn only_what_the_table_has_may_be_named() {
        let metrics = Metrics::parse(TABLE);
        let query = "rate(markt_logins_total[5m]) + markt_wait_seconds_bucket{le=\"1.0\"} + markt_login_total";
        let told = ["here names markt_login_total, which metrics.md doesn't have"];
        assert_eq!(metrics.unknown("here", query, Names::Series), told);
    }

    #[test]
    fn a_query_names_no_histogram_but_its_series() {
        let metrics = Metrics::parse(TABLE);
        assert_eq!(metrics.unknown("here", "markt_wait_seconds", Names::Series).len(), 1);
        assert!(metrics.unknown("here", "markt_wait_seconds", Names::Any).is_empty());
    }

    #[test]
    fn queries_are_found_at_any_depth_with_their_variables_filled_in() {
        let dashboard =
            json!({ "panels": [{ "targets": [{ "expr": "rate(a{instance=~\"$instance\"}[$__rate_interval])" }] }] });
        assert_eq!(queries(&dashboard), ["rate(a{instance=~\".+\"}[5m])"]);
    }

    #[test]
    fn an_alert_needs_its_keys_a_section_and_both_kinds_of_tests() {
        let alerts = "- alert: Broken\n  expr: a\n  for: 1m\n  labels:\n    severity: critical\n  annotations:\n    \
                      summary: s\n    description: d\n    runbook_url: docs/operations/monitoring/runbook.md#broken\n";
        let fires = "- alertname: Broken\n  exp_alerts:\n    - exp_labels:\n";
        let stays = "- alertname: Broken\n  exp_alerts: []\n";
        let both = format!("{fires}{stays}");
        assert!(check_alerts(alerts, &both, "## Broken\n").is_empty());
        assert_eq!(check_alerts(alerts, fires, "## Broken\n").len(), 1);
        assert_eq!(check_alerts(alerts, &both, "## Other\n").len(), 1);
        assert_eq!(check_alerts(&alerts.replace("  for: 1m\n", ""), &both, "## Broken\n"), ["Broken has no for"]);
    }
}

//! How findings are shown: to people, and to programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::{Change, Finding, Place, Severity};
use super::origin::Judgement;

/// How long a line may be.
const WIDTH: usize = 100;

/// How far what belongs to a finding is moved in.
const INDENT: &str = "         ";

/// All that the doctor has to say.
pub struct Report {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What browsers do for the pages of an origin, if that was asked.
    pub origin: Option<Judgement>,
}

impl Report {
    /// Whether there is something that users notice.
    pub fn is_bad(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            text.push_str(&finding_text(finding));
        }
        match &self.origin {
            Some(judgement) => text.push_str(&judgement.text()),
            None => {
                let _ = writeln!(text, "\n{}", self.summary());
            }
        }
        text
    }

    fn summary(&self) -> String {
        let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}, {}, {}; {} as it should be.",
            plural(self.count(Severity::Error), "error"),
            plural(self.count(Severity::Warning), "warning"),
            plural(self.count(Severity::Hint), "hint"),
            plural(self.count(Severity::Ok), "thing")
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "hints": self.count(Severity::Hint),
            "findings": self.findings,
        });
        if let Some(judgement) = &self.origin {
            json["origin"] = judgement.json();
        }
        json
    }
}

fn finding_text(finding: &Finding) -> String {
    let severity = finding.severity.as_str();
    if finding.severity == Severity::Ok {
        return format!("{severity:<9}{}\n", wrapped(&finding.what));
    }
    let mut text = format!("{severity:<9}{}\n", finding.id);
    for part in [&finding.what, &finding.why] {
        if !part.is_empty() {
            let _ = writeln!(text, "{INDENT}{}", wrapped(part));
        }
    }
    for change in &finding.change {
        let _ = writeln!(text, "{INDENT}{}", wrapped(&change_text(change)));
    }
    text.push('\n');
    text
}

/// What to change, in a line.
pub fn change_text(Change { place, key, value, note }: &Change) -> String {
    let change = match (place, value.as_str()) {
        (Place::Service, "") => format!("-> unset {key}"),
        (Place::Service, value) => format!("-> {key} = {value}"),
        (Place::Redis, value) => format!("-> in Redis: {key} {value}"),
        (Place::Postgres, value) => format!("-> in PostgreSQL: {key} = {value}"),
        (Place::Shell, command) => format!("-> run: {command}"),
    };
    if note.is_empty() { change } else { format!("{change} ({note})") }
}

/// In lines that aren't too long, those after the first moved in.
pub fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut length = INDENT.len();
    for word in text.split(' ') {
        let needed = word.chars().count() + 1;
        if length + needed > WIDTH && length > INDENT.len() {
            let _ = write!(lines, "\n{INDENT}");
            length = INDENT.len();
        } else if !lines.is_empty() {
            lines.push(' ');
        }
        lines.push_str(word);
        length += needed;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_why_and_what_to_change() {
        let report = Report {
            findings: vec![
                Finding::error("redis-evicts", "Redis deletes keys.", "Users are logged out.")
                    .change_in(Place::Redis, "maxmemory-policy", "noeviction")
                    .set("cookie.domain", ""),
                Finding::ok("admin", "The admin listener isn't public."),
            ],
            origin: None,
        };
        assert!(report.is_bad());
        assert_eq!(
            report.text(),
            "error    redis-evicts\n         Redis deletes keys.\n         Users are logged out.\n         \
             -> in Redis: maxmemory-policy noeviction\n         -> unset cookie.domain\n\n\
             ok       The admin listener isn't public.\n\n1 error, 0 warnings, 0 hints; 1 thing as it should be.\n"
        );
        assert_eq!(
            report.json()["findings"][0],
            json!({
                "id": "redis-evicts", "severity": "error", "what": "Redis deletes keys.",
                "why": "Users are logged out.",
                "change": [
                    {"in": "redis", "key": "maxmemory-policy", "value": "noeviction"},
                    {"in": "markt-auth", "key": "cookie.domain", "value": ""},
                ],
            })
        );
        assert_eq!(report.json()["findings"][1]["severity"], "ok");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = wrapped(&"word ".repeat(60));
        assert!(text.lines().count() > 2);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }
}

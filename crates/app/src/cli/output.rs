//! What commands print: tables and fields for people, JSON for programs.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use markt_domain::Timestamp;
use serde_json::{Map, Value};

/// Below so many sessions, nobody waits for long.
const MANY: u64 = 5_000;

/// Prints a line. That whoever reads it has seen enough (`| head`) is no error.
pub fn say(line: impl Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Prints JSON.
pub fn print_json(value: &Value) -> io::Result<()> {
    say(serde_json::to_string_pretty(value)?)
}

/// Columns under their names, as wide as what stands in them.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        Self { rows: vec![names.map(str::to_owned).into()] }
    }

    /// Adds a row.
    pub fn push<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| harmless(&cell)).into());
    }

    /// Prints it.
    pub fn print(&self) -> io::Result<()> {
        self.lines().try_for_each(say)
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
    }
}

/// Something with its name, to be printed in either way.
pub struct Field {
    name: &'static str,
    value: Value,
    /// What people read in its place.
    text: Option<String>,
}

impl Field {
    /// Read the same by people and programs.
    pub fn new(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into(), text: None }
    }

    /// A time, with how far from now it is.
    pub fn time(name: &'static str, time: Timestamp, now: Timestamp) -> Self {
        let distance = if time <= now {
            format!("{} ago", Brief(now.since(time)))
        } else {
            format!("in {}", Brief(time.since(now)))
        };
        Self { name, value: time.to_string().into(), text: Some(format!("{time} ({distance})")) }
    }

    /// The same field, but that people read this.
    pub fn shown_as(self, text: String) -> Self {
        Self { text: Some(text), ..self }
    }
}

/// Fields as a JSON object.
pub fn to_json(fields: Vec<Field>) -> Value {
    Value::Object(fields.into_iter().map(|field| (field.name.to_owned(), field.value)).collect::<Map<_, _>>())
}

/// Prints fields, one a line.
pub fn print_fields(fields: &[Field]) -> io::Result<()> {
    let widest = fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
    for Field { name, value, text } in fields {
        let text = match (text, value) {
            (Some(text), _) => text.clone(),
            (None, Value::String(text)) => text.clone(),
            (None, Value::Null) => "-".to_owned(),
            (None, other) => other.to_string(),
        };
        say(format_args!("{name:widest$}  {}", harmless(&text)))?;
    }
    Ok(())
}

/// A duration in the largest unit that it fills: `3d`.
pub struct Brief(pub Duration);

impl Display for Brief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        let unit = units.into_iter().find(|(length, _)| seconds >= *length);
        let (length, unit) = unit.unwrap_or((1, 's'));
        write!(f, "{}{unit}", seconds / length)
    }
}

/// So many of something: `1 session`, `2 sessions`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A text that came from outside, without what would move a terminal's cursor.
fn harmless(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// Says on standard error how far long work has come, if somebody is looking.
#[derive(Default)]
pub struct Progress {
    is_shown: AtomicBool,
}

impl Progress {
    /// So many were looked at by now.
    pub fn show(&self, looked_at: u64) {
        if looked_at >= MANY && io::stderr().is_terminal() {
            self.is_shown.store(true, Ordering::Relaxed);
            let mut stderr = io::stderr().lock();
            // It goes on without.
            let _ = write!(stderr, "\r{looked_at} looked at …").and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown.load(Ordering::Relaxed) {
            eprint!("\r\u{1b}[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(["A", "LONG", "C"]);
        table.push(["café au lait", "1", "x\u{1b}[31m"].map(ToOwned::to_owned));
        table.push(["b", "", ""].map(ToOwned::to_owned));
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines, ["A             LONG  C", "café au lait  1     x\u{fffd}[31m", "b"]);
    }

    #[test]
    fn durations_are_told_in_one_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (7 * 86_400 - 1, "6d")] {
            assert_eq!(Brief(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}

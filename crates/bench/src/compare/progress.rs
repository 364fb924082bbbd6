//! How far a comparison is, on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A line that is written over on a terminal, and elsewhere one line for each thing that is done.
pub(super) struct Progress {
    start: Instant,
    turns: usize,
    done: usize,
    is_terminal: bool,
}

impl Progress {
    /// Of so many turns.
    pub(super) fn new(turns: usize) -> Self {
        Self { start: Instant::now(), turns, done: 0, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Says what is done besides turns.
    pub(super) fn say(&self, what: &str) {
        self.write(&format!("{:>4} s  {what}", self.start.elapsed().as_secs()));
    }

    /// Says which turn begins.
    pub(super) fn turn(&mut self, start_of_turns: Instant, what: &str) {
        let left = match u32::try_from(self.done).unwrap_or(u32::MAX) {
            0 => String::new(),
            done => {
                let each = start_of_turns.elapsed() / done;
                let left = each * u32::try_from(self.turns - self.done).unwrap_or(u32::MAX);
                format!(", {} s of turns left", left.as_secs())
            }
        };
        self.done += 1;
        self.say(&format!("turn {} of {}: {what}{left}", self.done, self.turns));
    }

    /// How long it has been.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Leaves the line as it is, and goes to the next one.
    pub(super) fn end(&self) {
        if self.is_terminal {
            eprintln!();
        }
    }

    fn write(&self, line: &str) {
        if self.is_terminal {
            // What the longer line before left is wiped.
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }
}

//! `cargo xtask ci`: what must hold before a change is merged, on a laptop as in CI.

use std::time::{Duration, Instant};

use crate::cargo::{self, ALL, Failure};
use crate::{alerts, arrows, e2e, loadtest, rehearse, test};

type Step = (&'static str, fn() -> Result<(), Failure>);

/// The quick ones first.
const STEPS: [Step; 9] = [
    ("formatting", formatting),
    ("arrows", arrows::run),
    ("alerts", alerts::run),
    ("clippy", clippy),
    ("docs", docs),
    ("test", || test::run(&[])),
    ("rehearsal", rehearse::check),
    ("loadtest", loadtest::check),
    ("e2e", e2e::run),
];

pub(crate) fn run() -> Result<(), Failure> {
    let mut times = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n=== {name} ===");
        let start = Instant::now();
        let result = step();
        times.push((name, start.elapsed(), result.is_ok()));
        if result.is_err() {
            print_times(&times);
            return result;
        }
    }
    print_times(&times);
    Ok(())
}

fn print_times(times: &[(&str, Duration, bool)]) {
    eprintln!();
    for (name, time, passed) in times {
        let outcome = if *passed { "passed" } else { "FAILED" };
        eprintln!("{name:<12} {outcome} {:>7.1} s", time.as_secs_f64());
    }
}

fn formatting() -> Result<(), Failure> {
    cargo::run(cargo::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<(), Failure> {
    cargo::run(cargo::cargo().args(["clippy", "--all-targets"]).args(ALL).args(["--", "-D", "warnings"]))
}

/// Private items too: these crates are for each other, and a broken link in a comment misleads whoever maintains them.
fn docs() -> Result<(), Failure> {
    let mut doc = cargo::cargo();
    doc.args(["doc", "--no-deps", "--document-private-items"]).args(ALL);
    cargo::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

//! `cargo xtask COMMAND`: what a person and CI both run. Each command is a file here.

mod alerts;
mod arrows;
mod bench;
mod cargo;
mod ci;
mod dev;
mod e2e;
mod loadtest;
mod programs;
mod rehearse;
mod test;
mod wiring;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::cargo::Failure;

const HELP: &str = "\
cargo xtask dev [ARGS…]    builds the service and serves a demo; ARGS go to `markt-auth serve`
cargo xtask test [ARGS…]   runs all tests against a real Redis and PostgreSQL, which it finds or starts;
                           ARGS go to the test runner: part of a test's name, for one
cargo xtask arrows         checks who depends on whom, by deny.toml and docs/architecture.md
cargo xtask alerts         checks the alerts and the dashboard in docs/operations/monitoring, by promtool
cargo xtask bench [ARGS…]  measures the release build against plain servers, and prints a table of ratios;
                           ARGS are `--quick` and `--json FILE`; or `nodes`, for processes side by side, or
                           `cluster`, for a Redis Cluster with five million sessions
cargo xtask loadtest …     has users in any number use the service, or compares sessions with tokens; without
                           arguments, it says how
cargo xtask e2e            checks the clients in TypeScript, and drives them and the service by a real browser
cargo xtask rehearse …     rehearses the switch from a Flask application to the service and back, with clients that go
                           on meanwhile; `--users 200`
cargo xtask ci             all that CI checks: formatting, arrows, alerts, clippy, docs, test, rehearsal, loadtest, e2e
cargo xtask help           this
";

/// What a shell exits with when the program it ran wasn't called as it should be.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let result = match command.to_str() {
        Some("dev") => dev::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("rehearse") => rehearse::run(&rest),
        Some("loadtest") => loadtest::run(&rest),
        Some("test") => test::run(&rest),
        Some("alerts") if rest.is_empty() => alerts::run(),
        Some("e2e") if rest.is_empty() => e2e::run(),
        Some("arrows") if rest.is_empty() => arrows::run(),
        Some("ci") if rest.is_empty() => ci::run(),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            eprintln!("xtask: {message}");
            ExitCode::from(code)
        }
    }
}

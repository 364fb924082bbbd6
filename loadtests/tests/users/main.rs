//! The load tests, run as a program against the service, run as a program.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't go on says so by a panic")]

mod accounts;
mod coordinated_omission;
mod scenarios;
mod service;

use std::process::{Command, Output};

use serde_json::Value;

/// Runs the load tests to their end.
fn markt_loadtests(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_markt-loadtests")).args(arguments).output().expect("the program can be run")
}

/// The report, which is the last line of JSON; goose has something to say before it.
fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no report in {text}"))).expect("a report is JSON")
}

/// What is said of one kind of request.
fn of_kind<'report>(report: &'report Value, kind: &str) -> &'report Value {
    let summaries = report["summaries"].as_array().expect("a report has summaries");
    summaries.iter().find(|summary| summary["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {report}"))
}

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::of_kind;
use crate::service::Service;

const STALL: Duration = Duration::from_millis(1_000);

/// The report on a run of 2 s in which the service stands still for [`STALL`], from this time on.
fn with_a_stall(service: &Service, from: Duration, more: &[&str]) -> Value {
    let arguments = ["profile", "--host", &service.url, "--seconds", "2", "--users", "4", "--json", "--driven"];
    let mut run = Command::new(env!("CARGO_BIN_EXE_markt-loadtests"))
        .args([&arguments, more].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let mut input = run.stdin.take().expect("it has a standard input");
    let mut lines = BufReader::new(run.stdout.take().expect("it has a standard output")).lines().map_while(Result::ok);
    let mut next = || lines.find(|line| line.starts_with('{')).expect("it says something");
    assert_eq!(next(), r#"{"event":"ready"}"#);
    input.write_all(b"\n").expect("it listens");
    std::thread::sleep(from);
    service.signal("STOP");
    std::thread::sleep(STALL);
    service.signal("CONT");
    assert_eq!(next(), r#"{"event":"done"}"#);
    input.write_all(b"\n").expect("it listens");
    let report: Value = serde_json::from_str(&next()).expect("a report is JSON");
    assert!(run.wait().is_ok_and(|status| status.success()), "{report}");
    report
}

fn p90(report: &Value) -> Duration {
    let percentiles = of_kind(report, "profile")["latency"]["percentiles"].clone();
    let p90 = percentiles.as_array().into_iter().flatten().find(|pair| pair[0] == 90.0);
    Duration::from_micros(p90.and_then(|pair| pair[1].as_u64()).expect("a 90th percentile"))
}

#[test]
fn a_stall_is_seen_by_every_request_that_was_due_in_it() {
    let service = Service::start(&[]);
    let from = Duration::from_millis(300);

    let paced = with_a_stall(&service, from, &["--rate", "200"]);
    let unpaced = with_a_stall(&service, from, &[]);

    // Half of all were due in it; the first of them waited for all of it, the last for nothing.
    assert!(p90(&paced) > STALL / 4, "{paced}");
    // Of thousands, four waited.
    assert!(p90(&unpaced) < STALL / 4, "{unpaced}");
}

#[test]
fn what_was_due_before_the_end_is_asked_for_after_it() {
    let service = Service::start(&[]);

    let report = with_a_stall(&service, Duration::from_millis(1_500), &["--rate", "200"]);

    assert_eq!(of_kind(&report, "profile")["requests"], 400, "{report}");
    assert_eq!(report["never_sent"], 0);
    // A quarter of all was due while nothing was answered until after the end.
    assert!(p90(&report) > STALL / 4, "{report}");
}

//! What the benchmark starts doesn't outlive it.

#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a program that would run for a minute, says which process that is, and waits for it.
const START: &str = r#""$0" tied $$ sleep 60 & echo $!; wait"#;

/// One that has ended and that nobody has asked about yet is a zombie.
fn runs(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

fn name(process: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not after {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_tied_program_dies_with_the_one_that_started_it() {
    let mut shell = Command::new("sh");
    let mut shell =
        shell.args(["-c", START, env!("CARGO_BIN_EXE_markt-bench")]).stdout(Stdio::piped()).spawn().unwrap();
    let tied = BufReader::new(shell.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    wait_until("the program runs", || name(&tied) == "sleep\n");
    assert!(runs(&tied));

    shell.kill().unwrap();
    shell.wait().unwrap();

    wait_until("the program has ended", || !runs(&tied));
}

#[test]
fn a_program_is_not_started_for_a_parent_that_is_gone() {
    // No process has a number that high.
    let status = Command::new(env!("CARGO_BIN_EXE_markt-bench")).args(["tied", "2147483647", "true"]).status().unwrap();

    assert!(!status.success());
}

//! `with-stores` ends what it starts, however it ends itself.
//!
//! It is run here as it runs on any machine: whatever way to a store that machine has is the one that is tried.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on says so by a panic")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use markt_test_support::stores::{POSTGRES_VARIABLE, REDIS_VARIABLE, server_address};

/// How long servers may take to end: a container's end is the slowest.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Prints where the stores are, then runs until it is ended.
const STAY: &str = r#"echo "$TEST_REDIS_URL"; echo "$TEST_DATABASE_URL"; exec sleep 60"#;

fn with_stores(command: &[&str]) -> Command {
    let mut with_stores = Command::new(env!("CARGO_BIN_EXE_with-stores"));
    // The stores that this test itself runs with are no business of the ones under test.
    with_stores.env_remove(REDIS_VARIABLE).env_remove(POSTGRES_VARIABLE).arg("--").args(command);
    with_stores
}

/// One that runs, and the addresses of its servers, which answer.
fn started() -> (Child, [String; 2]) {
    let mut child = with_stores(&["sh", "-c", STAY]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let addresses = [(); 2].map(|()| server_address(&lines.next().unwrap().unwrap()));
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }
    (child, addresses)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn await_end(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + END_LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("with-stores still runs after {END_LIMIT:?}");
}

fn assert_refused_soon(address: &str) {
    let deadline = Instant::now() + END_LIMIT;
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "{address} still answers after {END_LIMIT:?}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_exit_code_is_the_commands() {
    let status = with_stores(&["sh", "-c", "exit 7"]).status().unwrap();

    assert_eq!(status.code(), Some(7));
}

#[test]
fn a_terminated_run_leaves_nothing_and_fails() {
    let (mut child, addresses) = started();

    signal(&child, "TERM");

    assert_eq!(await_end(&mut child).code(), Some(128 + 15));
    for address in addresses {
        TcpStream::connect(address).unwrap_err();
    }
}

#[test]
fn a_killed_run_leaves_nothing() {
    let (mut child, addresses) = started();

    signal(&child, "KILL");

    await_end(&mut child);
    for address in addresses {
        assert_refused_soon(&address);
    }
}

#[test]
fn a_named_server_that_cannot_be_reached_stops_the_run() {
    // Port 1 is the port of a service that nobody runs.
    let output = with_stores(&["true"]).env(REDIS_VARIABLE, "redis://127.0.0.1:1").output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(REDIS_VARIABLE), "{message}");
}

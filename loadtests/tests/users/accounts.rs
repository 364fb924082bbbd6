use std::io::Write as _;

use crate::service::Service;
use crate::{markt_loadtests, report};

#[test]
fn a_login_that_fails_makes_the_run_fail_and_shows_no_password() {
    let service = Service::start(&[]);
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    writeln!(file, "buyer1@markt.com NotThePassword7").expect("it can be written");
    let path = file.path().to_str().expect("a path of letters");

    let output = markt_loadtests(&[
        "log-in",
        "--host",
        &service.url,
        "--seconds",
        "1",
        "--users",
        "1",
        "--accounts",
        path,
        "--json",
    ]);

    assert_eq!(output.status.code(), Some(1));
    let failures = report(&output)["failures"].clone();
    assert!(failures["log in: 401 invalid_credentials"].as_u64() > Some(0), "{failures}");
    let said = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains("NotThePassword7"));
}

#[test]
fn a_service_that_is_not_there_makes_the_run_fail() {
    // A port that nobody gets who asks for any.
    let output = markt_loadtests(&["profile", "--host", "http://127.0.0.1:1", "--seconds", "1", "--json"]);

    assert_eq!(output.status.code(), Some(1));
    let failures = report(&output)["failures"].to_string();
    assert!(failures.contains("profile: ") && failures.contains("refused"), "{failures}");
}

#[test]
fn a_file_without_accounts_is_told_before_anything_is_asked() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");

    let output = markt_loadtests(&["profile", "--accounts", file.path().to_str().expect("a path of letters")]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no account"));
}

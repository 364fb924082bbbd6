use serde_json::Value;

use crate::service::Service;
use crate::{markt_loadtests, of_kind, report};

const SCENARIOS: [(&str, &[&str]); 5] = [
    ("log-in", &["log in", "profile", "log out"]),
    ("profile", &["profile"]),
    ("browse", &["log in", "profile", "log out"]),
    ("login-storm", &["log in", "log out"]),
    ("mixed", &["log in", "profile", "log out"]),
];

/// Runs each for a moment, with as many users as there is time for, and holds goose's own count against ours.
fn all_are_served(service: &Service) {
    for (scenario, kinds) in SCENARIOS {
        let arguments = ["--host", &service.url, "--seconds", "60", "--cycles", "2", "--users", "3", "--json"];
        let output = markt_loadtests(&[&[scenario], arguments.as_slice()].concat());

        let report = report(&output);
        assert!(output.status.success(), "{scenario}: {report}");
        assert_eq!(report["failures"], serde_json::json!({}), "{scenario}");
        for kind in kinds {
            let summary = of_kind(&report, kind);
            let counted = summary["requests"].as_u64();
            assert!(counted > Some(0), "{scenario}: {summary}");
            assert!(summary["latency"]["p50"].as_u64() > Some(0), "{scenario}: {summary}");
            // Each user may also prepare itself by one, or leave by one.
            let by_goose = report["goose"][kind].as_u64();
            assert!((counted..=counted.map(|count| count + 3)).contains(&by_goose), "{scenario}: {report}");
        }
        let stretches = report["line"].as_array().expect("a line").iter();
        let in_line: u64 = stretches.filter_map(|stretch| stretch["requests"].as_u64()).sum();
        assert_eq!(Some(in_line), of_kind(&report, "all")["requests"].as_u64(), "{scenario}");
    }
}

#[test]
fn users_with_cookies_are_served_in_every_scenario() {
    all_are_served(&Service::start(&[]));
}

#[test]
fn users_with_tokens_are_served_in_every_scenario() {
    all_are_served(&Service::start(&[("MARKT_AUTH__MODE", "jwt")]));
}

#[test]
fn of_a_hundred_mixed_steps_five_are_logins() {
    let service = Service::start(&[]);

    // One user, so that no login is begun that isn't counted.
    let output = markt_loadtests(&["mixed", "--host", &service.url, "--seconds", "2", "--users", "1", "--json"]);

    let report = report(&output);
    let count = |kind| of_kind(&report, kind)["requests"].as_u64().unwrap_or(0);
    let steps = count("profile") + count("log in");
    assert_eq!((count("log in"), count("log out")), (steps.div_ceil(20), steps.div_ceil(20)), "{report}");
}

#[test]
fn a_thinking_user_asks_less_often() {
    let service = Service::start(&[]);
    let requests = |more: &[&str]| {
        let arguments = ["profile", "--host", &service.url, "--seconds", "1", "--users", "2", "--json"];
        let report: Value = report(&markt_loadtests(&[&arguments, more].concat()));
        of_kind(&report, "profile")["requests"].as_u64().unwrap_or(0)
    };

    let thinking = requests(&["--think", "200-300"]);

    // Each asks at once, and then once in at least 200 ms.
    assert!((2..=12).contains(&thinking), "{thinking}");
    assert!(requests(&[]) > thinking);
}

#[test]
fn a_rate_is_kept_by_all_users_together() {
    let service = Service::start(&[]);

    let output = markt_loadtests(&[
        "profile",
        "--host",
        &service.url,
        "--seconds",
        "2",
        "--users",
        "8",
        "--rate",
        "40",
        "--json",
    ]);

    let requests = of_kind(&report(&output), "profile")["requests"].as_u64().unwrap_or(0);
    assert_eq!(requests, 80);
}

//! What is asked of each mode: the scenarios of `loadtests/`, each with its users and its pace.

use serde::Serialize;

/// One of them.
#[derive(Serialize)]
pub(super) struct Scenario {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// Its name in `loadtests/`.
    #[serde(skip)]
    pub(super) goose: &'static str,
    /// The kind of request whose latency is told first.
    pub(super) main: &'static str,
    pub(super) users: u32,
    /// Requests per second of all users together; null where each user asks again once there is an answer.
    pub(super) rate: Option<u32>,
    /// How often each user goes through it in a second's turn, about, where its requests are of several kinds: turns end
    /// with whole cycles, or they would have more logins than logouts.
    #[serde(skip)]
    pub(super) cycles_per_second: Option<f64>,
    /// How often a user goes through it where what is on the wire is counted: until there has been one of each kind.
    #[serde(skip)]
    pub(super) counted_cycles: u32,
}

/// All of them. The rates are well below what the slowest mode can do: latency at full load is a queue's.
pub(super) const SCENARIOS: [Scenario; 7] = [
    Scenario {
        id: "log-in",
        title: "Log in",
        about: "Two users log in, look at the profile once and log out, again and again.",
        goose: "log-in",
        main: "log in",
        users: 2,
        rate: None,
        cycles_per_second: Some(45.0),
        counted_cycles: 2,
    },
    Scenario {
        id: "profile",
        title: "Profile, as fast as it goes",
        about: "16 users who are logged in look at the profile again and again.",
        goose: "profile",
        main: "profile",
        users: 16,
        rate: None,
        cycles_per_second: None,
        counted_cycles: 20,
    },
    Scenario {
        id: "profile-paced",
        title: "Profile, 3,000 a second",
        about: "32 users who are logged in look at the profile at set times.",
        goose: "profile",
        main: "profile",
        users: 32,
        rate: Some(3_000),
        cycles_per_second: None,
        counted_cycles: 20,
    },
    Scenario {
        id: "browse",
        title: "Browse",
        about: "16 users log in, look at 20 profiles and log out, again and again.",
        goose: "browse",
        main: "profile",
        users: 16,
        rate: None,
        cycles_per_second: Some(6.0),
        counted_cycles: 2,
    },
    Scenario {
        id: "login-storm",
        title: "Login storm",
        about: "64 users log in at once, log out, and log in again.",
        goose: "login-storm",
        main: "log in",
        users: 64,
        rate: None,
        cycles_per_second: Some(1.5),
        counted_cycles: 2,
    },
    Scenario {
        id: "mixed",
        title: "Mixed 95/5, as fast as it goes",
        about: "16 users: of 100 steps, 95 look at the profile, and 5 log out and in again.",
        goose: "mixed",
        main: "profile",
        users: 16,
        rate: None,
        cycles_per_second: None,
        counted_cycles: 20,
    },
    Scenario {
        id: "mixed-paced",
        title: "Mixed 95/5, 600 a second",
        about: "64 users: of 100 steps, 95 look at the profile, and 5 log out and in again, at set times.",
        goose: "mixed",
        main: "profile",
        users: 64,
        rate: Some(600),
        cycles_per_second: None,
        counted_cycles: 20,
    },
];

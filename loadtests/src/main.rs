//! `markt-loadtests`: users of the service, in any number, over HTTP.
//!
//! They are goose's users, each with a client, connections and cookies of its own; what they do is in [`scenarios`]. They
//! know nothing of the service but its API, and go by what a login gives them: a cookie, or a token.
//! `cargo xtask loadtest` builds and runs this; docs/sessions-vs-jwt.md tells what was found with it.

mod account;
mod attack;
mod cli;
mod driver;
mod outcome;
mod pace;
mod report;
mod sample;
mod scenarios;
mod steps;
mod visitor;
mod window;

fn main() -> std::process::ExitCode {
    cli::main()
}

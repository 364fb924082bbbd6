//! `cargo xtask loadtest`: users of the service, in any number; with `--compare`, of the service in each of its modes.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use crate::WRONG_USAGE;
use crate::cargo::{self, ALL, Failure};

/// The workspace of the load tests, and where it is built: apart from the service's, whose features it would change.
const MANIFEST: &str = "loadtests/Cargo.toml";
const TARGET: &str = "target/loadtest";

const HELP: &str = "\
cargo xtask loadtest SCENARIO [ARGS…]            has users do things with a service that is running, by default the
                                                 demo of `cargo xtask dev`; SCENARIO `--help` shows more
cargo xtask loadtest --compare [--quick|--check] compares sessions with tokens, and writes target/loadtest/report.html,
                                                 report.md and report.json: within 15 minutes; --quick within 2,
                                                 --check to see only that it works, with debug builds
";

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    match words.as_slice() {
        ["--compare"] => compare("full", Profile::Release),
        ["--compare", "--quick"] => compare("quick", Profile::Release),
        ["--compare", "--check"] => compare("check", Profile::Debug),
        [] | ["--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["--compare", ..] => Err(Failure { message: format!("that isn't understood:\n{HELP}"), code: WRONG_USAGE }),
        _ => users(arguments),
    }
}

/// Formatting, lints and tests of the load tests' workspace, against the service as the last debug build left it.
pub(crate) fn check() -> Result<(), Failure> {
    cargo::run(loadtests("fmt").arg("--check"))?;
    let target = ["--target-dir", TARGET];
    cargo::run(loadtests("clippy").arg("--all-targets").args(target).args(["--", "-D", "warnings"]))?;
    cargo::run(cargo::cargo().args(["build", "--package", "markt-auth"]))?;
    cargo::run(loadtests("test").args(target).env("MARKT_AUTH", cargo::built("markt-auth")?))?;
    if cfg!(target_os = "linux") {
        return compare("check", Profile::Debug);
    }
    eprintln!("the comparison needs Linux, and is left out");
    Ok(())
}

/// Which build.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Debug,
    Release,
}

impl Profile {
    fn arguments(self) -> &'static [&'static str] {
        if self == Self::Release { &["--release"] } else { &[] }
    }

    fn program(self, name: &str) -> Result<PathBuf, Failure> {
        if self == Self::Release { cargo::released(name) } else { cargo::built(name) }
    }
}

fn users(arguments: &[OsString]) -> Result<(), Failure> {
    let program = build(Profile::Release)?;
    cargo::run(Command::new(program).args(arguments).current_dir(cargo::root()))
}

fn compare(scale: &str, profile: Profile) -> Result<(), Failure> {
    let program = build(profile)?;
    cargo::run(cargo::cargo().args(["build", "--bin", "with-stores"]).args(ALL))?;
    let compared = ["build", "--package", "markt-auth", "--package", "markt-bench"];
    cargo::run(cargo::cargo().args(compared).args(profile.arguments()))?;
    let mut compare = Command::new(cargo::built("with-stores")?);
    compare.args(["--program", "wrk", "--"]).arg(profile.program("markt-bench")?);
    compare.args(["compare", "--scale", scale, "--loadtests"]).arg(program);
    cargo::run(compare.current_dir(cargo::root()))
}

/// Builds the load tests, and says where their program is.
fn build(profile: Profile) -> Result<PathBuf, Failure> {
    cargo::run(loadtests("build").args(profile.arguments()).args(["--target-dir", TARGET]))?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    let program = cargo::root().join(TARGET).join(folder).join("markt-loadtests");
    Ok(program.with_extension(OsStr::new(std::env::consts::EXE_EXTENSION)))
}

fn loadtests(command: &str) -> Command {
    let mut cargo = cargo::cargo();
    cargo.args([command, "--manifest-path", MANIFEST]);
    cargo
}

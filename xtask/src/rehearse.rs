//! `cargo xtask rehearse`: the switch from a Flask application to the service and back, with clients that go on meanwhile.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{self, ALL, Failure};

/// What it is made of, in Python.
const FOLDER: &str = "rehearsal";

/// Where its packages are kept.
const ENVIRONMENT: &str = "target/rehearsal/environment";

/// Debian's package of what makes such an environment.
const PACKAGE: &str = "python3-venv";

/// Enough users to see that it works.
const FEW: [&str; 2] = ["--users", "25"];

pub(crate) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    cargo::run(cargo::cargo().args(["build", "--package", "markt-auth", "--bin", "with-stores"]).args(ALL))?;
    let python = environment()?;
    let mut rehearsal = Command::new(cargo::built("with-stores")?);
    rehearsal.args(["--program", "nginx", "--"]).arg(python).arg(Path::new(FOLDER).join("rehearse.py"));
    rehearsal.arg("--service").arg(cargo::built("markt-auth")?).args(arguments);
    cargo::run(rehearsal.current_dir(cargo::root()))
}

/// The same, with few users.
pub(crate) fn check() -> Result<(), Failure> {
    run(&FEW.map(OsString::from))
}

/// A Python that has what the rehearsal needs, from PyPI.
fn environment() -> Result<PathBuf, Failure> {
    let folder = cargo::root().join(ENVIRONMENT);
    let python = folder.join("bin/python");
    let requirements = cargo::root().join(FOLDER).join("requirements.txt");
    let (wanted, installed) = (fs::read_to_string(&requirements)?, folder.join("requirements.txt"));
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(python);
    }
    make(&folder)?;
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    cargo::run(install.arg(&requirements))?;
    fs::write(installed, wanted)?;
    Ok(python)
}

fn make(folder: &Path) -> Result<(), Failure> {
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(folder);
    if make.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    cargo::run(Command::new(cargo::built("with-stores")?).args(["--install", PACKAGE]))?;
    cargo::run(&mut make)
}

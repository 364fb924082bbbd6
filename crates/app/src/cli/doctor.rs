//! `markt-auth doctor`

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::{runtime, surroundings};
use crate::config::{Config, ConfigErrors, Sources};
use crate::doctor::origin::{Verdict, judge};
use crate::doctor::{Facts, Report, WebOrigin, examine, findings_of, gather, unread_keys};

/// What is to be examined.
#[derive(Args)]
pub struct DoctorOptions {
    /// Instead of the whole set-up, judges what browsers do with the cookie for the pages of this origin, such as
    /// `https://app.example.com`.
    #[arg(long, value_name = "URL")]
    origin: Option<WebOrigin>,
    /// Where browsers reach the service, such as `https://auth.example.com`; without it, http and the address of
    /// `bind`.
    #[arg(long, value_name = "URL")]
    service: Option<WebOrigin>,
    /// In JSON.
    #[arg(long)]
    json: bool,
}

/// Examines, and prints what it finds. The code is 1 if something is an error, or if logins from the origin don't work.
pub fn run(options: &DoctorOptions, sources: &Sources) -> ExitCode {
    let report = match report(options, sources) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("markt-auth: {error}");
            return ExitCode::FAILURE;
        }
    };
    let text = if options.json { format!("{:#}\n", report.json()) } else { report.text() };
    // Who reads no further, as `head` does, has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let works = report.origin.as_ref().is_none_or(|judgement| judgement.login() != Verdict::No);
    if report.is_bad() || !works { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn report(options: &DoctorOptions, sources: &Sources) -> std::io::Result<Report> {
    let (config, errors) = match Config::read(sources) {
        Ok(read) => read,
        // Of what stands in the file nothing is known, and all else would be about defaults.
        Err(errors) => return Ok(Report { findings: findings_of(&errors), origin: None }),
    };
    if let Some(page) = &options.origin {
        return Ok(of_origin(&config, &errors, page, options.service.as_ref()));
    }
    let facts: Facts = runtime()?.block_on(gather(&config, &errors, &surroundings()));
    Ok(Report { findings: examine(&config, &errors, &facts, options.service.as_ref()), origin: None })
}

fn of_origin(config: &Config, errors: &ConfigErrors, page: &WebOrigin, service: Option<&WebOrigin>) -> Report {
    let findings = findings_of(errors);
    // Judged by the defaults of keys that couldn't be read, it would be a judgement of something else.
    let is_read = unread_keys(errors).is_empty();
    Report { findings, origin: is_read.then(|| judge(config, page, service, errors.0.is_empty())) }
}

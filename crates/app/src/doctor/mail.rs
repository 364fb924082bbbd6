//! The way that codes leave: the mail server, or the folder.

use super::facts::{Facts, MailFacts, MailTrouble};
use super::finding::{Finding, Severity};
use crate::config::values::{Environment, MailTransport};
use crate::config::{Config, SecretUrl};

const URL: &str = "mail.smtp_url";
const DIR: &str = "mail.dir";
const FROM: &str = "mail.from";

/// What users see of mail that doesn't leave.
const NO_CODES: &str = "Nobody gets the code that verifies an address or resets a password: new users can't log in a \
                        second time, and who forgot the password never.";

pub fn check(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mail = &config.mail;
    let mut findings = match (mail.transport, &mail.smtp_url) {
        (MailTransport::Smtp, Some(url)) => server(url, facts),
        _ => folder(config, facts),
    };
    let production = config.env == Environment::Production;
    if production && mail.from.trim_end_matches('>').ends_with(".localhost") {
        let what = format!("mail.from = \"{}\".", mail.from);
        let why = format!("Mail servers refuse a sender of a domain that isn't one, or take it for spam. {NO_CODES}");
        findings.push(Finding::warning("mail-from-unreal", what, why).set(FROM, "Markt <no-reply@example.com>"));
    }
    findings
}

fn server(url: &SecretUrl, facts: &Facts) -> Vec<Finding> {
    let example = "smtps://user:password@mail.example.com";
    let (id, what) = match &facts.mail_server {
        None => return Vec::new(),
        Some(Ok(server)) => return reached(url, *server),
        Some(Err(MailTrouble::Url(error))) => ("smtp-url-malformed", format!("{error}.")),
        Some(Err(MailTrouble::Unreachable(text))) => {
            ("smtp-unreachable", format!("The mail server can't be reached ({url}): {text}."))
        }
        Some(Err(MailTrouble::Tls(text))) => {
            ("smtp-tls", format!("The mail server can't be spoken to by TLS ({url}): {text}."))
        }
        Some(Err(MailTrouble::Login(text))) => {
            ("smtp-login-refused", format!("The mail server refuses the user or the password ({url}): {text}."))
        }
    };
    vec![Finding::error(id, what, NO_CODES).set(URL, example)]
}

fn reached(url: &SecretUrl, server: MailFacts) -> Vec<Finding> {
    let login = if server.logs_in { ", and takes the user and the password" } else { "" };
    let what = format!("The mail server answers ({url}){login}. No mail was sent.");
    let mut findings = vec![Finding::ok("smtp", what).about(&[URL])];
    if !server.is_encrypted && (server.logs_in || server.offers_tls) {
        let offer = if server.offers_tls { ", though it offers TLS" } else { "" };
        let what = format!("The mail server is spoken to without TLS{offer}.");
        let why = "Whoever is on the network between reads the codes, and the password of the mail server.";
        let finding = Finding::warning("smtp-unencrypted", what, why);
        findings.push(finding.set(URL, "smtps://user:password@mail.example.com").note("or smtp://…?tls=required"));
    }
    findings
}

fn folder(config: &Config, facts: &Facts) -> Vec<Finding> {
    let dir = config.mail.dir.display();
    let finding = match &facts.mail_folder {
        None => return Vec::new(),
        Some(Ok(())) => {
            let what = format!("Mail goes to the folder {dir}, and to nobody.");
            Finding::ok("mail-folder", what)
        }
        Some(Err(text)) => {
            let what = format!("The folder for mail, {dir}, can't be written to: {text}.");
            Finding::new(Severity::Error, "mail-folder-not-writable", what, NO_CODES)
                .set(DIR, "data/outbox")
                .note("or another folder that the service may write to")
        }
    };
    vec![finding.about(&[DIR])]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bad, config};
    use super::*;

    #[test]
    fn a_mail_server_that_takes_no_mail_is_told_without_its_password() {
        let fine = MailFacts { is_encrypted: true, offers_tls: true, logs_in: true };
        let said = || "so it says".to_owned();
        for (server, expected) in [
            (Ok(fine), None),
            (Ok(MailFacts { is_encrypted: false, ..fine }), Some((Severity::Warning, "smtp-unencrypted"))),
            (Ok(MailFacts { is_encrypted: false, offers_tls: false, logs_in: false }), None),
            (Err(MailTrouble::Unreachable(said())), Some((Severity::Error, "smtp-unreachable"))),
            (Err(MailTrouble::Tls(said())), Some((Severity::Error, "smtp-tls"))),
            (Err(MailTrouble::Login(said())), Some((Severity::Error, "smtp-login-refused"))),
        ] {
            let config = config(&[("mail.transport", "smtp"), (URL, "smtp://ann:hunter2@mail.test?tls=required")]);
            let findings = check(&config, &Facts { mail_server: Some(server), ..Facts::default() });
            assert_eq!(bad(&findings), Vec::from_iter(expected));
            assert!(!format!("{findings:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_and_a_sender_that_is_none_are_told() {
        let of = |settings: &[(&str, &str)], folder| {
            bad(&check(&config(settings), &Facts { mail_folder: Some(folder), ..Facts::default() }))
        };
        assert_eq!(of(&[], Ok(())), []);
        assert_eq!(of(&[], Err("no".into())), [(Severity::Error, "mail-folder-not-writable")]);
        let production = [("env", "production"), ("mail.transport", "file")];
        assert_eq!(of(&production, Ok(())), [(Severity::Warning, "mail-from-unreal")]);
        assert_eq!(of(&[production[0], production[1], (FROM, "no-reply@example.com")], Ok(())), []);
    }
}
